"""One write inside a group: the statements of one action, its version, and the changes that it makes public."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable
from typing import Literal

from channels.messages import AccountEvent, Change, Comment
from server.model import Account
from server.storage.comments import comment_rows
from server.storage.threads.changes import change
from server.visibility import sight, view

# Jobs of the outbox; words of an erased text, wherever they are quoted; what searches find; bytes that leave the file,
# or the log of writes alone.
Owed = Literal["jobs", "erase", "index", "scrub", "empty"]


class Write:
    """Handed to an action's function, on the writer's thread, inside a savepoint of its own."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.sql = connection
        self._version: int | None = None
        self._stamped: dict[int, tuple[int, set[int]]] = {}
        self._scores: set[int] = set()
        # What the action answers, as everybody sees it, with its thread: it is made once, for the change as well.
        self._answered: tuple[int, Comment] | None = None
        self.concerns: list[AccountEvent] = []
        # Background work owed after this write: see `server/background_jobs.py`.
        self.owed: set[Owed] = set()

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

    def stamp(self, thread: int, comments: Iterable[int] = (), *, made: Iterable[int] = ()) -> None:
        """Declare that the public form of `thread` and of these `comments` of it changes with this write.

        `made` are new comments of it, which were given the version of this write.
        """
        if thread not in self._stamped:
            (head,) = self.sql.execute("SELECT version FROM threads WHERE id = ?", (thread,)).fetchone()
            self.sql.execute("UPDATE threads SET version = ? WHERE id = ?", (self.version, thread))
            self._stamped[thread] = (head, set())
            self.owed.add("index")
        ids = list(comments)
        self._stamped[thread][1].update(ids, made)
        if self._answered is not None and self._answered[1].id in ids:
            self._answered = None
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
        self.concerns.append(AccountEvent(account, self.version, is_end))

    def answer(self, account: Account, comment: int) -> Comment:
        """Return the comment as the account sees it after what was written."""
        found = comment_rows.by_id(self.sql, comment)
        seen = view(account, found) if found is not None else None
        assert found is not None
        assert seen is not None
        if sight(account, found) == sight(None, found):
            self._answered = (found.thread, seen)
        return seen

    def changes(self) -> list[Change]:
        """Return one change per stamped thread, each from the head before this write to its version."""
        return [
            change(self.sql, thread, after, self.version, scores=self._scores, known=self._made(thread, ids))
            for thread, (after, ids) in self._stamped.items()
        ]

    def _made(self, thread: int, stamped: set[int]) -> Comment | None:
        if self._answered is None or self._answered[0] != thread or self._answered[1].id not in stamped - self._scores:
            return None
        return self._answered[1]
