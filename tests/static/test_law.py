"""The law: a snapshot at A, plus the changes after A, equals a fresh snapshot. Through the real store.js, in Node."""

from __future__ import annotations

import json
import random

import pytest

from server.storage.engine.database import Database
from tests.static.histories import assert_equal_to_fresh, catch_up, deliver_badly, histories, node, take_page

SEEDS = range(12)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.scenario(16)
async def test_changes_lost_doubled_reordered_and_merged_end_equal_to_a_fresh_snapshot(
    database: Database, seed: int
) -> None:
    chance = random.Random(seed)
    async with histories(database, seed, 2) as (history, other), node() as stores:
        for _ in range(20):
            await history.happen()
        await stores.ask("open", name="client", snapshot=await history.page())
        history.told.clear()
        for _ in range(12):
            for _ in range(chance.randrange(1, 8)):
                await history.happen()
                await other.happen()
            await deliver_badly(history, stores, chance)
        await catch_up(history, stores, "client")
        await assert_equal_to_fresh(history, stores, "client")


@pytest.mark.parametrize("seed", SEEDS)
async def test_paging_while_comments_arrive_and_go_ends_equal_to_a_fresh_snapshot(
    database: Database, seed: int
) -> None:
    chance = random.Random(seed)
    async with histories(database, seed, 1) as (history,), node() as stores:
        for _ in range(40):
            await history.happen()
        limit = chance.choice((1, 3, 7, 15))
        await stores.ask("open", name="client", snapshot=await history.page(limit=limit))
        history.told.clear()
        for _ in range(200):
            for _ in range(chance.randrange(3) if len(history.ids) < 120 else 0):
                await history.happen()
            state = await stores.ask("state", name="client")
            if not state["next"]:
                break
            # Built before the next things happen, and taken after: the page may be older than the position.
            page = await history.page(state["next"], limit)
            if chance.random() < 0.5:
                await history.happen()
            await deliver_badly(history, stores, chance)
            await take_page(history, stores, page, state["next"])
        await catch_up(history, stores, "client")
        state = await stores.ask("state", name="client")
        assert state["next"] == ""
        assert state["behind"] == 0
        await assert_equal_to_fresh(history, stores, "client")


async def test_another_epoch_resets_and_a_reset_equals_a_fresh_snapshot(database: Database) -> None:
    async with histories(database, 1, 1) as (history,), node() as stores:
        for _ in range(30):
            await history.happen()
        await stores.ask("open", name="client", snapshot=await history.page(limit=5) | {"epoch": "of before"})
        assert await stores.ask("apply", name="client", change=await history.diff(0)) == "reset"
        await stores.ask("reset", name="client", snapshot=await history.page())
        await assert_equal_to_fresh(history, stores, "client")


@pytest.mark.scenario(17)
async def test_the_answer_to_an_own_post_and_its_echo_are_one_comment_in_either_order(database: Database) -> None:
    async with histories(database, 2, 1) as (history,), node() as stores:
        await stores.ask("open", name="answer first", snapshot=await history.page())
        await stores.ask("open", name="echo first", snapshot=await history.page())
        await history.happen()
        echo = json.loads(history.told[0].frame)
        comment = echo["comments"][0]
        await stores.ask("answer", name="answer first", comment=comment)
        assert (await stores.ask("state", name="answer first"))["version"] == 0
        for name in ("answer first", "echo first"):
            assert await stores.ask("apply", name=name, change=echo) == "applied"
        await stores.ask("answer", name="echo first", comment=comment)
        for name in ("answer first", "echo first"):
            await assert_equal_to_fresh(history, stores, name)
