"""Who wants to join takes turns by address, and does not wait without end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from channels.brokers.in_process import MemoryBroker
from channels.changes_source import Question
from channels.messages import Answer, Change
from channels.rooms import changes_requests, joins
from channels.rooms.fair_queue import InTurn, LightestFirst
from channels.rooms.hub import Hub
from tests.channels.test_hub import Screen
from tests.processes import eventually


class Gate:
    """A source that answers each request when it is let through, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.sizes: list[int] = []
        self.through = asyncio.Semaphore(0)
        self.leaves_out = 0

    async def changes(self, asked: Sequence[Question]) -> list[Answer | None]:
        self.sizes.append(len(asked))
        self.asked += [question.thread for question in asked]
        await self.through.acquire()
        answers: list[Answer | None] = [
            Change(thread=question.thread, epoch="e", after=0, version=0) for question in asked
        ]
        left_out, self.leaves_out = self.leaves_out, 0
        return answers[: len(answers) - left_out] + [None] * left_out


def hub_over(gate: Gate) -> Hub:
    hub = Hub(gate)
    hub.broker = MemoryBroker(hub.hear)
    return hub


def test_each_gives_one_in_turn_and_nothing_is_left() -> None:
    queue: InTurn[str] = InTurn()
    for number in range(4):
        queue.add("many", f"many {number}")
    queue.add("few", "few")
    queue.add("one more", "one more")
    taken = [queue.take() for _ in range(len(queue))]
    assert taken == ["many 0", "few", "one more", "many 1", "many 2", "many 3"]
    assert (len(queue), queue.waiting_for("many")) == (0, 0)
    with pytest.raises(IndexError):
        queue.take()


def test_every_other_item_is_of_the_one_with_the_least_and_the_others_still_take_turns() -> None:
    loads = {f"flood {number}": 30 for number in range(100)} | {"school": 300}
    queue: LightestFirst[str] = LightestFirst(lambda who: loads.get(who, 0))
    for who in loads:
        for number in range(3):
            queue.add(who, f"{who}: {number}")
    queue.add("honest", "honest")
    taken = [queue.take() for _ in range(len(queue))]
    assert taken[0] == "honest"
    # Who has the most here is served once in a round, too.
    assert taken.index("school: 0") <= 2 * len(loads)
    assert sorted(taken) == sorted([f"{who}: {number}" for who in loads for number in range(3)] + ["honest"])
    with pytest.raises(IndexError):
        queue.take()


def test_how_much_somebody_has_is_looked_at_when_it_counts() -> None:
    loads = {"a": 0, "b": 1}
    queue: LightestFirst[str] = LightestFirst(loads.__getitem__)
    queue.add("a", "a")
    queue.add("b", "b")
    loads["a"] = 5
    assert [queue.take(), queue.take()] == ["b", "a"]


async def test_an_honest_reader_waits_for_one_turn_of_an_address_that_asks_for_thousands() -> None:
    gate = Gate()
    hub = hub_over(gate)
    flood, honest = [Screen() for _ in range(75)], Screen()
    async with hub.running():
        for place, reader in enumerate(flood):
            for number in range(20):
                hub.join(reader, f"flood-{place}-{number}", None, None, "192.0.2.1")
        hub.join(honest, "honest", None, None, "192.0.2.2")

        def is_in() -> bool:
            gate.through.release()
            return honest.kinds() == ["joined"]

        await eventually(is_in)
        # The rest of the flood is still waiting.
        assert len(gate.asked) < joins.AT_ONCE + 8 * changes_requests.BATCH
        for _ in range(200):
            gate.through.release()
        await eventually(lambda: all(len(reader.waits_for) == 20 for reader in flood))
    assert max(gate.sizes) <= changes_requests.BATCH


async def test_beyond_so_many_of_one_address_a_join_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joins, "MAX_WAITING_OF_ONE", 50)
    gate = Gate()
    hub = hub_over(gate)
    flood, other = [Screen() for _ in range(20)], Screen()
    async with hub.running():
        for place, reader in enumerate(flood):
            for number in range(20):
                hub.join(reader, f"{place}-{number}", None, None, "192.0.2.1")
        assert sum(len(reader.refused) for reader in flood) == 400 - joins.AT_ONCE - 50
        hub.join(other, "other", None, None, "192.0.2.2")
        assert other.refused == []
        for _ in range(100):
            gate.through.release()
        await eventually(lambda: len(hub.lobby) == joins.AT_ONCE + 51)


async def test_who_leaves_before_the_answer_is_not_let_in(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate()
    hub = hub_over(gate)
    leaving, gone, again = Screen(), Screen(), Screen()
    async with hub.running():
        for reader in (leaving, gone, again):
            hub.join(reader, "t", None, None)
        hub.leave(leaving, "t")
        hub.disconnect(gone)
        hub.join(again, "t", None, None)
        for _ in range(10):
            gate.through.release()
        await eventually(lambda: again.kinds() == ["joined"])
        await eventually(lambda: not hub.rooms)
        assert (leaving.kinds(), gone.kinds(), hub.readers_here("t")) == ([], [], 1)


async def test_a_question_that_was_left_out_of_an_answer_is_asked_again() -> None:
    gate = Gate()
    gate.leaves_out = 30
    hub = hub_over(gate)
    readers = [Screen() for _ in range(40)]
    async with hub.running():
        for place, reader in enumerate(readers):
            hub.join(reader, f"{place}", None, None)
        for _ in range(100):
            gate.through.release()
        await eventually(lambda: all(reader.kinds() == ["joined"] for reader in readers))


def test_a_flood_that_never_ends_leaves_no_more_places_than_wait() -> None:
    loads = {"flood": 1_000, "light": 0}
    queue: LightestFirst[str] = LightestFirst(loads.__getitem__)
    queue.add("flood", "one")
    for _ in range(10_000):
        for who in loads:
            queue.add(who, "another")
        for _ in loads:
            queue.take()
    assert len(queue) == 1
    assert len(queue._places) < 200
