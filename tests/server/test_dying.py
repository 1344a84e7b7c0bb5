"""Whatever befalls the writer, its thread, or a reader's: who waits is told, and the next is served."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiosqlite.core import _STOP_RUNNING_SENTINEL

from channels.messages import Change
from channels.tasks import Health
from server.errors import Unavailable
from server.storage.engine.database import Database
from server.storage.engine.write import Write
from server.storage.threads import threads
from tests.processes import eventually

ERRORS = [MemoryError(), RecursionError(), sqlite3.DatabaseError("database disk image is malformed"), StopIteration(),
          SystemExit(3), KeyboardInterrupt()]  # fmt: skip


def make(write: Write) -> int:
    thread = threads.ensure(write, "t")
    write.stamp(thread)
    return thread


def count(sql: sqlite3.Connection) -> int:
    return int(sql.execute("SELECT count(*) FROM threads").fetchone()[0])


@pytest.mark.parametrize("error", ERRORS, ids=repr)
async def test_a_write_that_fails_is_told_and_the_next_is_kept(database: Database, error: BaseException) -> None:
    def fail(_: Write) -> None:
        raise error

    failing, kept = database.write(fail), database.write(make)
    with pytest.raises((Exception,)) as told:
        await failing
    assert isinstance(told.value, Unavailable | MemoryError | RecursionError | RuntimeError)
    await kept
    assert await database.read(count) == 1


@pytest.mark.parametrize("error", ERRORS, ids=repr)
async def test_a_read_that_fails_is_told_and_the_next_is_answered(database: Database, error: BaseException) -> None:
    def fail(_: sqlite3.Connection) -> None:
        raise error

    for _ in range(5):
        with pytest.raises((Exception,)) as told:
            await database.read(fail)
        assert isinstance(told.value, Unavailable) is isinstance(error, sqlite3.Error)
    assert await database.read(count) == 0


async def test_an_error_in_telling_of_a_change_loses_no_other(database: Database) -> None:
    told: list[Change] = []

    def tell(change: Change) -> None:
        told.append(change)
        raise RecursionError

    database.on_commit = tell
    for _ in range(3):
        await database.write(make)
    assert len(told) == 3


async def opened_with(tmp_path: Path, damage: Callable[[Database], Any]) -> None:
    health = Health()
    async with Database.opened(tmp_path / "test.db", health) as database:
        await database.write(make)
        damage(database)

        async def works() -> bool:
            try:
                await database.write(make)
                await asyncio.gather(*(database.read(count) for _ in range(6)))
            except Unavailable:
                return False
            return True

        await eventually(works)
        assert await database.read(count) == 1
    assert health.failure is None
    assert health.deaths


async def test_a_writer_whose_thread_dies_is_opened_again(tmp_path: Path) -> None:
    await opened_with(tmp_path, lambda database: end_thread(database._writer))


def end_readers(database: Database) -> None:
    for reader in database._open:
        end_thread(reader)


async def test_a_reader_whose_thread_dies_is_opened_again(tmp_path: Path) -> None:
    await opened_with(tmp_path, end_readers)


def end_thread(connection: Any) -> None:
    """The thread ends without closing anything: what it is given afterwards is never done."""
    connection._tx.put_nowait((None, lambda: _STOP_RUNNING_SENTINEL))
    connection._thread.join()


async def test_a_writer_that_is_cancelled_answers_who_waits_and_goes_on(tmp_path: Path) -> None:
    def cancel(_: Database) -> None:
        for task in asyncio.all_tasks():
            if task.get_name() == "writer":
                task.cancel()

    await opened_with(tmp_path, cancel)


async def test_a_writer_that_cannot_be_saved_refuses_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    health = Health()
    async with Database.opened(tmp_path / "test.db", health) as database:

        async def fail(*_: object) -> None:
            raise RuntimeError

        monkeypatch.setattr(database, "_write_group", fail)

        async def is_over() -> bool:
            with pytest.raises(Unavailable):
                await database.write(make)
            return health.failure is not None

        await eventually(is_over)
