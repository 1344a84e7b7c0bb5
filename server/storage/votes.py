"""Votes: one per account and comment, counted into the comment's score in a write of their own."""

from __future__ import annotations

import sqlite3

from server.storage.write import Write


def put(write: Write, comment: int, account: int, value: int) -> None:
    write.sql.execute(
        "INSERT INTO votes (comment, account, value) VALUES (?1, ?2, ?3)"
        " ON CONFLICT (comment, account) DO UPDATE SET value = ?3",
        (comment, account, value),
    )


def fold(write: Write, thread: int) -> None:
    """Count every vote of the thread that is not yet in its comment's score, and stamp the scores that moved."""
    unfolded = write.sql.execute(
        "SELECT v.comment, sum(max(v.value, 0) - max(v.folded, 0)), sum(max(-v.value, 0) - max(-v.folded, 0))"
        " FROM votes v JOIN comments c ON c.id = v.comment WHERE v.value <> v.folded AND c.thread = ?"
        " GROUP BY v.comment",
        (thread,),
    ).fetchall()
    for comment, up, down in unfolded:
        write.sql.execute("UPDATE comments SET up = up + ?, down = down + ? WHERE id = ?", (up, down, comment))
        write.sql.execute("UPDATE votes SET folded = value WHERE comment = ? AND value <> folded", (comment,))
    moved = [comment for comment, up, down in unfolded if up != down]
    if moved:
        write.stamp_scores(thread, moved)


def unfolded(sql: sqlite3.Connection) -> list[int]:
    """Return the threads that have votes which no score holds."""
    found = sql.execute(
        "SELECT DISTINCT c.thread FROM votes v JOIN comments c ON c.id = v.comment WHERE v.value <> v.folded"
    )
    return [thread for (thread,) in found]


def owed(sql: sqlite3.Connection, comment: int) -> int:
    """Return by how much the comment's score will move when its votes are counted."""
    (delta,) = sql.execute(
        "SELECT coalesce(sum(value - folded), 0) FROM votes WHERE comment = ? AND value <> folded", (comment,)
    ).fetchone()
    return int(delta)


def cast_by(sql: sqlite3.Connection, account: int, thread: str) -> dict[int, int]:
    """Return the account's votes in the thread, by comment."""
    found = sql.execute(
        "SELECT v.comment, v.value FROM votes v JOIN comments c ON c.id = v.comment JOIN threads t ON t.id = c.thread"
        " WHERE v.account = ? AND t.key = ? AND v.value <> 0",
        (account, thread),
    )
    return dict(found.fetchall())


def owed_to(sql: sqlite3.Connection, account: int, thread: str) -> dict[int, int]:
    """Return by how much scores of the thread will move when the account's own votes are counted, by comment."""
    found = sql.execute(
        "SELECT v.comment, v.value - v.folded FROM votes v JOIN comments c ON c.id = v.comment"
        " JOIN threads t ON t.id = c.thread WHERE v.account = ? AND t.key = ? AND v.value <> v.folded",
        (account, thread),
    )
    return dict(found.fetchall())
