"""Threads by key, and the list of those that were active last."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any

from server.model import Thread
from server.storage.write import Write

_SELECT = """
SELECT t.key, t.id, t.title, t.url, t.summary, t.author, a.name, t.locked, t.version, t.comments, t.active
FROM threads t LEFT JOIN accounts a ON a.id = t.author AND a.state = 'open'
"""


def _thread(row: tuple[Any, ...]) -> Thread:
    key, id_, title, url, summary, author, author_name, locked, version, comments, _ = row
    return Thread(key, id_, title, url, summary, author, author_name, bool(locked), version, comments)


def by_key(sql: sqlite3.Connection, key: str) -> Thread:
    """Return the thread, or an empty one at version 0 where nobody has used the key."""
    row = sql.execute(_SELECT + "WHERE t.key = ?", (key,)).fetchone()
    return _thread(row) if row else Thread(key)


def last_active(sql: sqlite3.Connection, limit: int) -> list[tuple[Thread, int]]:
    """Return threads with the time (ms) of their last comment, the newest first."""
    rows = sql.execute(_SELECT + "ORDER BY t.active DESC, t.id DESC LIMIT ?", (limit,))
    return [(_thread(row), row[10]) for row in rows]


def heads(sql: sqlite3.Connection, keys: list[str], after: int) -> dict[str, int]:
    """Return the heads above the clock's `after` among `keys`."""
    moved = sql.execute("SELECT key, version FROM threads WHERE version > ?", (after,))
    wanted = set(keys)
    return {key: version for key, version in moved if key in wanted}


def clock(sql: sqlite3.Connection) -> tuple[int, str]:
    """Return (version, epoch) of the whole database."""
    version, epoch = sql.execute("SELECT version, epoch FROM clock").fetchone()
    return version, epoch


def ensure(write: Write, key: str) -> int:
    """Return the id of the thread, making its row where nobody has used the key yet."""
    write.sql.execute(
        "INSERT INTO threads (key, created, active) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        (key, write.now, write.now),
    )
    (id_,) = write.sql.execute("SELECT id FROM threads WHERE key = ?", (key,)).fetchone()
    return int(id_)


def describe(write: Write, thread: int, fields: Mapping[str, str | int | None]) -> None:
    """Set some of title, url, summary, author (an account's id) and locked."""
    for column in fields:
        assert column in {"title", "url", "summary", "author", "locked"}
    assignments = ", ".join(f"{column} = ?" for column in fields)
    write.sql.execute(f"UPDATE threads SET {assignments} WHERE id = ?", (*fields.values(), thread))
    write.stamp(thread)


def count(write: Write, thread: int, by: int, *, active: int | None = None) -> None:
    """Move the number of visible comments, and the time of the last one."""
    write.sql.execute(
        "UPDATE threads SET comments = comments + ?, active = max(active, ?) WHERE id = ?",
        (by, active or 0, thread),
    )
