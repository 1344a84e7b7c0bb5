"""What one socket of a stranger asks of the rooms, each function for as long as the server lets it."""

from __future__ import annotations

import json
from collections.abc import Iterable

from tests.torture.attackers import Peer

MAX_THREADS = 20
HANDSHAKE = (
    b"GET /live HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


def _frame(message: dict[str, object]) -> bytes:
    """Return a frame of 126 to 65,535 bytes, masked by zeros."""
    content = json.dumps(message).ljust(126).encode()
    return b"\x81\xfe" + len(content).to_bytes(2) + b"\0\0\0\0" + content


async def _join(peer: Peer, joins: Iterable[dict[str, object]]) -> None:
    await peer.send(HANDSHAKE)
    await peer.receive(4096)
    await peer.send(b"".join(_frame({"type": "join", **join}) for join in joins))
    while await peer.receive(65536):
        pass


async def unused(peer: Peer) -> None:
    """Threads that nobody has used, with the longest keys, and nobody else follows."""
    await _join(peer, ({"thread": f"{peer.number}-{n}-".ljust(200, "x")} for n in range(MAX_THREADS)))


async def unused_in_pairs(peer: Peer) -> None:
    """The same, but that two follow each."""
    await _join(peer, ({"thread": f"p{peer.number // 2}-{n}-".ljust(200, "x")} for n in range(MAX_THREADS)))


async def everywhere(peer: Peer) -> None:
    """A thread that is there, again and again, from a version that nobody else asks for."""
    await _join(peer, ({"thread": peer.key, "after": (peer.number * 20 + n) % 300} for n in range(MAX_THREADS)))
