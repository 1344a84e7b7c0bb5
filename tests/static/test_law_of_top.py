"""The law in the order Top: its ranking stays as the first page found it, while scores move and roots come and go."""

from __future__ import annotations

import contextlib
import random
from typing import Any

import pytest

from server.actions.moderate import set_state
from server.errors import Conflict
from server.model import State
from server.storage.comments import votes
from server.storage.engine.database import Database
from tests.moderator import moderator
from tests.static.histories import (
    History,
    assert_equal_to_fresh,
    catch_up,
    deliver_badly,
    histories,
    node,
    take_page,
    vote,
)

SEEDS = range(16)


async def happen(history: History) -> None:
    """More of what moves an order: votes, roots that arrive, are removed and restored."""
    chance = history.chance.random()
    if chance < 0.2:
        await history.post(None)
    elif chance < 0.5 and history.ids:
        id_, author = history.chance.choice(history.ids)
        voter = history.chance.choice([one for one in history.accounts if one != author])
        thread = await history.database.write(lambda write: vote(write, id_, voter.id, history.chance.choice((-1, 1))))
        await history.database.write(lambda write: votes.fold(write, thread))
    elif chance < 0.7 and history.ids:
        state: State = history.chance.choice(("visible", "removed"))
        with contextlib.suppress(Conflict):
            somebody = await moderator(history.database)
            await set_state(history.database, somebody, history.chance.choice(history.ids)[0], state)
    else:
        await history.happen()


async def bring(history: History, limit: int, replies: int, cursor: str = "") -> dict[str, Any]:
    page = await history.page(cursor, limit, sort="top", replies=replies)
    history.brought += [one["id"] for one in page["comments"] if not one["parent"]]
    return page


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_ranking_is_read_to_its_end_while_scores_move_and_roots_come_and_go(
    database: Database, seed: int
) -> None:
    chance = random.Random(seed)
    async with histories(database, seed, 1) as (history,), node() as stores:
        for _ in range(60):
            await happen(history)
        limit, replies = chance.choice((1, 4, 12)), chance.choice((0, 1, 3))
        await stores.ask("open", name="client", snapshot=await bring(history, limit, replies))
        history.told.clear()
        while True:
            for _ in range(chance.randrange(5) if len(history.ids) < 130 else 0):
                await happen(history)
            state = await stores.ask("state", name="client")
            doors = [(cut["cursor"], cut["root"]) for cut in state["cuts"]] + [(state["next"], None)]
            doors = [door for door in doors if door[0]]
            if not doors:
                break
            cursor, root = chance.choice(doors)
            # Built before the next things happen, and taken after: it may be older than the position.
            page = (
                await history.page(cursor, chance.choice((1, 3, 9)), sort="top", branch=root)
                if root
                else await bring(history, limit, replies, cursor)
            )
            for _ in range(chance.randrange(3)):
                await happen(history)
            await deliver_badly(history, stores, chance)
            await take_page(history, stores, page, cursor, root=root, sort="top")
        assert len(history.brought) == len(set(history.brought))
        await catch_up(history, stores, "client")
        await assert_equal_to_fresh(history, stores, "client", "top")


async def test_what_came_back_after_a_ranking_was_made_comes_after_all_that_it_holds(database: Database) -> None:
    async with histories(database, 1, 1) as (history,):
        for _ in range(6):
            await history.post(None)
        second, third, *_ = (id_ for id_, _ in history.ids[1:])
        await set_state(database, await moderator(database), second, "removed")
        page = await bring(history, 2, 0)
        await set_state(database, await moderator(database), second, "visible")
        await set_state(database, await moderator(database), third, "removed")
        await history.post(None)
        while page["next"]:
            page = await bring(history, 2, 0, page["next"])
        *ranked, back, new = history.brought
        assert (back, new) == (second, history.ids[-1][0])
        assert set(ranked) | {third} == {id_ for id_, _ in history.ids[:6]} - {second}
