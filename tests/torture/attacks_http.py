"""What one connection of a stranger does by HTTP, each function for as long as the server lets it."""

from __future__ import annotations

import asyncio

from tests.torture.attackers import Peer

# A thread of thousands of roots.
RANKED = "ranked"
CHUNKED = b"POST /api/session HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


def _post(target: bytes, length: int, type_: bytes = b"application/json") -> bytes:
    head = b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n"
    return head % (target, type_, length)


def large_answer(key: str, number: int) -> str:
    """Return the address of a page of a thread. Each asks for another one, so that none is shared."""
    return f"/api/threads/{key}?limit=200&cursor={number % 200 or 1}"


def _asks_for_much(peer: Peer) -> bytes:
    return f"GET {large_answer(peer.key, peer.number)} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


async def polls(peer: Peer) -> None:
    await peer.send(_post(b"/internal/poll", 4 * 1024 * 1024))
    await peer.send(b"x" * (4 * 1024 * 1024 - 1))
    await peer.stay_deaf()


async def bodies(peer: Peer) -> None:
    await peer.send(_post(b"/api/session", 64 * 1024) + b" " * (64 * 1024 - 1))
    await peer.stay()


async def single_bytes(peer: Peer) -> None:
    await peer.send(_post(b"/api/session", 60_000))
    while True:
        await peer.send(b" ")
        await asyncio.sleep(0.01)


async def forms(peer: Peer) -> None:
    field = b'--b\r\nContent-Disposition: form-data; name="n"\r\n\r\nx\r\n'
    fields = field * 1_000
    await peer.send(_post(b"/login", 60_000, b"multipart/form-data; boundary=b") + fields[:59_999])
    await peer.stay()


async def unread(peer: Peer) -> None:
    await peer.send(_asks_for_much(peer))
    await peer.stay_deaf()


async def rankings(peer: Peer) -> None:
    """The best of a long thread, each time by an address that no answer is kept for."""
    target = f"/api/threads/{RANKED}?sort=top&limit=1&replies={peer.number % 200 + 1}"
    await peer.send(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    await peer.stay_deaf()


async def trickle(peer: Peer) -> None:
    await peer.send(_asks_for_much(peer))
    ended = False
    while not ended:
        ended = not await peer.receive(1)
        await asyncio.sleep(1)


async def trailers(peer: Peer) -> None:
    await peer.send(CHUNKED + b"0\r\n")
    await peer.send_for_ever(b"X: " + b"y" * 60_000 + b"\r\n")


async def extensions(peer: Peer) -> None:
    await peer.send(CHUNKED)
    await peer.send_for_ever(b"1;" + b"x" * 60_000)


async def pipelined(peer: Peer) -> None:
    await peer.send_for_ever(b"GET /login HTTP/1.1\r\nHost: x\r\n\r\n" * 5_000)


async def half_heads(peer: Peer) -> None:
    await peer.send(b"GET / HTTP/1.1\r\nHost: x\r\n" + b"a:b\r\n" * 95 + b"X: " + b"y" * 15_500)
    await peer.stay()


async def wide_heads(peer: Peer) -> None:
    lines = b"".join(b"name-%d: %s\r\n" % (number, b"v" * 120) for number in range(95))
    await peer.send(b"GET /health HTTP/1.1\r\nHost: x\r\n" + lines + b"\r\n")
    await peer.stay_deaf()


async def silent(peer: Peer) -> None:
    await peer.stay()


async def malformed(peer: Peer) -> None:
    await peer.send(b"nonsense\r\n\r\n")
    await peer.receive(4096)
