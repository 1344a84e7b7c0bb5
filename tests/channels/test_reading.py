"""What a peer sends to a `Connection` waits for its turn while others send, in bounds and in its order."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import pytest

from channels.event_loop_budget import Rounds
from channels.sockets import connection as connections
from channels.sockets.connection import SLICE_BYTES, Connection
from channels.sockets.frames import CLOSE, TEXT
from tests.channels.test_socket import masked
from tests.channels.test_writing import Told, connected, on_both_loops, run
from tests.processes import eventually

Loop = Callable[[], asyncio.AbstractEventLoop]


class Busy(Rounds):
    """Has no time before it is told to go on."""

    def __init__(self) -> None:
        super().__init__()
        self.put_off: list[tuple[str, Callable[[], None]]] = []
        self.is_free = False

    def has_time(self) -> bool:
        return self.is_free

    def later(self, who: str, work: Callable[[], None]) -> None:
        self.put_off.append((who, work))

    def go_on(self) -> None:
        waiting, self.put_off = self.put_off, []
        for _, work in waiting:
            work()


def heard_by(told: Told) -> list[str]:
    heard: list[str] = []
    told.received = lambda message: heard.append(str(message))  # type: ignore[method-assign]
    return heard


def held(connection: Connection) -> int:
    return len(connection._unparsed)


@on_both_loops
def test_frames_wait_for_their_turn_and_are_heard_in_their_order(loop: Loop) -> None:
    async def facts() -> None:
        rounds = Busy()
        connection, told, _, peer = await connected(rounds)
        heard = heard_by(told)
        with peer:
            for number in range(20):
                peer.send(masked(TEXT, b"%d" % number))
                await eventually(lambda n=number: held(connection) == sum(6 + len(str(one)) for one in range(n + 1)))
            # One place in the queue, however many pieces came.
            assert [who for who, _ in rounds.put_off] == ["peer"]
            assert (heard, rounds.held_bytes) == ([], held(connection))
            rounds.go_on()
            assert heard == [str(number) for number in range(20)]
            assert rounds.held_bytes == 0
            rounds.is_free = True
            peer.send(masked(TEXT, b"at once"))
            await eventually(lambda: heard[-1] == "at once")
            connection.abort()
            await told.ended.wait()

    run(loop, facts())


@on_both_loops
def test_a_peer_that_sends_on_while_it_waits_is_not_read_any_further(loop: Loop) -> None:
    async def facts() -> None:
        rounds = Busy()
        connection, told, _, peer = await connected(rounds)
        heard = heard_by(told)
        with peer:
            frame = masked(TEXT, b"x" * 1_000)
            sending = asyncio.ensure_future(asyncio.get_running_loop().sock_sendall(peer, frame * 3_000))
            await eventually(lambda: held(connection) >= SLICE_BYTES)
            for _ in range(50):
                await asyncio.sleep(0)
            # At most what one reading brings beyond the slice.
            assert held(connection) <= SLICE_BYTES + 256 * 1024
            turns = 0
            while len(heard) < 3_000:
                if rounds.put_off:
                    before = len(heard)
                    rounds.go_on()
                    turns += 1
                    # Others have their turn after a slice.
                    assert len(heard) - before <= SLICE_BYTES // len(frame) + 1
                await asyncio.sleep(0)
            await sending
            assert turns >= 3_000 * len(frame) / SLICE_BYTES - 1
            assert rounds.held_bytes == 0
            connection.abort()
            await told.ended.wait()

    run(loop, facts())


@on_both_loops
def test_a_close_frame_that_waits_is_answered_though_the_peer_has_ended(loop: Loop) -> None:
    async def facts() -> None:
        rounds = Busy()
        connection, told, _, peer = await connected(rounds)
        heard = heard_by(told)
        with peer:
            peer.send(masked(TEXT, b"the last") + masked(CLOSE, (1000).to_bytes(2)))
            await eventually(lambda: held(connection) > 0)
            peer.shutdown(socket.SHUT_WR)
            await asyncio.sleep(0.01)
            assert not told.ended.is_set()
            rounds.go_on()
            answer = await asyncio.get_running_loop().sock_recv(peer, 100)
            assert (heard, answer) == (["the last"], b"\x88\x02\x03\xe8")
            await told.ended.wait()
            assert rounds.held_bytes == 0

    run(loop, facts())


@on_both_loops
def test_a_peer_that_has_ended_without_a_close_frame_is_let_go_after_its_turn(loop: Loop) -> None:
    async def facts() -> None:
        rounds = Busy()
        connection, told, _, peer = await connected(rounds)
        heard = heard_by(told)
        with peer:
            peer.send(masked(TEXT, b"the last"))
            await eventually(lambda: held(connection) > 0)
            peer.shutdown(socket.SHUT_WR)
            await asyncio.sleep(0.01)
            rounds.go_on()
            await told.ended.wait()
            assert heard == ["the last"]

    run(loop, facts())


def test_what_all_have_waiting_is_bounded_and_those_go_who_sent_more_than_a_page_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "MAX_WAITING_BYTES", 100_000)

    async def facts() -> None:
        rounds = Busy()
        rounds.held_bytes = 99_900
        _, told_large, _, large_peer = await connected(rounds)
        small, told_small, _, small_peer = await connected(rounds)
        with large_peer, small_peer:
            small_peer.send(masked(TEXT, b"small" * 20))
            await eventually(lambda: held(small) > 0)
            large_peer.send(masked(TEXT, b"large" * 1_000))
            await told_large.ended.wait()
            assert not told_small.ended.is_set()
            assert rounds.held_bytes == 99_900 + held(small)
            rounds.held_bytes += 100_000
            small_peer.send(masked(TEXT, b"small" * 20))
            await told_small.ended.wait()
            assert rounds.held_bytes == 199_900

    run(asyncio.SelectorEventLoop, facts())
