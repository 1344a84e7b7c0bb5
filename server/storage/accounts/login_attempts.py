"""Failed login attempts, kept across restarts: buckets under keyed hashes, each refilled evenly."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from server.storage.engine.write import Write

SWEPT_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Bucket:
    """`who` holds at most `count` attempts, and gets them back in `seconds`."""

    who: bytes
    count: int
    seconds: float

    def remaining(self, sql: sqlite3.Connection, now: int) -> float:
        row = sql.execute("SELECT remaining, at FROM attempts WHERE who = ?", (self.who,)).fetchone()
        if row is None:
            return float(self.count)
        # A clock that was set back gives nothing, and takes nothing.
        passed = float(max(0, now - row[1])) / 1000
        return min(float(self.count), float(row[0]) + passed * self.count / self.seconds)

    def keep(self, sql: sqlite3.Connection, remaining: float, now: int) -> None:
        full_at = now + math.ceil((self.count - remaining) * self.seconds * 1000 / self.count)
        sql.execute("INSERT OR REPLACE INTO attempts VALUES (?, ?, ?, ?)", (self.who, remaining, now, full_at))


def take(write: Write, buckets: Sequence[Bucket]) -> int:
    """Take one attempt out of each bucket and return 0; or none, and return in how many seconds there will be one."""
    now = write.now
    found = [(one, one.remaining(write.sql, now)) for one in buckets]
    wait = max((math.ceil((1 - left) * one.seconds / one.count) for one, left in found if left < 1), default=0)
    for one, left in found:
        one.keep(write.sql, left if wait else left - 1, now)
    return wait


def give_back(write: Write, buckets: Sequence[Bucket]) -> None:
    """The attempt was honest."""
    now = write.now
    for one in buckets:
        one.keep(write.sql, min(float(one.count), one.remaining(write.sql, now) + 1), now)


def sweep(write: Write) -> bool:
    """Forget some buckets that are full again; False if there were none."""
    swept = write.sql.execute(
        "DELETE FROM attempts WHERE who IN (SELECT who FROM attempts WHERE full_at <= ? LIMIT ?)",
        (write.now, SWEPT_AT_ONCE),
    )
    return swept.rowcount > 0
