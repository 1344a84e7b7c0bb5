"""The rhythm in which votes move scores, against a real database."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from channels import fan_out
from channels.change import Change
from server.actions import sign_in, vote
from server.actions.edit import edit_comment
from server.actions.post import Post, post_comment
from server.limits import Limits
from server.model import Account
from server.settings import read
from server.storage import rows
from server.storage.database import Database

SETTINGS = read({"LIVETHREAD_SECRET": "a-secret-of-the-tests", "LIVETHREAD_LIMITS": "off"})
LIMITS = Limits(is_on=False)
COMMENTS = 5


def test_no_reader_sees_scores_move_twice_in_a_second() -> None:
    longest_tick = max(fan_out.TICK_SECONDS, fan_out.TICKS_A_SWEEP * fan_out.MAX_SWEEP_SECONDS)
    assert 1 + longest_tick <= vote.FOLD_SECONDS


class Over(Exception):
    """Ends what still waits."""


@contextlib.asynccontextmanager
async def group() -> AsyncIterator[asyncio.TaskGroup]:
    try:
        async with asyncio.TaskGroup() as tasks:
            yield tasks
            raise Over
    except* Over:
        pass


async def account(database: Database, name: str) -> Account:
    made = await sign_in.create_account(database, name, None, "reader")
    assert made is not None
    return made


async def test_votes_of_one_second_move_the_scores_of_a_thread_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A second that does not end before the test.
    monkeypatch.setattr(vote, "FOLD_SECONDS", 3600.0)
    author = await account(database, "Author")
    posts = [Post("t", "words", f"nonce-{number:016d}", None, "") for number in range(COMMENTS)]
    ids = [(await post_comment(database, LIMITS, SETTINGS, author, post))[0].id for post in posts]
    voters = [await account(database, f"voter {number}") for number in range(30)]
    told: list[Change] = []
    database.on_commit = told.append

    async def score(id_: int) -> Any:
        return (await database.read(lambda sql: rows.public(sql, id_))).score

    async with group() as tasks:
        taken = vote.Votes(database, LIMITS, SETTINGS, tasks)
        first = await taken.cast(voters[0], ids[0], 1)
        assert (first.score, len(told)) == (1, 1)
        answers = await asyncio.gather(*(taken.cast(one, ids[n % COMMENTS], 1) for n, one in enumerate(voters)))
        assert await taken.cast(voters[1], ids[1], -1)
        assert max(int(one.score) for one in answers) > 1
        assert len(told) == 1
        # The votes that wait make no edit stale.
        edited = await edit_comment(database, LIMITS, SETTINGS, author, ids[0], "other words", 1)
        assert (edited.revision, len(told)) == (2, 2)
        assert [await score(id_) for id_ in ids] == [1, 0, 0, 0, 0]
        await taken.fold_what_was_left()
        assert [await score(id_) for id_ in ids] == [6, 4, 6, 6, 6]
        assert len(told) == 3
        assert {(one.id, one.score) for one in told[-1].comments} == set(zip(ids, [6, 4, 6, 6, 6], strict=True))
