"""The way in for sockets, by the server's own endpoint: who is counted, and until when."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.types import Message
from starlette.websockets import WebSocket

from channels.heartbeat import Heartbeat
from channels.hub import Hub
from server.app import DatabaseSource
from server.limits import Admission
from server.settings import read
from server.storage.database import Database
from server.web.context import LiveContext, LiveState
from server.web.live import live
from server.web.shared import Shared

SETTINGS = read({"LIVETHREAD_SECRET": "a-secret-of-the-tests", "LIVETHREAD_LIMIT_SOCKETS_ADDRESS": "2"})


class Gone(Exception):
    """The peer went away before the handshake was answered."""


@dataclass
class Peer:
    """A handshake whose answer can only leave once the line takes it: then it breaks."""

    answers: list[Message] = field(default_factory=list)
    line: asyncio.Event = field(default_factory=asyncio.Event)

    async def receive(self) -> Message:
        return {"type": "websocket.connect"}

    async def send(self, message: Message) -> None:
        self.answers.append(message)
        if message["type"] == "websocket.accept":
            await self.line.wait()
            raise Gone

    def socket(self, context: LiveContext) -> WebSocket[LiveState]:
        scope: dict[str, Any] = {
            "type": "websocket",
            "path": "/live",
            "headers": [],
            "client": ("192.0.2.1", 1),
            "state": {"live": context},
            "extensions": {"livethread.handshake": None, "websocket.http.response": {}},
        }
        return WebSocket(scope, self.receive, self.send)


async def test_a_handshake_is_counted_before_it_is_answered_and_no_more_once_it_fails(database: Database) -> None:
    admission = Admission(None, SETTINGS.limit_sockets_address)
    hub = Hub(DatabaseSource(database, Shared(asyncio.TaskGroup())))
    context = LiveContext(SETTINGS, hub, (), admission, Heartbeat(), None)
    peers = [Peer() for _ in range(5)]
    ways_in = [asyncio.ensure_future(live(peer.socket(context))) for peer in peers]
    await asyncio.wait(ways_in[2:])
    assert [peer.answers[0]["type"] for peer in peers[:2]] == ["websocket.accept"] * 2
    assert [peer.answers[0].get("status") for peer in peers[2:]] == [429] * 3
    for peer, way_in in zip(peers, ways_in[:2], strict=False):
        peer.line.set()
        with pytest.raises(Gone):
            await way_in
    assert not admission.is_full_of("192.0.2.1")
