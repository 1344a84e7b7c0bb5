"""A large answer is lent a send buffer that holds it, as long as there are some, and until it has been read."""

from __future__ import annotations

import asyncio
import socket

import pytest

from server import send_buffers
from server.send_buffers import MOST_LENT, SendBuffers
from tests.processes import eventually

ANSWER = b"x" * 300_000


async def connected() -> tuple[asyncio.Transport, socket.socket]:
    here, peer = socket.socketpair()
    here.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    peer.setblocking(False)
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=here)
    return transport, peer


def size(transport: asyncio.Transport) -> int:
    return int(transport.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF))


async def test_what_the_usual_buffer_does_not_hold_leaves_at_once() -> None:
    buffers = SendBuffers()
    transport, peer = await connected()
    with peer:
        usual = size(transport)
        transport.write(ANSWER)
        assert transport.get_write_buffer_size() > 100_000
        buffers.lend(transport)
        await eventually(lambda: not transport.get_write_buffer_size())
        assert (len(buffers), buffers.take_back()) == (1, 0)
        read = 0
        while read < len(ANSWER):
            read += len(await asyncio.get_running_loop().sock_recv(peer, 1 << 20))
        assert (buffers.take_back(), len(buffers)) == (1, 0)
        assert size(transport) == usual
        transport.abort()


async def test_there_are_only_so_many_and_those_who_are_gone_give_theirs_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(send_buffers, "MOST_LENT", 3)
    assert MOST_LENT > 3
    buffers = SendBuffers()
    all_ = [await connected() for _ in range(4)]
    usual = size(all_[0][0])
    for transport, _ in all_:
        transport.write(ANSWER)
        buffers.lend(transport)
    last = all_[3][0]
    assert (len(buffers), size(last)) == (3, usual)
    all_[0][0].abort()
    buffers.lend(last)
    assert len(buffers) == 3
    assert size(last) > usual
    for transport, peer in all_:
        transport.abort()
        peer.close()
