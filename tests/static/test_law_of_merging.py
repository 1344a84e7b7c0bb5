"""The law, while one thread goes into another: few comments a write, and everything else happens in between."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from msgspec import UNSET

from channels.tasks import Health
from server.actions.sites import merge_threads
from server.background_jobs import Upkeep
from server.storage.engine.database import Database
from server.storage.threads import merging, threads
from tests.static.histories import assert_equal_to_fresh, catch_up, deliver_badly, node
from tests.static.test_law_of_threads import World, assert_counts_are_exact


@pytest.mark.parametrize("seed", range(6))
async def test_stores_end_equal_to_fresh_snapshots_while_one_thread_goes_into_another(
    database: Database, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merging, "ROWS_IN_ONE_WRITE", 2)
    world = World(database, seed)
    for _ in range(5):
        await world.enter()
    async with contextlib.AsyncExitStack() as stack:
        stores = await stack.enter_async_context(node())
        for _ in range(60):
            await world.happen()
        into, gone, other = world.histories
        for history in world.histories:
            await stores.ask("open", name=history.key, snapshot=await history.page(limit=1000))
            history.told.clear()
        before = await database.read(lambda sql: sql.execute("SELECT count(*) FROM comments").fetchone())

        assert await merge_threads(database, gone.key, into.key) == (gone.key, into.key)
        (led,) = [change for change in gone.told if change.info.moved is not UNSET]
        assert (led.info.moved, led.comments) == (into.key, ())
        # Who was away is told the same, from wherever they stand.
        assert (await gone.diff(0))["info"]["moved"] == into.key

        upkeep = Upkeep(database, Health())
        for _ in range(8):
            await asyncio.gather(upkeep.finish(), *(world.happen() for _ in range(world.chance.randrange(1, 12))))
            for history in (into, other):
                await deliver_badly(history, stores, world.chance, history.key)
                await catch_up(history, stores, history.key)
                await assert_equal_to_fresh(history, stores, history.key)
        left, present = await database.read(
            lambda sql: (
                sql.execute("SELECT 1 FROM comments c JOIN threads t ON t.id = c.thread AND t.merged").fetchone(),
                sql.execute("SELECT count(*) FROM comments").fetchone(),
            )
        )
        assert left is None
        assert present >= before
    await assert_counts_are_exact(database)


@pytest.mark.parametrize("seed", range(4))
async def test_every_step_of_a_merge_is_a_change_like_any_other(
    database: Database, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merging, "ROWS_IN_ONE_WRITE", 1)
    world = World(database, seed)
    for _ in range(5):
        await world.enter()
    async with contextlib.AsyncExitStack() as stack:
        stores = await stack.enter_async_context(node())
        for _ in range(70):
            await world.happen()
        into, gone, _ = world.histories
        await stores.ask("open", name=into.key, snapshot=await into.page(limit=1000))
        into.told.clear()
        old = (await database.read(lambda sql: threads.under_key(sql, gone.key))).id
        assert old
        await merge_threads(database, gone.key, into.key)
        reached: int | None = 0
        while reached is not None:
            await deliver_badly(into, stores, world.chance, into.key)
            await catch_up(into, stores, into.key)
            await assert_equal_to_fresh(into, stores, into.key)
            # Meanwhile somebody acts on what has not come yet, or answers it.
            for _ in range(3):
                await world.happen()
            at: int = reached
            reached = await database.write(lambda write, at=at: merging.step(write, old, at))  # type: ignore[misc]
        assert await database.read(lambda sql: threads.keys_of(sql, old)) == [gone.key]
    await assert_counts_are_exact(database)
