"""Merging: all that belongs to one thread goes under another, parents before replies, a hundred rows a write."""

from __future__ import annotations

import sqlite3

from server.model import Thread
from server.storage.comments import comments
from server.storage.engine.write import Write
from server.storage.threads import threads

ROWS_IN_ONE_WRITE = 100
# Of all threads, since visits are kept by account.
VISITS_IN_ONE_WRITE = 2_000
# The progress of who has no visits left to move.
_COMMENTS = -1


def is_unfinished(sql: sqlite3.Connection, *ids: int) -> bool:
    """Say whether one of these threads, or one that goes into it, is still being merged."""
    marks = ", ".join("?" * len(ids))
    found = sql.execute(
        "SELECT 1 FROM jobs j JOIN threads t ON t.id = j.subject WHERE j.kind = 'merge thread'"
        f" AND (t.id IN ({marks}) OR t.merged IN ({marks}))",
        (*ids, *ids),
    )
    return found.fetchone() is not None


def begin(write: Write, old: Thread, new: Thread) -> None:
    """From now on the key and the addresses of `old` lead to `new`, which takes what it does not say of itself.

    What belongs to it follows by `step`.
    """
    assert old.id is not None
    assert new.id is not None
    write.sql.execute("UPDATE threads SET merged = ?1 WHERE id = ?2 OR merged = ?2", (new.id, old.id))
    write.sql.execute("UPDATE aliases SET thread = ? WHERE thread = ?", (new.id, old.id))
    write.stamp(old.id)
    missing = {
        name: value
        for name in ("title", "url", "summary", "author")
        if (value := getattr(old, name)) and not getattr(new, name)
    }
    if missing:
        threads.describe(write, new.id, missing)


def step(write: Write, old: int, reached: int) -> int | None:
    """Move some of the thread `old` to the one that it went into; return how far that came, None: all is there."""
    (new,) = write.sql.execute("SELECT merged FROM threads WHERE id = ?", (old,)).fetchone()
    if reached != _COMMENTS:
        last = _move_visits(write.sql, old, new, reached)
        if last is not None:
            return last
    # No comment is answered by an older one: in this order parents come first.
    some = write.sql.execute(
        "SELECT id FROM comments WHERE thread = ? ORDER BY parent, placed LIMIT ?", (old, ROWS_IN_ONE_WRITE)
    ).fetchall()
    for (id_,) in some:
        comments.enter(write, id_, new)
    if len(some) == ROWS_IN_ONE_WRITE:
        return _COMMENTS
    write.sql.execute("UPDATE threads SET comments = 0 WHERE id = ?", (old,))
    return None


def _move_visits(sql: sqlite3.Connection, old: int, new: int, after: int) -> int | None:
    """Move visits of accounts above the id `after`; where somebody has read both, what is new in either stays new."""
    seen = sql.execute(
        "SELECT account FROM visits WHERE account > ? ORDER BY account LIMIT ?", (after, VISITS_IN_ONE_WRITE)
    ).fetchall()
    if not seen:
        return None
    some = (after, seen[-1][0], old)
    moved = "account > ?1 AND account <= ?2 AND thread = ?3"
    sql.execute(
        f"INSERT INTO visits SELECT account, ?4, comment, version, at FROM visits WHERE {moved}"
        " ON CONFLICT (account, thread) DO UPDATE SET comment = min(comment, excluded.comment),"
        " version = min(version, excluded.version), at = min(at, excluded.at)",
        (*some, new),
    )
    sql.execute(f"DELETE FROM visits WHERE {moved}", some)
    return int(seen[-1][0]) if len(seen) == VISITS_IN_ONE_WRITE else None
