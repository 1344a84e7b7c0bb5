"""The outbox: jobs are recorded in the write that owes them, and so survive a crash.

A job is leased while it runs, progresses step by step, and is retried later if it fails.
"""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass

from server.storage.engine.write import Write

# A step takes less; a job with an expired lease belonged to a process that died.
LEASE_MS = 20_000
FIRST_RETRY_MS = 1_000
MAX_RETRY_MS = 10 * 60 * 1000
MAX_ERROR_CHARACTERS = 200
# A lease that ends later than any can was given by a clock that has jumped back since.
_IS_FREE = "(leased IS NULL OR leased NOT BETWEEN :now AND :now + :lease)"


@dataclass(frozen=True, slots=True)
class Job:
    id: int
    kind: str
    subject: int


@dataclass(frozen=True, slots=True)
class Backlog:
    """How much is owed: jobs, those of them that failed, comments that no search finds, that quote erased words."""

    jobs: int
    failing: int
    unindexed: int
    unerased: int


def add(write: Write, kind: str, subject: int, progress: int = 0, *, due: int = 0) -> None:
    """Owe a job, not before `due` (milliseconds since 1970; 0: at once)."""
    write.sql.execute(
        "INSERT INTO jobs (kind, subject, progress, due) VALUES (?, ?, ?, ?)", (kind, subject, progress, due)
    )
    write.owed.add("jobs")


def claim(write: Write) -> Job | None:
    """Lease the job that has been due the longest; None if there is none."""
    found = write.sql.execute(
        "UPDATE jobs SET leased = :now + :lease WHERE id = ("
        f"SELECT id FROM jobs WHERE due <= :now AND {_IS_FREE} ORDER BY due, id LIMIT 1) RETURNING id, kind, subject",
        {"now": write.now, "lease": LEASE_MS},
    ).fetchone()
    return None if found is None else Job(*found)


def progress(sql: sqlite3.Connection, job: Job) -> int:
    (reached,) = sql.execute("SELECT progress FROM jobs WHERE id = ?", (job.id,)).fetchone()
    return int(reached)


def advance(write: Write, job: Job, reached: int) -> None:
    """Keep how far the job has come, and the lease for the next step."""
    write.sql.execute(
        "UPDATE jobs SET progress = ?, leased = ?, attempts = 0, error = '' WHERE id = ?",
        (reached, write.now + LEASE_MS, job.id),
    )


def finish(write: Write, job: Job) -> None:
    write.sql.execute("DELETE FROM jobs WHERE id = ?", (job.id,))


def retry(write: Write, job: Job, error: str) -> None:
    """Let the job be tried again: after a second, and twice as late each time that it fails, up to ten minutes."""
    write.sql.execute(
        "UPDATE jobs SET leased = NULL, attempts = attempts + 1, error = ?,"
        " due = ? + min(?, ? << min(attempts, 20)) WHERE id = ?",
        (error[:MAX_ERROR_CHARACTERS], write.now, MAX_RETRY_MS, FIRST_RETRY_MS, job.id),
    )


def release(write: Write) -> None:
    """End every lease: a new owner of the database begins, and nobody else works at anything."""
    write.sql.execute("UPDATE jobs SET leased = NULL WHERE leased IS NOT NULL")


def seconds_to_next(sql: sqlite3.Connection) -> float | None:
    """Return how long it is until a job is due and free, 0 or less where one is; None if nothing is owed."""
    now = time.time_ns() // 1_000_000
    (due,) = sql.execute(
        f"SELECT min(iif({_IS_FREE}, due, max(due, leased))) FROM jobs", {"now": now, "lease": LEASE_MS}
    ).fetchone()
    return None if due is None else (due - now) / 1000


def backlog(sql: sqlite3.Connection) -> Backlog:
    return Backlog(
        *sql.execute("SELECT count(*), count(*) FILTER (WHERE attempts > 0) FROM jobs").fetchone(),
        *sql.execute("SELECT count(*) FROM unindexed").fetchone(),
        *sql.execute("SELECT count(DISTINCT comment) FROM quotes WHERE lost").fetchone(),
    )
