"""What is owed is done: once, later, or again, whatever befalls it, and whatever befalls the rest of it."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from channels.tasks import Health
from server.background_jobs import Upkeep
from server.errors import Unavailable
from server.storage.engine.database import Database
from server.storage.jobs import outbox
from server.storage.jobs.outbox import Job
from server.storage.threads import threads
from tests.processes import eventually


class Post:
    """A handler that reaches another server, as one would for e-mail: it fails as often as it is told to."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.tried: list[int] = []
        self.sent: list[int] = []

    async def __call__(self, job: Job) -> bool:
        self.tried.append(job.subject)
        await asyncio.sleep(0)
        if self.failures:
            raise self.failures.pop(0)
        self.sent.append(job.subject)
        return False


def owe(subject: int, due: int = 0) -> partial[None]:
    return partial(outbox.add, kind="post", subject=subject, due=due)


async def owed(database: Database) -> int:
    return (await database.read(outbox.backlog)).jobs


@pytest.fixture
async def upkeep(database: Database) -> AsyncIterator[Upkeep]:
    made = Upkeep(database, Health())
    async with made.running():
        yield made


async def test_a_job_is_done_once_and_forgotten(database: Database, upkeep: Upkeep) -> None:
    post = upkeep.handlers["post"] = Post()
    for subject in range(20):
        await database.write(owe(subject))
    await eventually(lambda: len(post.sent) == 20)
    await eventually(lambda: is_free(database))
    assert sorted(post.tried) == list(range(20))


async def test_a_job_is_not_done_before_its_time(database: Database, upkeep: Upkeep) -> None:
    post = upkeep.handlers["post"] = Post()
    await database.write(owe(1, due=int(time.time() * 1000) + 3_600_000))
    await database.write(owe(2, due=int(time.time() * 1000) + 100))
    await database.write(owe(3))
    await eventually(lambda: len(post.sent) == 2)
    assert post.sent == [3, 2]

    async def is_one_left() -> bool:
        return await owed(database) == 1

    await eventually(is_one_left)


@pytest.mark.parametrize(
    "error", [OSError("away"), MemoryError(), Unavailable("error.cannot_save"), TimeoutError()], ids=repr
)
async def test_a_job_that_fails_is_tried_again_and_holds_up_no_other(
    database: Database, upkeep: Upkeep, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "FIRST_RETRY_MS", 1)
    post = upkeep.handlers["post"] = Post(error, error)
    await database.write(owe(1))
    await eventually(lambda: len(post.tried) >= 2)
    await database.write(owe(2))
    await eventually(lambda: sorted(post.sent) == [1, 2])
    await eventually(lambda: is_free(database))


async def is_free(database: Database) -> bool:
    return await owed(database) == 0


async def test_a_failure_is_kept_and_counted_and_the_pauses_grow(database: Database) -> None:
    upkeep = Upkeep(database, Health())
    upkeep.handlers["post"] = Post(*[OSError("the mail server is away")] * 9)
    await database.write(owe(1))
    waits = []
    for _ in range(3):
        await upkeep.finish()
        attempts, error, due = await database.read(
            lambda sql: sql.execute("SELECT attempts, error, due FROM jobs").fetchone()
        )
        waits.append(due - time.time() * 1000)
        await database.write(lambda write: write.sql.execute("UPDATE jobs SET due = 0"))
    assert (attempts, error) == (3, "OSError: the mail server is away")
    assert waits == sorted(waits)
    assert (await database.read(outbox.backlog)).failing == 1


async def test_a_job_that_a_crash_left_in_the_middle_is_done_by_the_next_owner(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    async with Database.opened(path) as database:
        await database.write(owe(7))
        # Leased, and then the process is gone.
        assert await database.write(outbox.claim) is not None
        assert await database.write(outbox.claim) is None
    async with Database.opened(path) as database:
        upkeep = Upkeep(database, Health())
        post = upkeep.handlers["post"] = Post()
        async with upkeep.running():
            await eventually(lambda: post.sent == [7])


async def test_a_lease_that_a_clock_gave_before_it_jumped_back_holds_nothing(database: Database) -> None:
    await database.write(owe(1))
    await database.write(outbox.claim)
    assert await database.write(outbox.claim) is None
    await database.write(lambda write: write.sql.execute("UPDATE jobs SET leased = leased + 86400000"))
    assert (await database.read(outbox.seconds_to_next) or 0) <= 0
    assert await database.write(outbox.claim) is not None


async def test_a_chore_that_dies_for_ever_harms_no_other_and_is_seen(database: Database) -> None:
    health, failing = Health(), list[int]()
    upkeep = Upkeep(database, health)

    async def fail() -> None:
        failing.append(1)
        raise sqlite3.DatabaseError("database disk image is malformed")

    upkeep.add("failing", fail)
    post = upkeep.handlers["post"] = Post()
    async with upkeep.running():
        await eventually(lambda: len(failing) > 7)
        await database.write(owe(1))
        await eventually(lambda: post.sent == [1])
    assert health.failure is None
    assert health.restarts["upkeep: failing"] >= 7


async def test_a_full_disk_makes_a_chore_wait_and_is_no_death(database: Database) -> None:
    health, tried = Health(), list[int]()
    upkeep = Upkeep(database, health)

    async def refuse() -> None:
        tried.append(1)
        if len(tried) == 1:
            raise Unavailable("error.cannot_save")

    upkeep.add("refused", refuse)
    async with upkeep.running():
        await eventually(lambda: len(tried) == 2)
    assert not health.deaths


async def test_what_a_write_owes_wakes_nobody_where_it_was_refused(database: Database) -> None:
    told: list[set[str]] = []
    database.on_owed = lambda owed: told.append(set(owed))

    def fail(write: object) -> None:
        owe(1)(write)
        raise Unavailable("error.cannot_save")

    with pytest.raises(Unavailable):
        await database.write(fail)
    assert (told, await owed(database)) == ([], 0)
    await database.write(lambda write: write.stamp(threads.ensure(write, "t")))
    assert told == [{"index"}]
