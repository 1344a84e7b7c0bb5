"""Votes: one per account and comment, counted into the comment's score in a write of their own."""

from __future__ import annotations

import sqlite3

from server.model import Thread
from server.storage.engine.write import Write


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


def of_account(sql: sqlite3.Connection, account: int, thread: Thread) -> tuple[dict[int, int], dict[int, int]]:
    """Return the account's votes in the thread, and by how much scores will move when they are counted, by comment.

    It walks what is less: all that the account has voted on, or all that the thread holds.
    """
    # SQLite knows neither number, and would always walk the thread.
    order = "votes v CROSS JOIN comments c ON c.id = v.comment"
    if _has_more(sql, account, thread.comments):
        order = "comments c CROSS JOIN votes v ON v.comment = c.id"
    found = sql.execute(
        f"SELECT v.comment, v.value, v.folded FROM {order} WHERE v.account = ? AND c.thread = ?"
        " AND (v.value <> 0 OR v.value <> v.folded)",
        (account, thread.id),
    ).fetchall()
    cast = {comment: value for comment, value, _ in found if value}
    return cast, {comment: value - folded for comment, value, folded in found if value != folded}


def _has_more(sql: sqlite3.Connection, account: int, limit: int) -> bool:
    """Say whether the account has cast more votes than `limit`."""
    (count,) = sql.execute(
        "SELECT count(*) FROM (SELECT 1 FROM votes WHERE account = ? LIMIT ?)", (account, limit + 1)
    ).fetchone()
    return int(count) > limit
