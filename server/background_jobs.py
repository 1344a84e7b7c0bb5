"""All background work: recurring chores, and the jobs of the outbox. Actions only record what they owe.

A chore is woken by what a write owes (`Write.owed`), or comes again after a while. It may fail as often as it likes
without ending the process: it is started again, and `/metrics` tells.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

from channels.tasks import Health, Tasks
from server.errors import DomainError
from server.storage import search
from server.storage.engine.database import Database
from server.storage.engine.write import Write
from server.storage.jobs import batches, erasure, outbox
from server.storage.jobs.outbox import Job

log = logging.getLogger("livethread.upkeep")

INDEX_SECONDS = 1.0
SCRUB_SECONDS = 20.0
RETRY_SECONDS = 1.0
JOBS_AT_ONCE = 4
# A command that owns the database indexes so many times as much in one write.
ALONE_TIMES = 10

# Returns after how many seconds it is to come again; None: when it is woken.
Work = Callable[[], Awaitable[float | None]]
# Does one step of a job; True if there is more of it.
Handler = Callable[[Job], Awaitable[bool]]


@dataclass
class _Chore:
    work: Work
    pause_seconds: float
    woken: asyncio.Event = field(default_factory=asyncio.Event)


class Upkeep:
    """`handlers` do the jobs of the outbox, by kind. Requests to other servers are such handlers, too."""

    def __init__(self, database: Database, health: Health) -> None:
        self._database = database
        self._tasks = Tasks(health)
        self._working: set[int] = set()
        self._chores: dict[str, _Chore] = {}
        self.handlers: dict[str, Handler] = {kind: self._in_writes(step) for kind, step in batches.STEPS.items()}
        self.add("jobs", self._do_jobs)
        self.add("erase", self._erase)
        self.add("index", self._index, pause_seconds=INDEX_SECONDS)
        self.add("scrub", self._scrub, pause_seconds=INDEX_SECONDS)
        self.add("empty", self._empty_wal)
        self.add("forget", self._forget)

    def add(self, name: str, work: Work, *, pause_seconds: float = 0.0) -> None:
        """Add a chore, to be done as the upkeep begins, and again as `work` says or `name` is owed.

        `pause_seconds`: work owed within this time of the last run is done together.
        """
        self._chores[name] = _Chore(work, pause_seconds)

    def wake(self, owed: Iterable[str]) -> None:
        for name in owed:
            self._chores[name].woken.set()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the background work for the duration of the block."""
        await self._database.write(outbox.release)
        async with self._tasks:
            self._database.on_owed = self.wake
            for name, chore in self._chores.items():
                self._tasks.keep(f"upkeep: {name}", partial(self._repeat, chore), is_vital=False)
            yield

    async def finish(self) -> None:
        """Do all that is owed now, and return: for a command that owns the database for a moment."""
        await self._database.write(outbox.release)
        while job := await self._database.write(outbox.claim):
            await self._do(job)
        await self._erase()
        await self._index(ALONE_TIMES)
        await self._scrub_index()
        await self._database.empty_wal()

    async def _repeat(self, chore: _Chore) -> None:
        while True:
            chore.woken.clear()
            try:
                wait = await chore.work()
            except DomainError as error:
                # The disk is full, or too much waits to be written.
                log.warning("upkeep has to wait: %s", error)
                wait = RETRY_SECONDS
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await chore.woken.wait()
            await asyncio.sleep(chore.pause_seconds)

    async def _do_jobs(self) -> float | None:
        while len(self._working) < JOBS_AT_ONCE:
            wait = await self._database.read(outbox.seconds_to_next)
            if wait is None or wait > 0:
                return wait
            job = await self._database.write(outbox.claim)
            if job is None or job.id in self._working:
                return RETRY_SECONDS
            self._working.add(job.id)
            self._tasks.start(f"job: {job.kind}", self._do(job), failed=partial(self._done, job))
        return None

    def _done(self, job: Job, _: BaseException | None = None) -> None:
        self._working.discard(job.id)
        self.wake(["jobs", "erase"])

    async def _do(self, job: Job) -> None:
        """Do a job step by step; where one fails or takes longer than its lease, the rest is tried again later."""
        try:
            is_more = True
            while is_more:
                async with asyncio.timeout(outbox.LEASE_MS / 1000):
                    is_more = await self.handlers[job.kind](job)
            await self._database.write(partial(outbox.finish, job=job))
        except Exception as error:  # noqa: BLE001 — the outer edge of a job
            if not isinstance(error, DomainError):
                self._tasks.health.died(f"job: {job.kind}", error)
            said = f"{type(error).__name__}: {error}"
            # Where the disk refuses this as well, the lease ends by itself.
            with contextlib.suppress(DomainError):
                await self._database.write(lambda write: outbox.retry(write, job, said))
        self._done(job)

    def _in_writes(self, step: batches.Step) -> Handler:
        """Return the handler of a job whose steps are one write each, which also stores the progress."""

        async def handle(job: Job) -> bool:
            def work(write: Write) -> bool:
                reached = step(write, job.subject, outbox.progress(write.sql, job))
                if reached is not None:
                    outbox.advance(write, job, reached)
                return reached is not None

            return await self._database.write(work)

        return handle

    async def _erase(self) -> None:
        """Erase quotes of erased texts. They are already hidden."""
        while await self._database.write(erasure.lost_quotes):
            pass

    async def _index(self, times: int = 1) -> None:
        while await self._database.write(partial(search.index_some, times=times)):
            pass

    async def _forget(self) -> float:
        while await self._database.write(erasure.forget_some):
            pass
        return SCRUB_SECONDS

    async def _scrub(self) -> None:
        """Scrub erased text from the file. If that is slow, it is limited to a hundredth of the time."""
        began = time.monotonic()
        await self._scrub_index()
        self.wake(["empty"])
        await asyncio.sleep(min(SCRUB_SECONDS, 100 * (time.monotonic() - began)))

    async def _scrub_index(self) -> None:
        """Rewrite the search's index, step by step between other writes."""
        await self._database.write(erasure.begin_scrub)
        while await self._database.write(erasure.scrub_some):
            pass

    async def _empty_wal(self) -> None:
        """Scrub the log of writes. Who always reads, as a replication does, is asked less and less often."""
        pause = RETRY_SECONDS
        while not await self._database.empty_wal():
            await asyncio.sleep(pause)
            pause = min(2 * pause, SCRUB_SECONDS)
