"""Threads that nobody has used: those who follow them cost next to nothing, and hear of the first comment."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Sequence

import pytest

from channels.brokers.in_process import MemoryBroker
from channels.changes_source import Question
from channels.messages import Answer, Change, Comment
from channels.rooms.hub import MAX_UNUSED_ROOMS, Hub
from channels.sockets.reader import MAX_THREADS
from tests.channels.test_hub import Screen
from tests.processes import eventually


class Threads:
    """A source of many threads: each at 0 until it is written to."""

    def __init__(self) -> None:
        self.heads: dict[str, int] = {}
        self.asked: list[int] = []
        self.hub: Hub

    def write(self, thread: str) -> None:
        after = self.heads.get(thread, 0)
        self.heads[thread] = after + 1
        self.hub.deliver(self.diff(thread, after))
        # As the app does after every commit, and the poll of a gateway.
        self.hub.ring(thread, after + 1)

    def diff(self, thread: str, after: int) -> Change:
        head = self.heads.get(thread, 0)
        comments = tuple(
            Comment(id=id_, version=id_, state="visible", html=str(id_)) for id_ in range(after + 1, head + 1)
        )
        return Change(thread=thread, epoch="first", after=after, version=head, comments=comments)

    async def changes(self, asked: Sequence[Question]) -> list[Answer | None]:
        self.asked.append(len(asked))
        return [self.diff(question.thread, question.after or 0) for question in asked]


def hub_of(threads: Threads) -> Hub:
    threads.hub = hub = Hub(threads)
    hub.broker = MemoryBroker(hub.hear)
    return hub


def fresh() -> Screen:
    screen = Screen()
    screen.version, screen.comments = 0, {}
    return screen


async def test_who_waits_for_a_thread_hears_of_its_first_comment_and_of_all_after_it() -> None:
    threads = Threads()
    hub = hub_of(threads)
    readers = [fresh() for _ in range(3)]
    async with hub.running():
        hub.join(readers[0], "t", None, 0)
        await eventually(lambda: readers[0].kinds() == ["joined"])
        assert (hub.rooms, len(hub.lobby), hub.heads()) == (0, 1, {})
        for reader in readers[1:]:
            hub.join(reader, "t", None, 0)
        await eventually(lambda: all("joined" in reader.kinds() for reader in readers))
        # Who is not alone is in a room, where all see how many they are; it is still none of the poll's.
        assert (hub.readers_here("t"), hub.rooms, len(hub.lobby), hub.heads()) == (3, 1, 0, {})
        for version in (1, 2, 3):
            threads.write("t")
            await eventually(lambda version=version: all(reader.version == version for reader in readers))
        assert all(reader.comments == {1: 1, 2: 2, 3: 3} for reader in readers)
        assert hub.heads() == {"t": (3, 3)}


async def test_a_comment_that_comes_while_its_thread_is_joined_is_not_missed() -> None:
    for _ in range(20):
        threads = Threads()
        hub = hub_of(threads)
        early, late = fresh(), fresh()
        async with hub.running():
            hub.join(early, "t", None, 0)
            await eventually(lambda early=early: early.kinds() == ["joined"])
            hub.join(late, "t", None, 0)
            threads.write("t")
            await eventually(lambda early=early, late=late: early.version == late.version == 1)
            threads.write("t")
            await eventually(lambda early=early, late=late: early.version == late.version == 2)


@pytest.mark.parametrize("readers", [1, 2])
async def test_where_the_first_comment_is_written_nobody_asks_for_it(readers: int) -> None:
    threads = Threads()
    hub = hub_of(threads)
    waiting = [fresh() for _ in range(readers)]
    async with hub.running():
        for reader in waiting:
            hub.join(reader, "t", None, 0)
            await eventually(lambda reader=reader: "joined" in reader.kinds())
        threads.asked.clear()
        for version in (1, 2, 3):
            threads.heads["t"] = version
            hub.publish(threads.diff("t", version - 1))
        await eventually(lambda: all(reader.version == 3 for reader in waiting))
        assert all(reader.comments == {1: 1, 2: 2, 3: 3} for reader in waiting)
        assert not threads.asked


async def test_a_thread_that_boils_from_its_first_comment_on_is_whole_after_one_diff() -> None:
    class Boiling(Threads):
        """More comes while each diff is on its way."""

        async def changes(self, asked: Sequence[Question]) -> list[Answer | None]:
            answers = await super().changes(asked)
            for _ in range(3 if self.heads else 0):
                self.write("t")
            return answers

    threads = Boiling()
    hub = hub_of(threads)
    reader = fresh()
    async with hub.running():
        hub.join(reader, "t", None, 0)
        await eventually(lambda: reader.kinds() == ["joined"])
        threads.asked.clear()
        threads.write("t")
        await eventually(lambda: reader.version == 4)
        assert reader.comments == {1: 1, 2: 2, 3: 3, 4: 4}
        assert (threads.asked, threads.heads) == ([1], {"t": 4})


async def test_who_leaves_or_is_gone_waits_no_more() -> None:
    threads = Threads()
    hub = hub_of(threads)
    leaving, gone = fresh(), fresh()
    async with hub.running():
        for number in range(MAX_THREADS):
            hub.join(leaving, f"a{number}", None, 0)
            hub.join(gone, f"b{number}", None, 0)
        await eventually(lambda: len(hub.lobby) == 2 * MAX_THREADS)
        assert leaving.following == MAX_THREADS
        for number in range(MAX_THREADS):
            hub.leave(leaving, f"a{number}")
        hub.disconnect(gone)
        assert (len(hub.lobby), leaving.following, gone.following) == (0, 0, 0)
        threads.write("a1")
        assert leaving.kinds().count("changes") == 0


async def test_who_waits_under_an_epoch_that_is_over_is_sent_away_and_no_one_else() -> None:
    hub = hub_of(Threads())
    reader = fresh()
    async with hub.running():
        hub.join(reader, "t", None, 0)
        await eventually(lambda: reader.kinds() == ["joined"])
        # What a gateway hears at its first poll is what its readers joined under.
        hub.ring_all("first")
        assert not reader.is_cut
        hub.ring_all("another")
        assert reader.is_cut


async def test_twenty_thousand_threads_of_nothing_cost_two_megabytes_and_give_them_back() -> None:
    threads = Threads()
    hub = hub_of(threads)
    readers = [fresh() for _ in range(1_000)]
    async with hub.running():
        gc.collect()
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        for place, reader in enumerate(readers):
            for number in range(MAX_THREADS):
                hub.join(reader, f"{place}-{number}-{'x' * 180}", None, None)
            await eventually(lambda reader=reader: len(reader.waits_for) == MAX_THREADS)
            reader.got.clear()
            reader.frames.clear()
        gc.collect()
        held = tracemalloc.get_traced_memory()[0] - before
        for reader in readers:
            hub.disconnect(reader)
        gc.collect()
        left = tracemalloc.get_traced_memory()[0] - before
        tracemalloc.stop()
    assert len(hub.lobby) == 0
    assert held < 20_000 * 200
    assert left < held / 4


async def test_pairs_of_readers_in_threads_of_nothing_make_no_more_rooms_than_so_many() -> None:
    hub = hub_of(Threads())
    one, other = [fresh() for _ in range(100)], [fresh() for _ in range(100)]
    async with hub.running():
        for place, pair in enumerate(zip(one, other, strict=True)):
            for number in range(MAX_THREADS):
                for reader in pair:
                    hub.join(reader, f"{place}-{number}", None, None, f"{place}")
        await eventually(lambda: all(not reader.joining for reader in (*one, *other)))
        assert hub.rooms == MAX_UNUSED_ROOMS
        assert hub.rooms + len(hub.lobby) == 100 * MAX_THREADS


async def test_many_joins_at_once_are_few_requests_to_the_source() -> None:
    threads = Threads()
    hub = hub_of(threads)
    readers = [fresh() for _ in range(100)]
    async with hub.running():
        for place, reader in enumerate(readers):
            for number in range(10):
                hub.join(reader, f"{place}-{number}", None, None, f"{place}")
        await eventually(lambda: len(hub.lobby) == 1_000)
    assert sum(threads.asked) == 1_000
    assert len(threads.asked) < 100
