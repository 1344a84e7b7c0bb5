"""A flood is read a little in each turn of the loop, and others take turns with it."""

from __future__ import annotations

import asyncio
from functools import partial

from channels.event_loop_budget import LEAST_SECONDS, MOST_SECONDS, TURN_SECONDS, Rounds
from tests.processes import eventually


class Clock:
    """Stands still, but for the work that is done."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_what_one_turn_has_no_time_for_waits_and_addresses_take_turns() -> None:
    clock, done, turns_of = Clock(), list[str](), list[int]()
    rounds = Rounds(clock=clock, used=lambda: 0.0)
    passed = 0

    def work(what: str) -> None:
        clock.now += MOST_SECONDS / 3.5
        done.append(what)
        turns_of.append(passed)

    for _ in range(4):
        assert rounds.has_time()
        work("at once")
    assert not rounds.has_time()
    passed = 1
    for number in range(20):
        rounds.later("flood", partial(work, f"flood {number}"))
    rounds.later("honest", partial(work, "honest"))
    assert not rounds.has_time()
    while len(done) < 25 and passed < 100:
        await asyncio.sleep(0)
        passed += 1
    # The one with less comes first.
    assert done[4:7] == ["honest", "flood 0", "flood 1"]
    assert [what for what in done if what.startswith("flood")] == [f"flood {number}" for number in range(20)]
    # Between two of them the loop looks after everything else.
    assert max(turns_of.count(one) for one in set(turns_of)) == 4
    await eventually(rounds.has_time)


async def test_reading_gets_less_time_the_more_comes_of_it() -> None:
    """A request that is read in a moment makes work for the rest of the turn."""
    clock, read = Clock(), list[int]()
    rounds = Rounds(clock=clock, used=clock)
    passed = 0

    def work() -> None:
        clock.now += LEAST_SECONDS / 2
        read.append(passed)
        asyncio.get_running_loop().call_soon(answer)

    def answer() -> None:
        clock.now += LEAST_SECONDS * 2

    for _ in range(400):
        rounds.later("flood", work)
    took = []
    while rounds.is_busy:
        before = clock.now
        await asyncio.sleep(0)
        took.append(clock.now - before)
        passed += 1
    # What the first turn has read is answered in the second; from then on the turns are as long as they should be.
    assert max(took[:3]) > 3 * TURN_SECONDS
    settled = took[20:-2]
    assert sum(settled) / len(settled) < 2.5 * TURN_SECONDS
    # However much comes of it, the reading goes on.
    assert set(range(20, passed)) - set(read) == set()


async def test_connections_that_come_are_looked_after_once_a_turn() -> None:
    looked = list[int]()
    rounds = Rounds()
    rounds.on_turn = lambda: looked.append(len(looked))
    for _ in range(3):
        rounds.accepted()
        rounds.accepted()
        await asyncio.sleep(0)
    assert len(looked) == 3


async def test_what_a_look_brings_keeps_to_one_round_a_turn() -> None:
    """Each was to go round by itself, and the turns became longer with each burst of connections."""
    clock, done = Clock(), list[int]()
    rounds = Rounds(clock=clock, used=lambda: 0.0)
    passed = 0

    def work() -> None:
        clock.now += MOST_SECONDS
        done.append(passed)

    rounds.on_turn = lambda: rounds.later("flood", work)
    for _ in range(5):
        rounds.accepted()
        await asyncio.sleep(0)
    rounds.on_turn = lambda: None
    for _ in range(20):
        rounds.later("flood", work)
    while rounds.is_busy:
        await asyncio.sleep(0)
        passed += 1
    assert max(done.count(one) for one in set(done) if one) == 1


async def test_an_error_in_what_waits_ends_nothing_else() -> None:
    clock, done, errors = Clock(), list[str](), list[object]()
    rounds = Rounds(clock=clock)

    def fail() -> None:
        raise IndexError

    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context["exception"]))
    assert rounds.has_time()
    clock.now = 1.0
    rounds.later("a", fail)
    rounds.later("b", partial(done.append, "b"))
    await eventually(lambda: done)
    assert [type(error) for error in errors] == [IndexError]
