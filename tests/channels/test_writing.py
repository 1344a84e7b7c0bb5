"""What `Connection.write` puts on the socket past the transport, whatever the peer does, on both event loops."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop

from channels.event_loop_budget import Rounds
from channels.sockets.connection import Connection, take_over
from channels.sockets.frames import Limits

RESET_ON_CLOSE = struct.pack("ii", 1, 0)
LOOPS: list[Callable[[], asyncio.AbstractEventLoop]] = [asyncio.SelectorEventLoop, uvloop.new_event_loop]
on_both_loops = pytest.mark.parametrize("loop", LOOPS, ids=["asyncio", "uvloop"])


class Told:
    """What a connection tells its listener."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.descriptor = -1
        self.ended = asyncio.Event()

    def received(self, message: str | bytes) -> None: ...

    def fell_behind(self) -> None:
        self.said.append("behind")

    def drained(self) -> None:
        self.said.append("drained")

    def lost(self) -> None:
        # Raises where the descriptor is no longer open, and by now might be somebody else's.
        os.fstat(self.descriptor)
        self.said.append("lost")
        self.ended.set()


async def connected(rounds: Rounds | None = None) -> tuple[Connection, Told, asyncio.Transport, socket.socket]:
    """Return our end of a TCP connection, who listens to it, the transport below it, and the peer's end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        peer = socket.socket()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.connect(listener.getsockname())
        here, _ = listener.accept()
    here.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    peer.setblocking(False)
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=here)
    told = Told()
    told.descriptor = transport.get_extra_info("socket").fileno()
    return take_over(transport, set(), Limits(), told, rounds or Rounds(), "peer"), told, transport, peer


def run(loop: Callable[[], asyncio.AbstractEventLoop], facts: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(asyncio.wait_for(facts, 20))


@on_both_loops
def test_frames_arrive_whole_and_in_their_order_however_full_the_socket_is(
    loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def facts() -> None:
        connection, told, _, peer = await connected()
        with peer:
            written, read = b"", b""
            for number in range(400):
                # From what fits many times over to what never fits.
                frame = b"%04d" % number * (number * 37 % 9_000 + 1)
                connection.write(frame)
                written += frame
                if number % 3 == 0:
                    read += await asyncio.get_running_loop().sock_recv(peer, 5_000)
            assert "behind" in told.said
            while len(read) < len(written):
                read += await asyncio.get_running_loop().sock_recv(peer, 1 << 20)
            assert read == written
            assert told.said[-1] == "drained"
            connection.abort()
            await told.ended.wait()

    run(loop, facts())


def _hung_up(connection: Connection, transport: asyncio.Transport, peer: socket.socket) -> None:
    peer.close()


def _reset(connection: Connection, transport: asyncio.Transport, peer: socket.socket) -> None:
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    peer.close()


def _aborted(connection: Connection, transport: asyncio.Transport, peer: socket.socket) -> None:
    connection.abort()


def _shut_down(connection: Connection, transport: asyncio.Transport, peer: socket.socket) -> None:
    connection.shutdown()


def _closed_below(connection: Connection, transport: asyncio.Transport, peer: socket.socket) -> None:
    transport.close()


@on_both_loops
@pytest.mark.parametrize("end", [_hung_up, _reset, _aborted, _shut_down, _closed_below])
@pytest.mark.parametrize("is_full", [False, True])
def test_the_descriptor_is_open_until_the_connection_is_lost_and_nothing_is_written_to_it_afterwards(
    loop: Callable[[], asyncio.AbstractEventLoop],
    end: Callable[[Connection, asyncio.Transport, socket.socket], None],
    is_full: bool,
) -> None:
    async def facts() -> None:
        ours, theirs = socket.socketpair()
        connection, told, transport, peer = await connected()
        with peer:
            connection.write(b"x" * (100_000 if is_full else 10))
            end(connection, transport, peer)
            # A loop that writes all the while meets the end at every stage.
            while not told.ended.is_set():
                connection.write(b"y" * 1_000)
                if is_full and peer.fileno() >= 0:
                    _drain(peer)
                await asyncio.sleep(0)
            assert told.said.count("lost") == 1
            with pytest.raises(OSError, match="Bad file descriptor"):
                os.fstat(told.descriptor)
            # Whoever gets the number next hears nothing of what was meant for another.
            with ours, theirs:
                os.dup2(ours.fileno(), told.descriptor)
                connection.write(b"z")
                theirs.setblocking(False)
                with pytest.raises(BlockingIOError):
                    theirs.recv(1)
                os.close(told.descriptor)

    run(loop, facts())


def _drain(peer: socket.socket) -> None:
    with contextlib.suppress(BlockingIOError, ConnectionResetError):
        peer.recv(1 << 20)
