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

from channels.messages import AccountEvent, Change
from channels.metrics import COUNTS, Histogram
from channels.tasks import CALLBACK_ERRORS, Health, Tasks, is_cancelled
from server.errors import CannotStart, DomainError, Unavailable
from server.storage.engine import database_files
from server.storage.engine.connection import close, is_alive, plain, run
from server.storage.engine.owner import Owner
from server.storage.engine.schema import BUSY_MS, migrate, open_connection
from server.storage.engine.write import Owed, Write

log = logging.getLogger("livethread.database")

READERS = 3
GROUP = 256
QUEUED_WRITES = 4096
READ_SECONDS = 0.5
TRUNCATE_WAIT_MS = 50
WATCH_SECONDS = 0.5
WATCH_FILES_SECONDS = 1.0

Sql = sqlite3.Connection
Result = TypeVar("Result")
Told = TypeVar("Told")
OnCommit = Callable[[Change], None]
OnAccountEvent = Callable[[AccountEvent], None]
OnOwed = Callable[[set[Owed]], None]


@dataclass
class _Queued:
    """A pending write: the work, the caller's future, and the result."""

    work: Callable[[Write], Any]
    future: asyncio.Future[Any]
    result: Any = None
    error: Exception | None = None
    changes: list[Change] = field(default_factory=list)
    concerns: list[AccountEvent] = field(default_factory=list)
    owed: set[Owed] = field(default_factory=set)
    # Whether the group is on disk. Nothing is acknowledged before that.
    is_on_disk: bool = False


