"""One write inside a group: the statements of one action, its version, and the changes that it makes public."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable

from channels.change import Change, Concern
from server.storage import rows


class Write:
    """Handed to an action's function, on the writer's thread, inside a savepoint of its own."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.sql = connection
        self._version: int | None = None
        self._stamped: dict[int, tuple[int, list[int]]] = {}
        self._scores: set[int] = set()
        self.concerns: list[Concern] = []
        # A text was erased: it has to leave the file as well.
        self.has_erased = False
        # What was begun and takes more writes: ids of `storage/unfinished.py`.
        self.unfinished: list[int] = []

    @property
    def now(self) -> int:
        """Milliseconds since 1970, UTC."""
        return time.time_ns() // 1_000_000

    @property
    def version(self) -> int:
        """The one version of this write, taken from the clock when it is first needed."""
        if self._version is None:
            (self._version,) = self.sql.execute("UPDATE clock SET version = version + 1 RETURNING version").fetchone()
        return self._version

    def stamp(self, thread: int, comments: Iterable[int] = ()) -> None:
        """Declare that the public form of `thread` and of these `comments` of it changes with this write."""
        if thread not in self._stamped:
            (head,) = self.sql.execute("SELECT version FROM threads WHERE id = ?", (thread,)).fetchone()
            self.sql.execute("UPDATE threads SET version = ? WHERE id = ?", (self.version, thread))
            self._stamped[thread] = (head, [])
        ids = list(comments)
        self._stamped[thread][1].extend(ids)
        self.sql.executemany(
            "UPDATE comments SET version = ? WHERE id = ?", [(self.version, comment) for comment in ids]
        )

    def stamp_scores(self, thread: int, comments: Iterable[int]) -> None:
        """Declare that with this write nothing moves but the scores of these comments."""
        ids = list(comments)
        self._scores.update(ids)
        self.stamp(thread, ids)

    def concern(self, account: int, *, is_end: bool = False) -> None:
        """Declare that this write rings the account's bell, or ends a session of it."""
        column = "ended" if is_end else "bell"
        self.sql.execute(f"UPDATE accounts SET {column} = ? WHERE id = ?", (self.version, account))
        self.concerns.append(Concern(account, self.version, is_end))

    def changes(self) -> list[Change]:
        """Return one change per stamped thread, each from the head before this write to its version."""
        return [
            rows.change(self.sql, thread, after, self.version, scores=self._scores)
            for thread, (after, _) in self._stamped.items()
        ]
