"""Erasing goes on beside requests: whoever asked for it is answered before, and a crash in between loses nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from channels.messages import Change
from channels.tasks import Health
from server.actions import sign_in
from server.actions.delete import delete_comment
from server.background_jobs import Upkeep
from server.model import Account
from server.storage.accounts import accounts
from server.storage.engine.database import Database
from server.storage.engine.write import Write
from server.storage.jobs import batches, outbox
from tests.processes import eventually
from tests.server.test_erasure import everything, quote, say, shown
from tests.upkept import finish


@pytest.fixture
async def people(database: Database) -> list[Account]:
    made = [await sign_in.create_account(database, name, None, "reader") for name in ("Ana", "Bo")]
    return [one for one in made if one is not None]


async def test_a_deletion_is_answered_after_one_write_however_many_quote_it(
    database: Database, people: list[Account], monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, bo, *_ = people
    source = await say(database, ana, "flibbertigibbet")
    quoting = [await say(database, bo, quote("flibbertigibbet", source) + str(n)) for n in range(230)]
    writes: list[int] = []
    write = database.write

    async def counted(work: Callable[[Write], Any]) -> Any:
        writes.append(1)
        return await write(work)

    monkeypatch.setattr(database, "write", counted)
    told: list[Change] = []
    database.on_commit = told.append
    await delete_comment(database, ana, source)
    assert len(writes) == 1
    # Nobody is shown the words from now on, also where they are not erased yet.
    assert all(["gibbet" not in await shown(database, id_) for id_ in (source, *quoting)])
    await finish(database)
    assert "gibbet" not in await everything(database)
    assert {one.id for change in told for one in change.comments} == {source, *quoting}


async def test_an_account_whose_closing_was_cut_short_is_erased_by_the_next_owner(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    async with Database.opened(path) as database:
        ana, bo = [await sign_in.create_account(database, name, None, "reader") for name in ("Ana", "Bo")]
        assert ana is not None
        assert bo is not None
        sources = [await say(database, ana, f"flibbertigibbet {number}") for number in range(230)]
        quoting = [await say(database, bo, quote("flibbertigibbet", sources[0]) + str(n)) for n in range(230)]
        told: list[Change] = []
        database.on_commit = told.append

        def first(write: Write) -> None:
            accounts.close(write, ana.id)
            batches.begin(write, "erase account", ana.id)

        await database.write(first)
    async with Database.opened(path) as database:
        database.on_commit = told.append
        async with Upkeep(database, Health()).running():

            async def is_through() -> bool:
                owed = await database.read(outbox.backlog)
                return owed.jobs == 0 and "gibbet" not in await everything(database)

            await eventually(is_through)
        assert {one.id for change in told for one in change.comments} == {*sources, *quoting}
        assert max(len(change.comments) for change in told) <= 202


async def test_what_is_erased_leaves_the_bytes_of_the_file_in_a_moment(
    database: Database, people: list[Account]
) -> None:
    async with Upkeep(database, Health()).running():
        for word in (b"flibbertigibbet", b"quetzalcoatl"):
            source = await say(database, people[0], word.decode())

            def is_in_a_file(word: bytes = word) -> bool:
                return any(word in path.read_bytes() for path in database.path.parent.glob(f"{database.path.name}*"))

            assert is_in_a_file()
            await delete_comment(database, people[0], source)
            await eventually(lambda: not is_in_a_file())
