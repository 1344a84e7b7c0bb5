"""Voting: one vote per account and comment, counted into scores at most once a second per thread."""

from __future__ import annotations

import asyncio
import time

import msgspec

from channels.change import Comment
from server import permissions
from server.errors import DomainError, Forbidden, Invalid, NotFound
from server.limits import Limits
from server.model import Account
from server.settings import Settings
from server.storage import accounts, comments, rows, votes
from server.storage.database import Database
from server.storage.write import Write

# A second between two at every reader, and as long as the first of them may wait for its tick and its turn.
FOLD_SECONDS = 1.25
THREADS_KEPT = 10_000


class Votes:
    """Takes votes, and owns the rhythm in which they move scores."""

    def __init__(self, database: Database, limits: Limits, settings: Settings, tasks: asyncio.TaskGroup) -> None:
        self._database = database
        self._limits = limits
        self._settings = settings
        self._tasks = tasks
        # When each thread's scores moved last, in monotonic seconds; and those that wait for their time.
        self._folded_at: dict[int, float] = {}
        self._waiting: set[int] = set()

    async def cast(self, account: Account, id_: int, value: int) -> Comment:
        """Return the comment with the score that its votes give.

        Raises NotFound, Forbidden, Invalid (value), TooMany.
        """
        if value < 0 and self._settings.votes == "up":
            raise Invalid("Here one can only vote up: value is 0 or 1.", field="value")
        if self._settings.votes == "off":
            raise Forbidden("There are no votes here.", code="no_votes")
        self._limits.spend("vote", account.id, self._settings.limit_votes_account)

        def work(write: Write) -> int:
            accounts.confirm(write.sql, account)
            comment = comments.by_id(write.sql, id_)
            if comment is None or not permissions.may_see(account, comment):
                raise NotFound("There is no such comment.")
            if comment.state != "visible":
                raise Forbidden("This comment is gone: it takes no votes.", code="gone")
            if not permissions.may_vote(account, comment):
                raise Forbidden("Nobody votes on their own comment.", code="own_comment")
            votes.put(write, id_, account.id, value)
            return comment.thread

        await self._fold_soon(await self._database.write(work))
        public, owed = await self._database.read(lambda sql: (rows.public(sql, id_), votes.owed(sql, id_)))
        assert isinstance(public.score, int)
        return msgspec.structs.replace(public, score=public.score + owed)

    async def fold_what_was_left(self) -> None:
        """After a crash: count the votes that were taken and are in no score."""
        for thread in await self._database.read(votes.unfolded):
            await self._fold(thread)

    async def _fold_soon(self, thread: int) -> None:
        """The first vote of a quiet thread counts at once; those soon after it are counted together."""
        if thread in self._waiting:
            return
        if self._wait(thread) <= 0:
            await self._fold(thread)
        else:
            self._waiting.add(thread)
            self._tasks.create_task(self._fold_in_time(thread))

    def _wait(self, thread: int) -> float:
        """Return for how many seconds the thread's scores still have to rest."""
        return self._folded_at.get(thread, float("-inf")) + FOLD_SECONDS - time.monotonic()

    async def _fold_in_time(self, thread: int) -> None:
        try:
            while (wait := self._wait(thread)) > 0:  # noqa: ASYNC110 — the clock is waited for
                await asyncio.sleep(wait)
            self._waiting.discard(thread)
            await self._fold(thread)
        except DomainError:
            # The disk refuses: the votes are kept, and counted with the next one.
            self._waiting.discard(thread)

    async def _fold(self, thread: int) -> None:
        self._rest(thread)
        await self._database.write(lambda write: votes.fold(write, thread))
        # From when it could be seen: a write may wait for its turn.
        self._rest(thread)

    def _rest(self, thread: int) -> None:
        self._folded_at.pop(thread, None)
        self._folded_at[thread] = time.monotonic()
        if len(self._folded_at) > THREADS_KEPT:
            del self._folded_at[next(iter(self._folded_at))]
