"""Echoes text and binary messages: `python -m tests.conformance.echo --port N`, for instance for the Autobahn suite."""

from __future__ import annotations

import argparse
import asyncio
import socket
from typing import Any

import uvloop

from channels.event_loop_budget import Rounds
from channels.sockets.connection import Connection, take_over
from channels.sockets.frames import BINARY, Limits, Text, build
from server.transport import handshake

MESSAGE_BYTES = 16 * 1024 * 1024


class Echo:
    """Sends back what it hears, for as long as the peer reads."""

    connection: Connection

    def received(self, message: str | bytes) -> None:
        if self.connection.unwritten_bytes > 4 * MESSAGE_BYTES:
            self.connection.abort()
        elif isinstance(message, str):
            self.connection.write(Text(message.encode()).frame(deflated=self.connection.deflates))
        else:
            self.connection.write(build(BINARY, message))

    def fell_behind(self) -> None:
        pass

    def drained(self) -> None:
        pass

    def lost(self) -> None:
        pass


class Handshake(asyncio.Protocol):
    """Reads a head that the suite wrote, and hands the connection over."""

    def __init__(self, limits: Limits, rounds: Rounds) -> None:
        self._limits = limits
        self._rounds = rounds
        self._read = b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._read += data
        head, end, early = self._read.partition(b"\r\n\r\n")
        if not end:
            return
        lines = [line.partition(b":") for line in head.split(b"\r\n")[1:]]
        answer, deflates = handshake.agree([(name.lower(), value.strip()) for name, _, value in lines])
        self._transport.write(answer)
        echo = Echo()
        echo.connection = take_over(self._transport, set(), self._limits, echo, self._rounds, deflates=deflates)
        if early:
            echo.connection.data_received(early)


async def serve(host: str, port: int, limits: Limits) -> None:
    listener = socket.create_server((host, port), backlog=2048)
    print(listener.getsockname()[1], flush=True)
    rounds = Rounds()
    server = await asyncio.get_running_loop().create_server(lambda: Handshake(limits, rounds), sock=listener)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.echo")
    parser.add_argument("--port", type=int, default=9001, help="0: any free one; it is printed")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--message-bytes", type=int, default=MESSAGE_BYTES, metavar="N")
    parser.add_argument(
        "--fragments", type=int, default=None, metavar="N", help="most fragments of a message (default: any number)"
    )
    given = parser.parse_args()
    uvloop.run(serve(given.host, given.port, Limits(given.message_bytes, given.fragments)))


if __name__ == "__main__":
    main()
