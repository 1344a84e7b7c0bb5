"""Pages are made in turns: each address waits behind itself, and what is there already waits for nobody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from server.errors import NotFound, TooMany
from server.web.turns import AT_ONCE, Turns


@pytest.fixture
async def tasks() -> AsyncIterator[asyncio.TaskGroup]:
    async with asyncio.TaskGroup() as group:
        yield group


def noting(began: list[str], what: str, until: asyncio.Event) -> Callable[[], Awaitable[str]]:
    async def work() -> str:
        began.append(what)
        await until.wait()
        return what

    return work


async def test_who_asks_for_hundreds_waits_behind_itself_and_others_come_next(tasks: asyncio.TaskGroup) -> None:
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


async def test_one_address_makes_one_at_a_time_and_all_together_only_two(tasks: asyncio.TaskGroup) -> None:
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


async def test_beyond_the_bound_of_an_address_is_a_clear_refusal(tasks: asyncio.TaskGroup) -> None:
    turns, until = Turns(tasks, 2), asyncio.Event()
    made = [asyncio.ensure_future(turns.take("a", number, noting([], "", until))) for number in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(TooMany) as refusal:
        await turns.take("a", 3, noting([], "", until))
    assert refusal.value.retry_after == 2
    until.set()
    await asyncio.gather(*made)


async def test_a_crowd_of_one_address_that_asks_for_the_same_takes_one_place(tasks: asyncio.TaskGroup) -> None:
    turns, began, until = Turns(tasks, 2), list[str](), asyncio.Event()
    crowd = [asyncio.ensure_future(turns.take("a", "page", noting(began, "page", until))) for _ in range(5_000)]
    await asyncio.sleep(0)
    until.set()
    assert set(await asyncio.gather(*crowd)) == {"page"}
    assert began == ["page"]


async def test_a_failure_is_told_and_the_next_turn_comes(tasks: asyncio.TaskGroup) -> None:
    turns, until = Turns(tasks, 2), asyncio.Event()
    until.set()

    async def fail() -> str:
        raise NotFound("There is nothing here.")

    failing = asyncio.ensure_future(turns.take("a", 1, fail))
    assert await turns.take("a", 2, noting([], "made", until)) == "made"
    with pytest.raises(NotFound):
        await failing
