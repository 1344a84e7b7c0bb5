"""Echoes text and binary messages: `python -m tests.conformance.echo --port N`, for instance for the Autobahn suite."""

from __future__ import annotations

import argparse
import socket

import uvicorn
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from channels.frames import BINARY, Limits, Text, build
from channels.socket import EXTENSION, Connection, LiveProtocol

MESSAGE_BYTES = 16 * 1024 * 1024


class Echo:
    """Sends back what it hears, for as long as the peer reads."""

    def __init__(self, handshake: LiveProtocol) -> None:
        self._connection: Connection = handshake.hand_over(self)

    def received(self, message: str | bytes) -> None:
        if self._connection.unwritten_bytes > 4 * MESSAGE_BYTES:
            self._connection.abort()
        elif isinstance(message, str):
            self._connection.write(Text(message.encode()).frame(deflated=self._connection.deflates))
        else:
            self._connection.write(build(BINARY, message))

    def fell_behind(self) -> None:
        pass

    def drained(self) -> None:
        pass

    def lost(self) -> None:
        pass


async def echo(peer: WebSocket) -> None:
    handshake: LiveProtocol = peer.scope["extensions"][EXTENSION]
    await peer.accept()
    Echo(handshake)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.echo")
    parser.add_argument("--port", type=int, default=9001, help="0: any free one; it is printed")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--message-bytes", type=int, default=MESSAGE_BYTES, metavar="N")
    parser.add_argument(
        "--fragments", type=int, default=None, metavar="N", help="most fragments of a message (default: any number)"
    )
    given = parser.parse_args()

    class EchoProtocol(LiveProtocol):
        limits = Limits(given.message_bytes, given.fragments)

    listener = socket.create_server((given.host, given.port), backlog=2048)
    print(listener.getsockname()[1], flush=True)
    config = uvicorn.Config(
        Starlette(routes=[WebSocketRoute("/{path:path}", echo)]),
        loop="uvloop",
        http="httptools",
        ws=EchoProtocol,
        ws_per_message_deflate=False,
        ws_ping_interval=None,
        log_level="warning",
        lifespan="off",
    )
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
