"""What HTTP connections hold is counted, and beyond its bound those go that take longest and take least."""

from __future__ import annotations

import asyncio
from collections import deque
from types import SimpleNamespace
from typing import Any

from uvicorn.protocols.http.flow_control import FlowControl

from server.connection_budget import (
    CONNECTION_BYTES,
    LOOK_BYTES,
    MAX_BYTES,
    MAX_BYTES_OF_ALL,
    REQUEST_BYTES,
    SPARED_BYTES,
    HttpBudget,
    Share,
)
from server.transport.descriptors import room
from server.transport.uvicorn_connection import PROGRESS_SECONDS, BoundedHttp
from server.transport.uvicorn_reading import Reading
from tests.processes import eventually

MIB = 1024 * 1024


class Peer:
    """A connection whose other side takes what it is given, or does not."""

    def __init__(self, budget: HttpBudget, address: str | None = None, *, is_stalled: bool = True) -> None:
        self.ended: str | None = None
        self.stalls = is_stalled
        share = budget.open(address, self)
        assert share is not None
        self.share: Share = share

    def is_stalled(self) -> bool:
        return self.stalls

    def let_go(self, *, is_late: bool) -> None:
        assert self.ended is None
        self.ended = "late" if is_late else "cut"


def test_all_together_hold_no_more_than_the_bound_and_of_equals_the_oldest_goes_first() -> None:
    budget = HttpBudget()
    peers = [Peer(budget) for _ in range(100)]
    for peer in peers:
        peer.share.waits(1.0)
        peer.share.hold(MIB)
        assert budget.held_bytes <= MAX_BYTES
    ended = [peer.ended for peer in peers]
    assert ended == sorted(ended, key=lambda one: one is None)
    assert ended[-1] is None


def test_whoever_takes_an_answer_at_a_decent_rate_outlasts_those_who_came_later_and_do_not() -> None:
    budget = HttpBudget()
    slow = Peer(budget, is_stalled=False)
    slow.share.waits(1.0)
    slow.share.hold_answer(b"x" * MIB)
    deaf = [Peer(budget) for _ in range(50)]
    for peer in deaf:
        peer.share.waits(1.0)
        peer.share.hold_answer(b"%d" % id(peer) + b"x" * MIB)
    assert slow.ended is None
    assert budget.held_bytes <= MAX_BYTES


def test_above_the_last_bound_everybody_who_is_waited_for_goes() -> None:
    budget = HttpBudget()
    peers = [Peer(budget, is_stalled=False) for _ in range(50)]
    for peer in peers:
        peer.share.waits(1.0)
        peer.share.hold(MIB)
    assert MAX_BYTES < budget.held_bytes <= MAX_BYTES_OF_ALL


def test_whoever_holds_nothing_yet_is_not_cut_for_the_answers_of_others() -> None:
    """It was the only one that was waited for without taking its answer, and cutting it freed next to nothing."""
    budget = HttpBudget()
    honest = Peer(budget)
    honest.share.waits(1.0)
    flood = [Peer(budget, is_stalled=False) for _ in range(14)]
    for peer in flood:
        peer.share.waits(1.0)
        peer.share.hold(MIB - CONNECTION_BYTES)
    assert budget.held_bytes > MAX_BYTES
    honest.share.hold(10)
    assert honest.ended is None


def test_where_none_is_stalled_not_every_byte_that_comes_looks_for_one() -> None:
    budget = HttpBudget()
    asked = 0

    class Fast(Peer):
        def is_stalled(self) -> bool:
            nonlocal asked
            asked += 1
            return self.stalls

    peers = [Fast(budget, is_stalled=False) for _ in range(13)]
    for peer in peers:
        peer.share.waits(1.0)
        peer.share.hold(MIB - CONNECTION_BYTES)
    asked = 0
    for _ in range(10_000):
        peers[0].share.hold(1)
    assert asked < 100
    # It looks again when more has come, and once a second.
    peers[1].stalls = True
    peers[0].share.hold(LOOK_BYTES)
    assert peers[1].ended == "cut"
    peers[2].stalls = True
    budget.every_second(0.0)
    assert peers[2].ended == "cut"


