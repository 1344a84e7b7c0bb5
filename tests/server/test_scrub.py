"""What was erased leaves the search's index in steps, so that writes pass between them however large it is."""

from __future__ import annotations

import random
from functools import partial
from typing import Any

import pytest

from channels.tasks import Health
from server.actions import sign_in
from server.background_jobs import Upkeep
from server.model import Account
from server.storage import search
from server.storage.comments import comments
from server.storage.comments.comments import NewComment
from server.storage.engine.database import Database
from server.storage.engine.write import Write
from server.storage.jobs import erasure
from server.storage.threads import threads
from tests.processes import eventually

# Letters that nothing else is written in.
ERASED = "ⵣⵥⵯⴱⴳⴷ"


def fill(write: Write, author: int, chance: random.Random, mark: str = "") -> None:
    thread = threads.ensure(write, "t")
    for number in range(400):
        body = "".join(chance.choices("abcdefghijklmnopqrstuvwxyz     ", k=200)) + (mark if number % 40 == 0 else "")
        comments.insert(write, NewComment(thread, None, 0, author, body, body, 0))


def erase_the_marked(write: Write) -> None:
    for (id_,) in write.sql.execute("SELECT id FROM comments WHERE body LIKE '%' || ?", (ERASED,)).fetchall():
        erasure.comment(write, id_)


def holds_what_was_erased(sql: Any) -> bool:
    mark = ERASED[0].encode()
    return any(mark in block for (block,) in sql.execute("SELECT block FROM search_data"))


@pytest.fixture
async def author(database: Database) -> Account:
    made = await sign_in.create_account(database, "Ana", None, "reader")
    assert made is not None
    return made


async def test_the_index_is_rewritten_in_bounded_steps(
    database: Database, author: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure, "PAGES_IN_ONE_WRITE", 4)
    chance = random.Random(7)
    for _ in range(6):
        await database.write(partial(fill, author=author.id, chance=chance, mark=ERASED))
        while await database.write(search.index_some):
            pass
    await database.write(erase_the_marked)
    assert await database.read(holds_what_was_erased)

    costs: list[int] = []

    def step(write: Write) -> bool:
        before = write.sql.total_changes
        is_more = erasure.scrub_some(write)
        costs.append(write.sql.total_changes - before)
        return is_more

    await database.write(erasure.begin_scrub)
    while await database.write(step):
        pass
    assert not await database.read(holds_what_was_erased)
    assert len(costs) > 10
    # But for the last, with which the list of the pages before goes.
    assert sorted(costs)[-2] < 100


async def test_what_is_erased_while_the_index_is_rewritten_leaves_it_as_well(
    database: Database, author: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.background_jobs.SCRUB_SECONDS", 0.0)
    chance = random.Random(8)
    scrub_some, late = erasure.scrub_some, [True]

    def step(write: Write) -> bool:
        if late:
            late.clear()
            erase_the_marked(write)
        return scrub_some(write)

    await database.write(partial(fill, author=author.id, chance=chance, mark=ERASED))
    while await database.write(search.index_some):
        pass
    monkeypatch.setattr(erasure, "scrub_some", step)

    async def is_gone() -> bool:
        return not late and not await database.read(holds_what_was_erased)

    async with Upkeep(database, Health()).running():
        await eventually(is_gone)