class Database:
    """Open with `Database.opened(path)`. `on_commit` hears every committed change, in the order of the commits."""

    def __init__(self, path: Path, owner: Owner, health: Health) -> None:
        self.path = path
        self._owner = owner
        self.on_commit: OnCommit | None = None
        self.on_account_event: OnAccountEvent = lambda concern: None
        self.on_owed: OnOwed = lambda owed: None
        self._queue: asyncio.Queue[_Queued] = asyncio.Queue(QUEUED_WRITES)
        self._writer: aiosqlite.Connection
        self._readers: asyncio.Queue[aiosqlite.Connection] = asyncio.Queue()
        self._open: set[aiosqlite.Connection] = set()
        self._health = health
        self._tasks = Tasks(health)
        self._working: dict[asyncio.Task[Any], aiosqlite.Connection] = {}
        self._files = database_files.Files(path)
        self._must_reopen = False
        self.failed_groups = 0
        # Another number after anything was written: what was read before may not be so any more.
        self.written = 0
        self.group_size = Histogram(COUNTS)
        self.commit_seconds = Histogram()

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, path: Path, health: Health | None = None) -> AsyncIterator[Database]:
        """Take the file's lock, migrate it, and serve until the block ends; queued writes are finished first.

        Raises CannotStart if the file has an owner, is newer than the program, or cannot be written.
        """
        path = path.resolve()
        database_files.check(path)
        owner = Owner(path)
        database = cls(path, owner, health or Health())
        try:
            async with contextlib.AsyncExitStack() as stack:
                try:
                    database._writer = await aiosqlite.Connection(lambda: open_connection(path), 64)
                    # By name: it is another connection after an I/O error.
                    stack.push_async_callback(lambda: close(database._writer))
                    await run(database._writer, lambda sql: migrate(sql, path))
                    await run(database._writer, owner.recognise)
                    stack.push_async_callback(database._close_readers)
                    for _ in range(READERS):
                        database._readers.put_nowait(await database._new_reader())
                    database._files.note()
                except (sqlite3.Error, OSError) as error:
                    raise CannotStart(f"LIVETHREAD_DATABASE: {path} cannot be used: {error}.") from error
                async with database._tasks:
                    database._health.on_failure.append(database._refuse_all)
                    database._tasks.keep("writer", database._write_groups)
                    database._tasks.keep("watching threads", database._watch_threads)
                    database._tasks.keep("watching the files", database._watch_files)
                    try:
                        yield database
                    finally:
                        await database._queue.join()
        finally:
            owner.release()

    async def write(self, work: Callable[[Write], Result]) -> Result:
        """Run `work` on the writer's thread in a savepoint of its own, and return its result once it is on disk.

        Raises whatever `work` raises, with nothing written, and Unavailable where the disk refuses. A caller that is
        cancelled does not stop its write.
        """
        if self._health.failure is not None:
            raise _cannot_save()
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        try:
            self._queue.put_nowait(_Queued(work, future))
        except asyncio.QueueFull:
            raise Unavailable("error.too_busy_to_save", retry_after=1) from None
        return await future

    async def read(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Run `work` on a read connection in one transaction: all that it reads is of one moment.

        Interrupted after 500 ms (Unavailable), since a long reader keeps erased text in the WAL.
        """
        reader = await self._readers.get()
        loop = asyncio.get_running_loop()
        # The clock starts when the thread does: waiting for a place is not reading.
        interrupt = loop.call_later(READ_SECONDS, reader._conn.interrupt)
        reading = self._at_work("reading", reader, _in_one_moment(work))
        try:
            return await asyncio.shield(reading)
        except sqlite3.Error as error:
            log.exception("a read failed")
            raise _cannot_read() from error
        except asyncio.CancelledError:
            if reading.cancelled() and not is_cancelled():
                raise _cannot_read() from None
            raise
        finally:
            # A cancelled request leaves its statement running: the connection is free when that has ended.
            if reading.done():
                self._free(reader, interrupt)
            else:
                reading.add_done_callback(lambda _: self._free(reader, interrupt))
            # An error knows this frame, and the task knows the error.
            del reading

    def _free(self, reader: aiosqlite.Connection, interrupt: asyncio.TimerHandle) -> None:
        interrupt.cancel()
        if is_alive(reader):
            self._readers.put_nowait(reader)
        else:
            self._tasks.start("replacing a reader", self._replace(reader))

    async def _replace(self, dead: aiosqlite.Connection) -> None:
        self._open.discard(dead)
        with contextlib.suppress(sqlite3.Error):
            await close(dead)
        while True:
            try:
                self._readers.put_nowait(await self._new_reader())
            except (sqlite3.Error, OSError) as error:
                log.error("a database reader cannot be opened: %s", error)
                await asyncio.sleep(1)
            else:
                return

    async def _new_reader(self) -> aiosqlite.Connection:
        reader = await aiosqlite.Connection(lambda: open_connection(self.path, read_only=True), 64)
        self._open.add(reader)
        return reader

    async def _close_readers(self) -> None:
        for reader in self._open:
            await close(reader)

    def _at_work(
        self, name: str, connection: aiosqlite.Connection, work: Callable[[sqlite3.Connection], Result]
    ) -> asyncio.Task[Result]:
        task = self._tasks.start(name, run(connection, work), expects=(Exception,))
        self._working[task] = connection
        task.add_done_callback(self._working.pop)
        return task

    async def _watch_threads(self) -> None:
        """Fail the work of a dead thread, which would never end by itself, so that callers get an error."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            for task, connection in tuple(self._working.items()):
                if not is_alive(connection):
                    self._health.died("thread of the database", None)
                    task.cancel()

    async def _watch_files(self) -> None:
        """Nobody may be answered from a file that is in its place no more."""
        while True:
            await asyncio.sleep(WATCH_FILES_SECONDS)
            # Beside the loop: a network's file system may not answer.
            if lost := await asyncio.to_thread(self._files.lost):
                self._health.fail(lost)

    async def _write_groups(self) -> None:
        while True:
            group = [await self._queue.get()]
            while len(group) < GROUP and not self._queue.empty():
                group.append(self._queue.get_nowait())
            try:
                await self._write_group(group)
            finally:
                self.written += 1
                # Even if the writer fails, every caller gets an answer.
                if not group[0].is_on_disk:
                    self._must_reopen = True
                    self.failed_groups += 1
                with contextlib.ExitStack() as settling:
                    for write in reversed(group):
                        settling.callback(self._queue.task_done)
                        settling.callback(self._settle, write)

    async def _write_group(self, group: list[_Queued]) -> None:
        try:
            if self._must_reopen:
                await self._reopen()
            began = time.perf_counter()
            commit = partial(_commit_group, group=group, files=self._files, owner=self._owner)
            await self._at_work("writing", self._writer, partial(commit, is_heard=self.on_commit is not None))
            self.commit_seconds.observe(time.perf_counter() - began)
            self.group_size.observe(len(group))
        except _Lost as error:
            self._health.fail(str(error))
        except (sqlite3.Error, OSError) as error:
            log.error("a group of %d writes failed: %s", len(group), error)

    def _settle(self, write: _Queued) -> None:
        if not write.is_on_disk:
            write.error, write.changes, write.concerns, write.owed = _cannot_save(), [], [], set()
        try:
            if write.owed:
                self._tell(self.on_owed, write.owed)
            if self.on_commit:
                for change in write.changes:
                    change.__dict__["committed"] = time.time()
                    self._tell(self.on_commit, change)
            for concern in write.concerns:
                self._tell(self.on_account_event, concern)
        finally:
            if not write.future.done():
                if write.error is not None:
                    write.future.set_exception(write.error)
                else:
                    write.future.set_result(write.result)

    def _tell(self, told: Callable[[Told], None], what: Told) -> None:
        try:
            told(what)
        except CALLBACK_ERRORS as error:
            # Committed is committed: who could not be told will ask.
            self._health.died("announcing a change", error)

    def _refuse_all(self) -> None:
        """The process must end: nobody is kept waiting for a write that never comes."""
        while not self._queue.empty():
            self._settle(self._queue.get_nowait())
            self._queue.task_done()

    async def empty_wal(self) -> bool:
        """Empty the write-ahead log; False if a reader was in the way for 50 ms. Raises Unavailable."""
        try:
            is_busy = await self._at_work("truncating the WAL", self._writer, _truncate_wal)
        except sqlite3.Error as error:
            raise _cannot_save() from error
        return not is_busy

    async def _reopen(self) -> None:
        """After an I/O error a connection's view of the file may be wrong; a new one reads it afresh."""
        await close(self._writer)
        self._writer = await aiosqlite.Connection(lambda: open_connection(self.path), 64)
        self._must_reopen = False


def _cannot_read() -> Unavailable:
    return Unavailable("error.cannot_read", retry_after=1)


def _cannot_save() -> Unavailable:
    return Unavailable("error.cannot_save", retry_after=1)


def _in_one_moment(work: Callable[[sqlite3.Connection], Result]) -> Callable[[sqlite3.Connection], Result]:
    def reading(sql: sqlite3.Connection) -> Result:
        sql.execute("BEGIN")
        try:
            return work(sql)
        finally:
            if sql.in_transaction:
                sql.execute("ROLLBACK")

    return reading


def _truncate_wal(sql: sqlite3.Connection) -> bool:
    """Return whether a reader was in the way."""
    # All writes wait meanwhile, and a program that replicates the file reads it without an end.
    sql.execute(f"PRAGMA busy_timeout = {TRUNCATE_WAIT_MS}")
    try:
        return bool(sql.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0])
    finally:
        sql.execute(f"PRAGMA busy_timeout = {BUSY_MS}")


