"""Threads by key, and the list of those that were active last."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from server.model import Thread
from server.storage.engine.rows import first, named

if TYPE_CHECKING:
    from server.storage.engine.write import Write

_SELECT = """
SELECT t.key AS key, t.id AS id, t.site AS site, t.title AS title, t.url AS url, t.summary AS summary,
       t.author AS author, a.name AS author_name, t.locked AS locked, t.version AS version, t.comments AS comments,
       t.created AS created, coalesce((SELECT m.key FROM threads m WHERE m.id = t.merged), '') AS moved
"""
_FROM = "FROM threads t LEFT JOIN accounts a ON a.id = t.author AND a.state = 'open'"


def _thread(row: dict[str, Any]) -> Thread:
    return Thread(**row | {"locked": bool(row["locked"])})


def by_key(sql: sqlite3.Connection, key: str) -> Thread:
    """Return the thread, or the one that it went into; an empty one at version 0 if nobody has used the key."""
    present = "SELECT coalesce(merged, id) FROM threads WHERE key = ?"
    row = first(sql.execute(f"{_SELECT} {_FROM} WHERE t.id = ({present})", (key,)))
    return _thread(row) if row else Thread(key)


def under_key(sql: sqlite3.Connection, key: str) -> Thread:
    """Return what `by_key` returns, but where a thread went into another, what is left of it: that it did."""
    row = first(sql.execute(f"{_SELECT} {_FROM} WHERE t.key = ?", (key,)))
    return _thread(row) if row else Thread(key)


def merged(sql: sqlite3.Connection) -> dict[str, str]:
    """Return the keys of all threads that went into others, with the keys of those."""
    return dict(sql.execute("SELECT t.key, m.key FROM threads t JOIN threads m ON m.id = t.merged"))


def keys_of(sql: sqlite3.Connection, thread: int | None) -> list[str]:
    """Return the keys that lead to the thread: its own, and those of threads that went into it."""
    return [key for (key,) in sql.execute("SELECT key FROM threads WHERE id = ?1 OR merged = ?1", (thread,))]


def ids_of(sql: sqlite3.Connection, thread: int | None) -> list[int]:
    """Return the thread's own id, and those of threads that went into it."""
    return [id_ for (id_,) in sql.execute("SELECT id FROM threads WHERE id = ?1 OR merged = ?1", (thread,))]


def by_id(sql: sqlite3.Connection, id_: int) -> Thread:
    """Return the thread of an id that was given to it."""
    (row,) = named(sql.execute(f"{_SELECT} {_FROM} WHERE t.id = ?", (id_,)))
    return _thread(row)


def by_url(sql: sqlite3.Connection, url: str) -> str | None:
    """Return the key of the first thread about this very address."""
    row = sql.execute("SELECT key FROM threads WHERE url = ? AND url <> '' ORDER BY id LIMIT 1", (url,)).fetchone()
    return row[0] if row else None


def last_active(sql: sqlite3.Connection, limit: int) -> list[tuple[Thread, int]]:
    """Return threads with the time (ms) of their last comment, the newest first."""
    found = sql.execute(
        f"{_SELECT}, t.active AS active {_FROM} WHERE t.merged IS NULL ORDER BY t.active DESC, t.id DESC LIMIT ?",
        (limit,),
    )
    return [(_thread(row), active) for row in named(found) for active in [row.pop("active")]]


def heads(sql: sqlite3.Connection, keys: list[str], after: int) -> dict[str, int]:
    """Return the heads above the clock's `after` among `keys`."""
    moved = sql.execute("SELECT key, version FROM threads WHERE version > ?", (after,))
    wanted = set(keys)
    return {key: version for key, version in moved if key in wanted}


def moved(sql: sqlite3.Connection, after: int, limit: int) -> dict[str, int]:
    """Return the heads above the clock's `after` of all threads, the earliest `limit` of them."""
    return dict(
        sql.execute("SELECT key, version FROM threads WHERE version > ? ORDER BY version LIMIT ?", (after, limit))
    )


def clock(sql: sqlite3.Connection) -> tuple[int, str]:
    """Return (version, epoch) of the whole database."""
    version, epoch = sql.execute("SELECT version, epoch FROM clock").fetchone()
    return version, epoch


def epoch(sql: sqlite3.Connection) -> str:
    (value,) = sql.execute("SELECT epoch FROM clock").fetchone()
    return str(value)


def ensure(write: Write, key: str) -> int:
    """Return the id of the thread, making its row if nobody has used the key yet."""
    # A key that begins with a site's id and ~ is that site's.
    write.sql.execute(
        "INSERT INTO threads (key, created, active, site) VALUES (?1, ?2, ?2, coalesce("
        "(SELECT id FROM sites WHERE id = substr(?1, 1, instr(?1, '~') - 1)), 'own')) ON CONFLICT DO NOTHING",
        (key, write.now),
    )
    (id_,) = write.sql.execute("SELECT coalesce(merged, id) FROM threads WHERE key = ?", (key,)).fetchone()
    return int(id_)


def describe(write: Write, thread: int, fields: Mapping[str, str | int | None]) -> None:
    """Set some of title, url, summary, author (an account's id) and locked."""
    for column in fields:
        assert column in {"title", "url", "summary", "author", "locked"}
    assignments = ", ".join(f"{column} = ?" for column in fields)
    write.sql.execute(f"UPDATE threads SET {assignments} WHERE id = ?", (*fields.values(), thread))
    write.stamp(thread)


def introduce(write: Write, thread: int, url: str, title: str) -> None:
    """Keep the address and the title of its page, each where the thread has none yet."""
    changed = write.sql.execute(
        "UPDATE threads SET url = iif(url = '', ?1, url), title = iif(title = '', ?2, title)"
        " WHERE id = ?3 AND (url = '' OR title = '' AND ?2 <> '') RETURNING id",
        (url, title, thread),
    )
    if changed.fetchall():
        write.stamp(thread)


def count(write: Write, thread: int, by: int, placed: int) -> None:
    """So many visible comments more, or one less (`by`); the last stands at the time `placed`: it is the thread's.

    Where no comment is visible, the thread was last active when it was made. No time is later than the present.
    """
    if by > 0:
        write.sql.execute(
            "UPDATE threads SET active = iif(comments = 0, ?1, max(active, ?1)), comments = comments + ?2"
            " WHERE id = ?3",
            (min(placed, write.now), by, thread),
        )
        return
    write.sql.execute("UPDATE threads SET comments = comments - 1 WHERE id = ?", (thread,))
    # Only the last visible comment moves it; hidden ones after it were passed over when they were hidden.
    write.sql.execute(
        "UPDATE threads SET active = min(?1, coalesce((SELECT placed FROM comments"
        " WHERE thread = ?2 AND state = 'visible' AND placed <= ?3 ORDER BY placed DESC LIMIT 1), created))"
        " WHERE id = ?2 AND active <= ?3",
        (write.now, thread, placed),
    )
