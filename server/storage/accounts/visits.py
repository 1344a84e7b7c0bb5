"""Visits: how far an account has read each thread, on any device, and what is new since then."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from server.model import Thread
from server.storage.engine.rows import named
from server.storage.engine.write import Write
from server.storage.threads import threads

# An absence of less than a minute is not one.
SHORT_MS = 60_000


@dataclass(frozen=True, slots=True)
class LastVisit:
    """The newest comment's id and the thread's version as they were then; `at` in milliseconds.

    Comments that arrived above that version are new, whenever they were written.
    """

    comment: int
    version: int
    at: int


@dataclass(frozen=True, slots=True)
class Since:
    """`fresh`: what others have written since `at` (milliseconds) and is visible; the rest are counts.

    `removed` counts comments that were there at that time and are gone now.
    """

    at: int
    fresh: frozenset[int]
    by_author: int
    to_account: int
    removed: int


def last(sql: sqlite3.Connection, account: int, thread: str) -> LastVisit | None:
    row = sql.execute(
        "SELECT v.comment, v.version, v.at FROM visits v JOIN threads t ON t.id = v.thread"
        " WHERE v.account = ? AND t.key = ?",
        (account, thread),
    ).fetchone()
    return LastVisit(*row) if row else None


def since(sql: sqlite3.Connection, account: int, thread: Thread, now: int) -> Since | None:
    """Return what the account finds new in the thread; None if that is nothing, or no visit of it is known.

    The script counts by the same rules (`catch_up.js`).
    """
    before = last(sql, account, thread.key)
    if before is None or now - before.at < SHORT_MS:
        return None
    fresh: set[int] = set()
    by_author = removed = 0
    moved = sql.execute(
        "SELECT id AS id, state AS state, arrived AS arrived, author AS author FROM comments"
        " WHERE thread = ? AND version > ? AND shown",
        (thread.id, before.version),
    )
    for one in named(moved):
        is_old, is_visible = one["arrived"] <= before.version, one["state"] == "visible"
        if is_old or not is_visible:
            removed += is_old and not is_visible
        elif one["author"] != account:
            fresh.add(one["id"])
            by_author += thread.author_name is not None and one["author"] == thread.author
    if not fresh and not removed:
        return None
    (to_account,) = sql.execute(
        "SELECT count(*) FROM notices n JOIN comments c ON c.id = n.comment"
        " WHERE n.account = ? AND n.version > ? AND c.thread = ? AND c.state = 'visible'"
        " AND n.kind IN ('reply', 'mention')",
        (account, before.version, thread.id),
    ).fetchone()
    return Since(before.at, frozenset(fresh), by_author, to_account, removed)


def remember(write: Write, account: int, thread: str, comment: int, version: int, at: int | None = None) -> None:
    """Keep the visit, of now or of `at`; an older page that tells later moves nothing back."""
    known = threads.by_key(write.sql, thread)
    if known.id is not None:
        write.sql.execute(
            "INSERT INTO visits (account, thread, comment, version, at) VALUES (?1, ?2, ?3, ?4, ?5)"
            " ON CONFLICT (account, thread) DO UPDATE SET comment = max(comment, ?3), version = max(version, ?4),"
            " at = max(at, ?5)",
            (account, known.id, comment, min(version, known.version), min(at or write.now, write.now)),
        )