class _Lost(Exception):
    """What was committed went into a file that nobody will find."""


def _commit_group(
    sql: sqlite3.Connection, group: list[_Queued], files: database_files.Files, owner: Owner, *, is_heard: bool
) -> None:
    """Run every write of the group in its savepoint, then commit all. Its changes are made where somebody hears them.

    Raises sqlite3.Error, and then none is written; _Lost where it was written in vain, and OSError where nobody knows.
    """
    sql.execute("BEGIN IMMEDIATE")
    try:
        for queued in group:
            _run_in_savepoint(sql, queued, is_heard=is_heard)
        (version,) = sql.execute("SELECT version FROM clock").fetchone()
        sql.execute("COMMIT")
        if lost := files.lost():
            raise _Lost(lost)
        owner.reached(version)
        for queued in group:
            queued.is_on_disk = True
    except BaseException:
        if sql.in_transaction:
            sql.execute("ROLLBACK")
        raise


def _run_in_savepoint(sql: sqlite3.Connection, queued: _Queued, *, is_heard: bool) -> None:
    sql.execute("SAVEPOINT one")
    try:
        write = Write(sql)
        queued.result = queued.work(write)
        queued.changes, queued.concerns = write.changes() if is_heard else [], write.concerns
        queued.owed = write.owed
    except Exception as error:
        if not sql.in_transaction:
            # A full disk or an I/O error ended the whole transaction: what follows would run in autocommit.
            raise sqlite3.OperationalError(f"the transaction is gone: {error}") from error
        sql.execute("ROLLBACK TO one")
        queued.error, queued.changes, queued.concerns, queued.owed = _as_answer(plain(error)), [], [], set()
    sql.execute("RELEASE one")


def _as_answer(error: Exception) -> Exception:
    if isinstance(error, sqlite3.Error):
        log.error("a write failed: %s", error)
        return _cannot_save()
    if not isinstance(error, DomainError):
        log.error("a write failed", exc_info=error)
    return error
