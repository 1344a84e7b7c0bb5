"""Pages are made in turns: each address waits behind itself, and what is there already waits for nobody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from channels.tasks import Health, Tasks
from server.errors import NotFound, TooMany, Unavailable
from server.web.requests.page_queue import AT_ONCE, MOST_OF_ALL, Turns
from tests.processes import eventually


@pytest.fixture
async def tasks() -> AsyncIterator[Tasks]:
    async with Tasks(Health()) as started:
        yield started


def noting(began: list[str], what: str, until: asyncio.Event) -> Callable[[], Awaitable[str]]:
    async def work() -> str:
        began.append(what)
        await until.wait()
        return what

    return work


async def test_who_asks_for_hundreds_waits_behind_itself_and_others_come_next(tasks: Tasks) -> None:
    turns, began, until = Turns(tasks, 300), list[str](), asyncio.Event()
    hammering = [
        asyncio.ensure_future(turns.take("a", number, noting(began, f"a{number}", until))) for number in range(300)
    ]
    others = [asyncio.ensure_future(turns.take(who, 1, noting(began, who, until))) for who in ("b", "c")]
    await asyncio.sleep(0)
    until.set()
    assert await asyncio.gather(*others) == ["b", "c"]
    assert set(began[:3]) == {"a0", "b", "c"}
    for one in hammering:
        one.cancel()


async def test_one_address_makes_one_at_a_time_and_all_together_only_two(tasks: Tasks) -> None:
    turns, began, until = Turns(tasks, 9), list[str](), asyncio.Event()
    made = [
        asyncio.ensure_future(turns.take(who, number, noting(began, who, until)))
        for who in "abcd"
        for number in range(3)
    ]
    for _ in range(10):
        await asyncio.sleep(0)
    assert began == ["a", "b"]
    assert len(began) == AT_ONCE
    until.set()
    assert sorted(await asyncio.gather(*made)) == sorted("abcd" * 3)


async def test_beyond_the_bound_of_an_address_is_a_clear_refusal(tasks: Tasks) -> None:
    turns, until = Turns(tasks, 2), asyncio.Event()
    made = [asyncio.ensure_future(turns.take("a", number, noting([], "", until))) for number in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(TooMany) as refusal:
        await turns.take("a", 3, noting([], "", until))
    assert refusal.value.retry_after == 2
    until.set()
    await asyncio.gather(*made)


async def test_a_crowd_of_one_address_that_asks_for_the_same_takes_one_place(tasks: Tasks) -> None:
    turns, began, until = Turns(tasks, 2), list[str](), asyncio.Event()
    crowd = [asyncio.ensure_future(turns.take("a", "page", noting(began, "page", until))) for _ in range(5_000)]
    await asyncio.sleep(0)
    until.set()
    assert set(await asyncio.gather(*crowd)) == {"page"}
    assert began == ["page"]


async def test_a_failure_is_told_and_the_next_turn_comes(tasks: Tasks) -> None:
    turns, until = Turns(tasks, 2), asyncio.Event()
    until.set()

    async def fail() -> str:
        raise NotFound("error.no_address")

    failing = asyncio.ensure_future(turns.take("a", 1, fail))
    assert await turns.take("a", 2, noting([], "made", until)) == "made"
    with pytest.raises(NotFound):
        await failing


async def test_what_nobody_waits_for_any_more_is_not_begun(tasks: Tasks) -> None:
    turns, began, until = Turns(tasks, 300), list[str](), asyncio.Event()
    gone = [asyncio.ensure_future(turns.take("a", number, noting(began, "gone", until))) for number in range(200)]
    stays = asyncio.ensure_future(turns.take("a", "stays", noting(began, "stays", until)))
    await asyncio.sleep(0)
    for one in gone:
        one.cancel()
    await asyncio.wait(gone)
    until.set()
    assert await stays == "stays"
    # The first was begun before its visitor left.
    assert began.count("gone") <= 1


async def test_all_together_wait_for_a_bounded_number_of_pages(tasks: Tasks) -> None:
    turns, until = Turns(tasks, 300), asyncio.Event()
    waiting = [
        asyncio.ensure_future(turns.take(str(number), 1, noting([], "page", until))) for number in range(MOST_OF_ALL)
    ]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable):
        await turns.take("one more", 1, noting([], "page", until))
    for one in waiting:
        one.cancel()
    await asyncio.wait(waiting)
    until.set()
    assert await turns.take("one more", 1, noting([], "page", until)) == "page"


async def test_whoever_has_had_least_made_goes_first(tasks: Tasks) -> None:
    turns, began = Turns(tasks, 300), list[str]()

    def working(who: str) -> Callable[[], Awaitable[None]]:
        async def work() -> None:
            began.append(who)
            await asyncio.sleep(0.001)

        return work

    flood = [
        asyncio.ensure_future(turns.take(f"flood {who}", number, working(f"flood {who}")))
        for who in range(50)
        for number in range(4)
    ]
    await eventually(lambda: len(began) >= 60)
    before = len(began)
    await turns.take("late", 1, working("late"))
    assert began.index("late") - before <= AT_ONCE
    await asyncio.gather(*flood)
    assert len(began) == 201
