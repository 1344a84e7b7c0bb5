"""The owner of the database file: one writer that commits in groups, and several readers. Knows no table."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite

from channels.change import Change, Concern
from channels.tally import COUNTS, Histogram
from server.errors import CannotStart, DomainError, Unavailable
from server.storage import erase, finish, quotes, search, unfinished
from server.storage.schema import Owner, migrate, open_connection
from server.storage.write import Write

log = logging.getLogger("livethread.database")

READERS = 3
GROUP = 256
QUEUED_WRITES = 4096
READ_SECONDS = 0.5
SCRUB_SECONDS = 20.0
INDEX_SECONDS = 1.0

Sql = sqlite3.Connection
Result = TypeVar("Result")
OnCommit = Callable[[Change], None]
OnConcern = Callable[[Concern], None]


@dataclass
class _Queued:
    """A write on its way: what to run, who waits for it, and what came of it."""

    work: Callable[[Write], Any]
    future: asyncio.Future[Any]
    result: Any = None
    error: Exception | None = None
    changes: list[Change] = field(default_factory=list)
    concerns: list[Concern] = field(default_factory=list)
    has_erased: bool = False


class Database:
    """Open with `Database.opened(path)`. `on_commit` hears every committed change, in the order of the commits."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.on_commit: OnCommit = lambda change: None
        self.on_concern: OnConcern = lambda concern: None
        self._queue: asyncio.Queue[_Queued] = asyncio.Queue(QUEUED_WRITES)
        self._writer: aiosqlite.Connection
        self._readers: asyncio.Queue[aiosqlite.Connection] = asyncio.Queue()
        self._must_reopen = False
        self._has_erased, self._has_written = False, True
        self.failed_groups = 0
        self.group_size = Histogram(COUNTS)
        self.commit_seconds = Histogram()

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, path: Path) -> AsyncIterator[Database]:
        """Take the file's lock, migrate it, and serve until the block ends; queued writes are finished first.

        Raises CannotStart where the file has an owner, is newer than the program, or cannot be written.
        """
        owner = Owner(path)
        database = cls(path)
        try:
            async with contextlib.AsyncExitStack() as stack:
                try:
                    database._writer = await aiosqlite.Connection(lambda: open_connection(path), 64)
                    # By name: it is another connection after an I/O error.
                    stack.push_async_callback(lambda: database._writer.close())  # noqa: PLW0108
                    await _run(database._writer, lambda sql: migrate(sql, path))
                    for _ in range(READERS):
                        reader = await aiosqlite.Connection(lambda: open_connection(path, read_only=True), 64)
                        stack.push_async_callback(reader.close)
                        database._readers.put_nowait(reader)
                except sqlite3.Error as error:
                    raise CannotStart(f"LIVETHREAD_DATABASE: {path} cannot be used: {error}.") from error
                writing = asyncio.create_task(database._write_groups())
                tidying = asyncio.create_task(database._tidy())
                try:
                    while await database.read(quotes.are_unfound):
                        await database.write(quotes.find_again)
                    yield database
                finally:
                    await database._queue.join()
                    writing.cancel()
                    tidying.cancel()
                    await asyncio.wait([writing, tidying])
        finally:
            owner.release()

    async def write(self, work: Callable[[Write], Result]) -> Result:
        """Run `work` on the writer's thread in a savepoint of its own, and return its result once it is on disk.

        Raises whatever `work` raises, with nothing written, and Unavailable where the disk refuses. A caller that is
        cancelled does not stop its write.
        """
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        try:
            self._queue.put_nowait(_Queued(work, future))
        except asyncio.QueueFull:
            raise Unavailable("The server has too much to write; try again in a moment.", retry_after=1) from None
        return await future

    async def read(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Run `work` on a read connection in one transaction: all that it reads is of one moment.

        Interrupted after 500 ms (Unavailable), since a long reader keeps erased text in the WAL.
        """
        reader = await self._readers.get()
        loop = asyncio.get_running_loop()
        # The clock starts when the thread does: waiting for a place is not reading.
        interrupt = loop.call_later(READ_SECONDS, reader._conn.interrupt)
        try:
            return await asyncio.shield(reading := asyncio.ensure_future(_run(reader, _in_one_moment(work))))
        except sqlite3.OperationalError as error:
            log.exception("a read failed")
            raise Unavailable("The server is too busy to read this now.", retry_after=1) from error
        finally:
            # A cancelled request leaves its statement running: the connection is free when that has ended.
            if reading.done():
                self._free(reader, interrupt)
            else:
                reading.add_done_callback(lambda _: self._free(reader, interrupt))

    def _free(self, reader: aiosqlite.Connection, interrupt: asyncio.TimerHandle) -> None:
        interrupt.cancel()
        self._readers.put_nowait(reader)

    async def _write_groups(self) -> None:
        while True:
            group = [await self._queue.get()]
            while len(group) < GROUP and not self._queue.empty():
                group.append(self._queue.get_nowait())
            try:
                if self._must_reopen:
                    await self._reopen()
                began = time.perf_counter()
                await _run(self._writer, partial(_commit_group, group=group))
                self.commit_seconds.observe(time.perf_counter() - began)
                self.group_size.observe(len(group))
            except Exception as error:  # noqa: BLE001 — the writer outlives whatever befalls one group
                log.error("a group of %d writes failed: %s", len(group), error)
                self._must_reopen = True
                self.failed_groups += 1
                for write in group:
                    write.error = Unavailable("The server cannot save right now.", retry_after=1)
                    write.changes, write.concerns = [], []
            for write in group:
                self._settle(write)
                self._queue.task_done()

    def _settle(self, write: _Queued) -> None:
        self._has_erased |= write.has_erased
        self._has_written |= bool(write.changes)
        try:
            for change in write.changes:
                change.__dict__["committed"] = time.time()
                self.on_commit(change)
            for concern in write.concerns:
                self.on_concern(concern)
        except Exception:
            # Committed is committed: who could not be told will ask.
            log.exception("telling of a change failed")
        if write.future.cancelled():
            return
        if write.error is not None:
            write.future.set_exception(write.error)
        else:
            write.future.set_result(write.result)

    async def _tidy(self) -> None:
        """Index what was written, each second; what was erased is gone from the file a moment later.

        Where that takes long (a large index), it takes a hundredth of the time, and comes within half a minute.
        """
        swept_at, rest, is_first = time.monotonic(), 0.0, True
        while True:
            await asyncio.sleep(INDEX_SECONDS)
            try:
                # Also what a crash left, or a disk that was full in the middle.
                while left := await self.read(unfinished.left):
                    await self.write(partial(finish.go_on, id_=left[0]))
                await self._index()
                if time.monotonic() - swept_at < (rest if self._has_erased else SCRUB_SECONDS):
                    continue
                swept_at, rest = time.monotonic(), SCRUB_SECONDS
                while await self.write(erase.forget_some):
                    pass
                # What an earlier owner of the file erased may be in it still.
                if self._has_erased or is_first:
                    is_first = False
                    await self._scrub()
                rest = min(SCRUB_SECONDS, 100 * (time.monotonic() - swept_at))
            except (DomainError, sqlite3.Error) as error:
                self._has_erased = self._has_written = True
                log.warning("what was erased could not be taken out of the file yet: %s", error)

    async def _index(self) -> None:
        while self._has_written:
            self._has_written = await self.write(search.index_some)

    async def _scrub(self) -> None:
        """Take what was erased until now out of the index, step by step between other writes, and out of the WAL."""
        self._has_erased = False
        await self.write(erase.begin_scrub)
        indexed_at = time.monotonic()
        while await self.write(erase.scrub_some):
            if time.monotonic() - indexed_at >= INDEX_SECONDS:
                await self._index()
                indexed_at = time.monotonic()
        self._has_erased |= not await _run(self._writer, erase.empty_wal)

    async def _reopen(self) -> None:
        """After an I/O error a connection's idea of the file may be wrong; a new one reads it anew."""
        await self._writer.close()
        self._writer = await aiosqlite.Connection(lambda: open_connection(self.path), 64)
        self._must_reopen = False


async def _run(connection: aiosqlite.Connection, work: Callable[[sqlite3.Connection], Result]) -> Result:
    # aiosqlite has no public way to run several statements in one hop to its thread; a test holds this one.
    result: Result = await connection._execute(lambda: work(connection._conn))
    return result


def _in_one_moment(work: Callable[[sqlite3.Connection], Result]) -> Callable[[sqlite3.Connection], Result]:
    def reading(sql: sqlite3.Connection) -> Result:
        sql.execute("BEGIN")
        try:
            return work(sql)
        finally:
            if sql.in_transaction:
                sql.execute("ROLLBACK")

    return reading


def _commit_group(sql: sqlite3.Connection, group: list[_Queued]) -> None:
    """Run every write of the group in its savepoint, then commit all. Raises sqlite3.Error: then none is written."""
    sql.execute("BEGIN IMMEDIATE")
    try:
        for queued in group:
            _run_in_savepoint(sql, queued)
        sql.execute("COMMIT")
    except BaseException:
        if sql.in_transaction:
            sql.execute("ROLLBACK")
        raise


def _run_in_savepoint(sql: sqlite3.Connection, queued: _Queued) -> None:
    sql.execute("SAVEPOINT one")
    try:
        write = Write(sql)
        queued.result = queued.work(write)
        queued.changes, queued.concerns = write.changes(), write.concerns
        queued.has_erased = write.has_erased
    except Exception as error:
        if not sql.in_transaction:
            # A full disk or an I/O error ended the whole transaction: what follows would run in autocommit.
            raise sqlite3.OperationalError(f"the transaction is gone: {error}") from error
        sql.execute("ROLLBACK TO one")
        queued.error, queued.changes, queued.concerns = _as_answer(error), [], []
    sql.execute("RELEASE one")


def _as_answer(error: Exception) -> Exception:
    if isinstance(error, sqlite3.Error):
        log.error("a write failed: %s", error)
        return Unavailable("The server cannot save right now.", retry_after=1)
    if not isinstance(error, DomainError):
        log.error("a write failed", exc_info=error)
    return error