def test_of_those_that_take_nothing_the_one_goes_that_holds_most() -> None:
    budget = HttpBudget()
    small, large = Peer(budget), Peer(budget)
    small.share.waits(1.0)
    small.share.hold(1_000)
    large.share.waits(2.0)
    large.share.hold_answer(b"x" * MAX_BYTES)
    assert (small.ended, large.ended) == (None, "cut")


def test_an_answer_that_many_wait_for_is_held_once() -> None:
    budget = HttpBudget()
    answer = b"x" * MIB
    peers = [Peer(budget) for _ in range(100)]
    for peer in peers:
        peer.share.waits(1.0)
        peer.share.hold_answer(answer)
    assert budget.held_bytes == 100 * CONNECTION_BYTES + MIB
    for peer in peers:
        peer.share.close()
    assert (budget.held_bytes, budget.connections) == (0, 0)


def test_what_we_work_on_is_not_cut_and_then_no_more_is_begun() -> None:
    budget = HttpBudget()
    working = [Peer(budget) for _ in range(10)]
    for peer in working:
        peer.share.works()
        peer.share.hold(4 * MIB)
    assert [peer.ended for peer in working] == [None] * 10
    assert budget.is_full(None)


def test_where_our_own_work_takes_all_a_little_may_still_wait_for_peers() -> None:
    budget = HttpBudget()
    workers = [Peer(budget) for _ in range(MAX_BYTES_OF_ALL // (CONNECTION_BYTES + REQUEST_BYTES) + 1)]
    for _ in workers:
        budget.begin_request()
    assert budget.held_bytes > MAX_BYTES_OF_ALL
    waiting = [Peer(budget, is_stalled=False) for _ in range(8)]
    for peer in waiting:
        peer.share.waits(1.0)
        peer.share.hold(MIB)
    left = [peer for peer in waiting if peer.ended is None]
    assert MIB * len(left) <= SPARED_BYTES < MIB * (len(left) + 2)
    assert left == waiting[-len(left) :]
    for _ in range(SPARED_BYTES // REQUEST_BYTES):
        budget.begin_request()
        workers.append(waiting[0])
    assert budget.is_full(None)
    for _ in workers:
        budget.end_request()
    assert not budget.is_full(None)


def test_of_the_last_room_an_address_has_the_less_the_more_connections_it_has() -> None:
    budget = HttpBudget(most_from_address=1_000)
    crowd = [Peer(budget, "crowd") for _ in range(4)]
    crowd[0].share.works()
    crowd[0].share.hold(MAX_BYTES_OF_ALL + SPARED_BYTES // 4)
    assert budget.is_full("crowd")
    assert not budget.is_full("alone")
    assert not budget.is_full(None)
    crowd[0].share.hold(SPARED_BYTES)
    assert budget.is_full("alone")
    assert budget.is_full(None)


async def test_those_whose_time_is_over_go_and_no_others() -> None:
    budget = HttpBudget()
    now = asyncio.get_running_loop().time()
    late, early = Peer(budget), Peer(budget)
    late.share.waits(now - 1)
    early.share.waits(now + 100)
    budget.every_second(now)
    await eventually(lambda: late.ended == "late")
    assert early.ended is None


async def test_of_those_whose_time_is_over_one_waits_for_its_turn_however_often_they_are_found() -> None:
    budget = HttpBudget()
    now = asyncio.get_running_loop().time()
    peers = [Peer(budget) for _ in range(50)]
    for peer in peers:
        peer.share.waits(now - 1)
    for _ in range(10):
        budget.every_second(now)
    assert budget.rounds._waiting.waiting_for("") == 1
    await eventually(lambda: all(peer.ended == "late" for peer in peers))


def test_an_address_has_so_many_connections_and_refuses_only_where_all_are_served() -> None:
    budget = HttpBudget(3)
    first, *others = [Peer(budget, "a") for _ in range(3)]
    for peer in (first, *others):
        peer.share.waits(1.0)
    Peer(budget, "b")
    another = Peer(budget, "a")
    assert first.ended == "cut"
    for peer in (*others, another):
        peer.share.works()
    assert budget.open("a", first) is None
    assert budget.open(None, first) is not None
    others[0].share.close()
    assert budget.open("a", first) is not None


def test_descriptors_are_kept_for_the_database_and_for_requests_whatever_the_limit() -> None:
    for limit in (64, 256, 1_024, 20_000, 1_000_000):
        found = room(limit)
        assert found.sockets < found.connections
        # All that can be accepted at once, beside those that are there, and the database's files.
        assert found.connections + found.backlog < limit


def test_among_those_who_have_long_been_waited_for_one_goes_whose_address_has_the_most() -> None:
    budget = HttpBudget(1_000)
    honest = Peer(budget, "honest")
    flood = [Peer(budget, f"flood {number % 10}") for number in range(100)]
    for peer in (honest, *flood):
        peer.share.waits(1.0)
    for peer in flood:
        peer.share.hold(MIB)
    assert honest.ended is None
    assert sum(peer.ended is not None for peer in flood) > 50
    assert budget.held_bytes <= MAX_BYTES


async def test_thousands_who_are_late_at_once_are_not_cut_in_one_turn_of_the_loop() -> None:
    budget = HttpBudget()
    now = asyncio.get_running_loop().time()
    late = [Peer(budget) for _ in range(500)]
    reprieved = Peer(budget)
    for peer in (*late, reprieved):
        peer.share.waits(now - 1)
    budget.every_second(now)
    reprieved.share.waits(now + 100)
    assert not any(peer.ended for peer in late)
    await eventually(lambda: all(peer.ended == "late" for peer in late))
    assert reprieved.ended is None


class Slow(Reading):
    """A connection that has no time for more than a slice in each turn."""

    def __init__(self, share: Share) -> None:
        self._share = share
        self.pipeline = deque()
        self.flow = FlowControl(asyncio.Transport())
        self.flow.read_paused = True
        self.parser: Any = self
        self._body_bytes = 1 << 40
        self.fed_bytes = 0

    def feed_data(self, piece: bytes) -> None:
        self.fed_bytes += len(piece)

    def _has_time(self) -> bool:
        return False

    def _wait_for_turn(self) -> None:
        pass


def test_input_that_waits_for_many_turns_is_counted_once() -> None:
    budget = HttpBudget()
    reading = Slow(Peer(budget).share)
    reading._feed(bytes(MIB))
    while reading._unparsed:
        assert budget.held_bytes == CONNECTION_BYTES + MIB
        reading._feed(reading._resumed())
    assert (reading.fed_bytes, budget.held_bytes) == (MIB, CONNECTION_BYTES + MIB)


class Clock:
    now = 1.0

    def time(self) -> float:
        return self.now


class Fed(BoundedHttp):
    """A connection of a busy server, which keeps what it parses at once."""

    def __init__(self, budget: HttpBudget) -> None:
        self.loop: Any = Clock()
        self.app_state = {"live": SimpleNamespace(budget=budget)}
        self.flow = FlowControl(asyncio.Transport())
        self.parsed = b""

    def _feed(self, data: bytes) -> None:
        self.parsed += data


async def test_a_probe_passes_those_who_wait_once_in_a_turn() -> None:
    budget = HttpBudget()

    def arrive(data: bytes, *, is_in_body: bool = False) -> bytes:
        connection = Fed(budget)
        connection._is_in_body = is_in_body
        connection.data_received(data)
        return connection.parsed

    probe = b"GET /health HTTP/1.1\r\n"
    waits = True

    def wait() -> None:
        if waits:
            budget.rounds.later("flood", wait)

    wait()
    for _ in range(3):
        assert arrive(b"GET / HTTP/1.1\r\n") == b""
        assert arrive(probe, is_in_body=True) == b""
        assert arrive(probe) == probe
        assert arrive(probe) == b""
        await asyncio.sleep(0)
    waits = False
    await eventually(lambda: not budget.rounds.is_busy)


def test_a_request_is_stalled_once_nothing_has_come_of_it_for_a_while_that_we_have_not_read() -> None:
    budget = HttpBudget()
    # The loop's own turns are no matter here.
    budget.rounds.has_time = lambda: True  # type: ignore[method-assign]
    connection = Fed(budget)
    connection.data_received(b"GET ")
    assert not connection.is_stalled()
    connection.loop.now += PROGRESS_SECONDS
    assert connection.is_stalled()
    connection._unparsed = b"/ HTTP/1.1"
    assert not connection.is_stalled()
