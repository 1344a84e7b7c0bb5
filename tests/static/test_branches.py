"""The law where branches are cut, and how many comments wait behind each cut."""

from __future__ import annotations

import json
import random

import pytest

from server.actions.delete import delete_comment
from server.storage.engine.database import Database
from tests.static.histories import History, assert_equal_to_fresh, catch_up, deliver_badly, histories, node, take_page

SEEDS = range(12)


@pytest.mark.parametrize("seed", SEEDS)
async def test_branches_are_opened_part_by_part_while_comments_arrive_and_go(database: Database, seed: int) -> None:
    chance = random.Random(seed)
    sort = chance.choice(("oldest", "newest"))
    async with histories(database, seed, 1) as (history,), node() as stores:
        await grow(history, 60)
        limit, replies = chance.choice((1, 8, 30)), chance.choice((1, 2, 4))
        first = await history.page(limit=limit, sort=sort, replies=replies)
        await stores.ask("open", name="client", snapshot=first)
        await assert_equal_to_fresh(history, stores, "client", sort)
        history.told.clear()
        cut_branches = 0
        while True:
            for _ in range(chance.randrange(6) if len(history.ids) < 160 else 0):
                await history.happen()
            state = await stores.ask("state", name="client")
            cut_branches = max(cut_branches, len(state["cuts"]))
            doors = [(cut["cursor"], cut["root"]) for cut in state["cuts"]] + [(state["next"], None)]
            doors = [door for door in doors if door[0]]
            if not doors:
                break
            cursor, root = chance.choice(doors)
            # Built before the next things happen, and taken after: it may be older than the position.
            page = (
                await history.page(cursor, chance.choice((1, 3, 9)), sort=sort, branch=root)
                if root
                else await history.page(cursor, limit, sort=sort, replies=replies)
            )
            for _ in range(chance.randrange(3)):
                await history.happen()
            await deliver_badly(history, stores, chance)
            await take_page(history, stores, page, cursor, root=root, sort=sort)
        assert cut_branches
        await catch_up(history, stores, "client")
        await assert_equal_to_fresh(history, stores, "client", sort)


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_branch_that_is_entered_midway_never_counts_wrongly(database: Database, seed: int) -> None:
    """Its number is the server's until something happens in the branch; then there is none until the next part."""
    chance = random.Random(seed)
    async with histories(database, seed, 1) as (history,), node() as stores:
        await grow(history, 80)
        first = await history.page(limit=1, replies=3)
        while not first["cuts"]:
            first = await history.page(first["next"], 1, replies=3)
        ((root, cut),) = first["cuts"].items()
        part = await history.page(cut["cursor"], 5, branch=int(root))
        start = part["start"]
        await stores.ask("open", name="client", snapshot=part | {"comments": part["context"] + part["comments"]})
        for _ in range(30):
            history.told.clear()
            for _ in range(chance.randrange(3)):
                await history.happen()
            await catch_up(history, stores, "client")
            state = await stores.ask("state", name="client")
            if not state["cuts"]:
                break
            ((shown, cursor, hidden),) = [tuple(cut.values()) for cut in state["cuts"]]
            assert shown == int(root)
            fresh = await history.fresh(stores, f"{root}~", {shown: int(cursor)})
            assert hidden in (fresh["hidden"][shown], None)
            path, above = (
                await history.paths(),
                [(int(time), int(id_)) for time, id_ in (key.split("-") for key in start.split("."))],
            )
            shown_above = {id_ for _, id_ in above}
            after = [one for one in fresh["drawn"] if path(one["id"]) > above and one["state"] == "visible"]
            drawn = [one for one in state["drawn"] if one["id"] not in shown_above]
            assert after == [one for one in drawn if one["state"] == "visible"]
            part = await history.page(cursor, 2, branch=shown)
            await stores.ask("page", name="client", page=part, cursor=cursor, root=shown)
            if part["cuts"]:
                state = await stores.ask("state", name="client")
                assert state["cuts"][0]["hidden"] == part["cuts"][root]["count"]


async def test_an_own_reply_changes_no_number_of_what_waits_until_its_echo_and_after(database: Database) -> None:
    async with histories(database, 1, 1) as (history,), node() as stores:
        await history.post(None)
        (root, _), *_ = history.ids
        for _ in range(8):
            await history.post(root)
        await history.post(None)
        await history.post(None)
        await stores.ask("open", name="client", snapshot=await history.page(limit=1, replies=2))
        before = await stores.ask("state", name="client")
        history.told.clear()
        await history.post(history.ids[1][0])
        change = json.loads(history.told[0].frame)
        (own,) = [one for one in change["comments"] if one["id"] == history.ids[-1][0]]
        await stores.ask("answer", name="client", comment=own)
        after = await stores.ask("state", name="client")
        assert (after["cuts"], after["behind"]) == (before["cuts"], before["behind"])
        assert (after["count"], len(after["drawn"])) == (before["count"] + 1, len(before["drawn"]) + 1)
        assert await stores.ask("apply", name="client", change=change) == "applied"
        await assert_equal_to_fresh(history, stores, "client")
        # One that stands behind the cut waits there at once.
        history.told.clear()
        await history.post(root)
        change = json.loads(history.told[0].frame)
        (own,) = [one for one in change["comments"] if one["id"] == history.ids[-1][0]]
        await stores.ask("answer", name="client", comment=own)
        (cut,) = (await stores.ask("state", name="client"))["cuts"]
        assert cut["hidden"] == before["cuts"][0]["hidden"] + 1
        assert await stores.ask("apply", name="client", change=change) == "applied"
        await assert_equal_to_fresh(history, stores, "client")


async def test_a_dead_root_stands_while_something_waits_behind_its_link(database: Database) -> None:
    async with histories(database, 1, 1) as (history,), node() as stores:
        await history.post(None)
        for _ in range(8):
            await history.post(history.ids[0][0])
        page = await history.page(replies=2)
        await stores.ask("open", name="client", snapshot=page)
        (root, author), first, second, *behind = history.ids
        for id_, by in ((root, author), first, second):
            await delete_comment(database, by, id_)
            await catch_up(history, stores, "client")
            await assert_equal_to_fresh(history, stores, "client")
        for id_, by in behind:
            state = await stores.ask("state", name="client")
            assert [one["id"] for one in state["drawn"]] == [root]
            history.told.clear()
            await delete_comment(database, by, id_)
            assert root in await stores.ask("touched", name="client", change=json.loads(history.told[0].frame))
            await assert_equal_to_fresh(history, stores, "client")
        assert (await stores.ask("state", name="client"))["drawn"] == []


async def grow(history: History, count: int) -> None:
    """Let a few roots have long branches."""
    for _ in range(3):
        await history.post(None)
    for _ in range(count):
        await history.post(history.chance.choice(history.ids)[0])
    for _ in range(count // 3):
        await history.happen()
