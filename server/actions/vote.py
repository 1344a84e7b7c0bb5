"""Voting: one vote per account and comment, counted into scores at most once a second per thread."""

from __future__ import annotations

import asyncio
import contextlib
import time

import msgspec

from channels.messages import Comment
from channels.tasks import Tasks
from server import permissions
from server.errors import DomainError, Forbidden, Invalid
from server.model import Account
from server.rate_limits import Limits
from server.settings import Settings
from server.storage.accounts import accounts
from server.storage.comments import comments, votes
from server.storage.engine.database import Database
from server.storage.engine.write import Write

# A second between two at every reader, and as long as the first of them may wait for its tick and its turn.
FOLD_SECONDS = 1.25
THREADS_KEPT = 10_000
LEFT_SECONDS = 30.0


class Votes:
    """Takes votes, and owns the rhythm in which they move scores."""

    def __init__(self, database: Database, limits: Limits, settings: Settings, tasks: Tasks) -> None:
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
            raise Invalid("error.only_upvotes", field="value")
        if self._settings.votes == "off":
            raise Forbidden("error.no_votes", code="no_votes")
        self._limits.spend("vote", account.id, self._settings.limit_votes_account)

        def work(write: Write) -> int:
            accounts.confirm(write.sql, account)
            comment = comments.known_to(write.sql, account, id_)
            if comment.state != "visible":
                raise Forbidden("error.vote_gone", code="gone")
            if not permissions.may_vote(account, comment):
                raise Forbidden("error.own_comment", code="own_comment")
            votes.put(write, id_, account.id, value)
            return comment.thread

        await self._fold_soon(await self._database.write(work))
        seen, owed = await self._database.read(
            lambda sql: (comments.seen_by(sql, account, id_)[1], votes.owed(sql, id_))
        )
        assert isinstance(seen.score, int)
        return msgspec.structs.replace(seen, score=seen.score + owed)

    async def fold_what_was_left(self) -> float:
        """Count the votes that are in no score after a crash, or where the disk refused; a chore of the upkeep."""
        for thread in await self._database.read(votes.unfolded):
            if self._wait(thread) <= 0:
                await self._fold(thread)
        return LEFT_SECONDS

    async def _fold_soon(self, thread: int) -> None:
        """The first vote of a quiet thread counts at once; those soon after it are counted together."""
        if thread in self._waiting:
            return
        if self._wait(thread) <= 0:
            await self._fold(thread)
        else:
            self._waiting.add(thread)
            self._tasks.start(
                "folding votes", self._fold_in_time(thread), failed=lambda _: self._waiting.discard(thread)
            )

    def _wait(self, thread: int) -> float:
        """Return for how many seconds the thread's scores still have to rest."""
        return self._folded_at.get(thread, float("-inf")) + FOLD_SECONDS - time.monotonic()

    async def _fold_in_time(self, thread: int) -> None:
        while (wait := self._wait(thread)) > 0:  # noqa: ASYNC110 — the clock is waited for
            await asyncio.sleep(wait)
        self._waiting.discard(thread)
        # Where the disk refuses, the votes are kept, and counted with the next one.
        with contextlib.suppress(DomainError):
            await self._fold(thread)

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
