"""A connection that is cut leaves nothing with the kernel; one whose peer has read everything ends like any other."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import pytest

from channels.sockets.resetting import is_read, reset
from tests.processes import eventually


async def connected() -> tuple[asyncio.Transport, socket.socket]:
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        peer = socket.socket()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.connect(listener.getsockname())
        here, _ = listener.accept()
    here.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
    here.setblocking(False)
    peer.setblocking(False)
    transport, _ = await loop.create_connection(asyncio.Protocol, sock=here)
    return transport, peer


async def read_all(peer: socket.socket) -> bytes:
    loop, read = asyncio.get_running_loop(), b""
    while piece := await loop.sock_recv(peer, 65536):
        read += piece
    return read


async def test_what_the_peer_has_not_read_is_dropped() -> None:
    transport, peer = await connected()
    with contextlib.closing(peer):
        # As much as the kernel takes, and nothing that waits here.
        transport.write(bytes(40_000))
        assert transport.get_write_buffer_size() == 0
        assert not is_read(transport)
        reset(transport)
        with pytest.raises(ConnectionResetError):
            await read_all(peer)


async def test_a_peer_that_has_read_everything_sees_an_ordinary_end() -> None:
    transport, peer = await connected()
    with contextlib.closing(peer):
        transport.write(b"all")
        await eventually(lambda: is_read(transport))
        reset(transport)
        assert await read_all(peer) == b"all"
