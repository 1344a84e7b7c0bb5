"""The owner's lock knows a database that was put in the place of a later one, whoever put it there."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from server.actions import sign_in
from server.errors import CannotStart
from server.storage.engine.connection import run
from server.storage.engine.database import Database
from server.storage.engine.write import Write


async def write(path: Path, times: int) -> str:
    """Own the database for that many versions; return its epoch."""

    def one(work: Write) -> int:
        return work.version

    async with Database.opened(path) as database:
        for _ in range(times):
            await database.write(one)
        return str(await database.read(lambda sql: sql.execute("SELECT epoch FROM clock").fetchone()[0]))


def copy(path: Path, to: Path) -> None:
    """What a program that follows the file would bring back: the database, and nothing from beside it."""
    with contextlib.closing(sqlite3.connect(path)) as source, contextlib.closing(sqlite3.connect(to)) as target:
        source.backup(target)


async def test_a_database_keeps_its_epoch_where_it_lives(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    assert await write(path, 0) == await write(path, 3) == await write(path, 0)


async def test_a_database_that_was_brought_to_another_host_has_a_new_epoch(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    epoch = await write(tmp_path / "test.db", 3)
    copy(tmp_path / "test.db", tmp_path / "other" / "test.db")
    renewed = await write(tmp_path / "other" / "test.db", 0)
    assert renewed != epoch
    assert await write(tmp_path / "other" / "test.db", 1) == renewed


async def test_an_older_database_in_the_place_of_a_later_one_has_a_new_epoch(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    epoch = await write(path, 3)
    copy(path, tmp_path / "copy")
    assert await write(path, 1) == epoch
    (tmp_path / "copy").replace(path)
    # It comes as far as the one before, with other writes.
    assert await write(path, 1) != epoch


async def test_a_database_of_another_epoch_has_a_new_one(tmp_path: Path) -> None:
    path, other = tmp_path / "test.db", tmp_path / "other.db"
    await write(path, 1)
    epoch = await write(other, 5)
    copy(other, path)
    assert await write(path, 0) != epoch


async def test_a_database_that_came_back_as_it_was_left_keeps_its_epoch(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    epoch = await write(path, 3)
    copy(path, tmp_path / "copy")
    (tmp_path / "copy").replace(path)
    assert await write(path, 1) == epoch


async def test_a_lock_from_a_failed_start_is_not_taken_for_one_of_an_earlier_program(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    path = tmp_path / "other" / "test.db"
    epoch = await write(tmp_path / "test.db", 3)
    path.write_bytes(b"no database " * 100)
    with pytest.raises(CannotStart):
        await write(path, 0)
    path.unlink()
    copy(tmp_path / "test.db", path)
    assert await write(path, 0) != epoch


async def test_who_reads_without_an_end_keeps_no_write_waiting_for_seconds(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    patience: list[int] = []

    def ask(sql: sqlite3.Connection) -> None:
        patience.extend(sql.execute("PRAGMA busy_timeout").fetchone())

    async with Database.opened(path) as database:
        sql = database._writer._conn
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as follower:
            follower.execute("BEGIN")
            follower.execute("SELECT count(*) FROM accounts").fetchone()
            await sign_in.create_account(database, "Ana", None, "reader")
            sql.set_trace_callback(lambda said: ask(sql) if "TRUNCATE" in said else None)
            assert not await database.empty_wal()
            sql.set_trace_callback(None)
        await run(database._writer, ask)
        assert await database.empty_wal()
    # At the checkpoint, and afterwards.
    assert patience == [50, 10_000]
