"""Up to where an account has read each thread, on whichever of its devices."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from server.storage import threads
from server.storage.write import Write


@dataclass(frozen=True, slots=True)
class LastVisit:
    """The newest comment's id and the thread's version as they were then; `at` in milliseconds."""

    comment: int
    version: int
    at: int


def last(sql: sqlite3.Connection, account: int, thread: str) -> LastVisit | None:
    row = sql.execute(
        "SELECT v.comment, v.version, v.at FROM visits v JOIN threads t ON t.id = v.thread"
        " WHERE v.account = ? AND t.key = ?",
        (account, thread),
    ).fetchone()
    return LastVisit(*row) if row else None


def remember(write: Write, account: int, thread: str, comment: int, version: int) -> None:
    """Keep the visit; an older page that tells later moves nothing back."""
    known = threads.by_key(write.sql, thread)
    if known.id is not None:
        write.sql.execute(
            "INSERT INTO visits (account, thread, comment, version, at) VALUES (?1, ?2, ?3, ?4, ?5)"
            " ON CONFLICT (account, thread) DO UPDATE SET comment = max(comment, ?3), version = max(version, ?4),"
            " at = ?5",
            (account, known.id, comment, min(version, known.version), write.now),
        )
