"""The rhythm in which votes move scores, against a real database."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from channels.messages import Change
from channels.rooms import fan_out
from channels.tasks import Health, Tasks
from server.actions import sign_in, vote
from server.actions.edit import edit_comment
from server.actions.post import Post, post_comment
from server.model import Account
from server.rate_limits import Limits
from server.settings import read
from server.storage.comments import comments, votes
from server.storage.engine.database import Database
from server.storage.threads import threads

SETTINGS = read({"LIVETHREAD_SECRET": "a-secret-of-the-tests", "LIVETHREAD_LIMITS": "off"})
LIMITS = Limits(is_on=False)
COMMENTS = 5


def test_no_reader_sees_scores_move_twice_in_a_second() -> None:
    # While a sweep takes no longer than an eighth of a second.
    longest_tick = max(fan_out.TICK_SECONDS, fan_out.TICKS_A_SWEEP / 8)
    assert 1 + longest_tick <= vote.FOLD_SECONDS


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
        return (await database.read(lambda sql: comments.seen_by(sql, None, id_)[1])).score

    async with Tasks(Health()) as tasks:
        taken = vote.Votes(database, LIMITS, SETTINGS, tasks)
        first = await taken.cast(voters[0], ids[0], 1)
        assert (first.score, len(told)) == (1, 1)
        answers = await asyncio.gather(*(taken.cast(one, ids[n % COMMENTS], 1) for n, one in enumerate(voters)))
        await taken.cast(voters[1], ids[1], -1)
        assert any(isinstance(one.score, int) and one.score > 1 for one in answers)
        assert len(told) == 1
        # The votes that wait make no edit stale.
        edited = await edit_comment(database, LIMITS, SETTINGS, author, ids[0], "other words", 1)
        assert (edited.revision, len(told)) == (2, 2)
        assert [await score(id_) for id_ in ids] == [1, 0, 0, 0, 0]
        monkeypatch.setattr(vote, "FOLD_SECONDS", 0.0)
        await taken.fold_what_was_left()
        assert [await score(id_) for id_ in ids] == [6, 4, 6, 6, 6]
        assert len(told) == 3
        assert {(one.id, one.score) for one in told[-1].comments} == set(zip(ids, [6, 4, 6, 6, 6], strict=True))


async def test_an_accounts_votes_of_a_thread_are_found_from_either_side(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With more votes than the thread has comments, and with fewer."""
    monkeypatch.setattr(vote, "FOLD_SECONDS", 3600.0)
    author, voter, other = [await account(database, name) for name in ("Author", "Voter", "Other")]
    ids: dict[str, list[int]] = {"small": [], "large": []}
    for number in range(12):
        key = "small" if number < 2 else "large"
        wanted = Post(key, "words", f"either-{number:016d}", None, "")
        ids[key].append((await post_comment(database, LIMITS, SETTINGS, author, wanted))[0].id)
    values = {**dict.fromkeys(ids["small"], 1), **dict.fromkeys(ids["large"][:3], -1)}
    async with Tasks(Health()) as tasks:
        taken = vote.Votes(database, LIMITS, SETTINGS, tasks)
        for id_, value in values.items():
            await taken.cast(voter, id_, value)
            await taken.cast(other, id_, 1)
        for key, held in ids.items():
            cast, owed = await database.read(
                lambda sql: votes.of_account(sql, voter.id, threads.by_key(sql, key))  # noqa: B023
            )
            assert cast == {id_: value for id_, value in values.items() if id_ in held}
            # The first vote of a thread is counted at once.
            assert owed.items() <= cast.items()
            assert len(owed) >= len(cast) - 1
        found = await database.read(lambda sql: votes.of_account(sql, voter.id, threads.by_key(sql, "nowhere")))
        assert found == ({}, {})
