"""The WebSocket of a reader: a small protocol that takes the place of whichever answered the handshake.

Relies on internals of uvicorn's sans-IO protocol, each held by a test.
"""

from __future__ import annotations

import asyncio
import base64
import ctypes
import hashlib
import re
from socket import MSG_DONTWAIT
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from channels import deflate
from channels.frames import CLOSE, PING, PONG, Limits, Parser, Violation, build, close_frame

if TYPE_CHECKING:
    from websockets.http11 import Request

EXTENSION = "livethread.handshake"
# What a peer may have unread of our answers to its pings: it asked for them, and does not take them.
MAX_UNREAD_PONG_BYTES = 64 * 1024
MAX_CONTROL_FRAMES_AT_ONCE = 1_000
MAX_EARLY_BYTES = 64 * 1024
MAX_DEAF_BYTES = 1024 * 1024
CLOSE_SECONDS = 5.0
HIGH_WATER_BYTES = 16 * 1024
LOW_WATER_BYTES = 4 * 1024
POLICY, RESTART = 1008, 1012
# By ctypes, since it keeps the interpreter's lock: `os.write` gives it away each time, and whichever thread computes
# keeps it for 5 ms.
_send = ctypes.PyDLL(None).send
_NO_DESCRIPTOR = -1
PING_FRAME = build(PING, b"")
_ONCE = (b"host", b"upgrade", b"sec-websocket-key", b"sec-websocket-version")
_UNUSUAL = {b"content-length", b"transfer-encoding", b"sec-websocket-protocol"}
_OFFERS = b"sec-websocket-extensions"
_KEY = re.compile(rb"[A-Za-z0-9+/]{21}[AQgw]==")
_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_ACCEPT = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: %s\r\n%s\r\n"
)
_UNREADABLE = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
_EXTENSIONS = b"Sec-WebSocket-Extensions: " + deflate.ANSWER + b"\r\n"


class Listener(Protocol):
    """Who is told of what comes over a connection. Never awaited: what takes time is the listener's own task."""

    def received(self, message: str | bytes) -> None: ...

    def fell_behind(self) -> None:
        """More is unwritten than the high-water mark: the peer reads too slowly."""

    def drained(self) -> None:
        """What was unwritten is below the low-water mark again."""

    def lost(self) -> None:
        """The connection is gone; called once."""


class Connection(asyncio.Protocol):
    """An accepted WebSocket, in as few bytes as will do: thousands of them wait for most of their lives."""

    __slots__ = (
        "_connections",
        "_descriptor",
        "_is_closing",
        "_listener",
        "_parser",
        "_queues",
        "_transport",
        "deflates",
        "silent_beats",
    )

    def __init__(
        self,
        transport: asyncio.Transport,
        connections: set[Any],
        limits: Limits,
        listener: Listener,
        *,
        deflates: bool = False,
    ) -> None:
        self._transport = transport
        # The kernel's socket, where what is written goes over it as it is.
        is_plain = transport.get_extra_info("sslcontext") is None
        self._descriptor = transport.get_extra_info("socket").fileno() if is_plain else _NO_DESCRIPTOR
        # Whether the transport may hold something that goes first.
        self._queues = True
        self._connections = connections
        self._listener = listener
        self._parser: Parser | _Deaf = Parser(limits, is_deflating=deflates)
        # Whether the peer takes compressed frames, too.
        self.deflates = deflates
        self._is_closing = False
        self.silent_beats = 0

    @property
    def unwritten_bytes(self) -> int:
        return self._transport.get_write_buffer_size()

    def write(self, frame: bytes) -> None:
        """Write one whole frame, after those before it; nothing where the connection is ending.

        Straight to the socket while it takes all: the transport would add a sixth to the cost of a delivery. It closes
        the socket only after `connection_lost`, so that the descriptor is ours until then.
        """
        if self._is_closing:
            return
        if self._queues:
            self._queues = self._descriptor == _NO_DESCRIPTOR or self._transport.get_write_buffer_size() > 0
        if not self._queues:
            sent = _send(self._descriptor, frame, len(frame), MSG_DONTWAIT)
            if sent == len(frame):
                return
            # Full, or broken: the transport knows what to do about either.
            self._queues = True
            frame = frame[max(sent, 0) :]
        self._transport.write(frame)

    def close(self, code: int, reason: str = "") -> None:
        """Say goodbye, and end the connection when the peer has answered, or after 5 s."""
        if not self._is_closing:
            self._transport.write(close_frame(code, reason))
            self._is_closing = True
            asyncio.get_running_loop().call_later(CLOSE_SECONDS, self._transport.abort)

    def abort(self) -> None:
        """End the connection at once, whatever was not written."""
        self._is_closing = True
        self._transport.abort()

    def shutdown(self) -> None:
        """End it with the server; uvicorn calls this."""
        self.write(close_frame(RESTART))
        self._is_closing = True
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        self.silent_beats = 0
        pongs: list[bytes] = []
        controls = 0
        try:
            for opcode, content in self._parser.feed(data):
                if opcode == CLOSE:
                    self._answer_close(cast("int", content))
                    return
                if opcode in (PING, PONG):
                    controls += 1
                    if controls > MAX_CONTROL_FRAMES_AT_ONCE:
                        raise Violation(POLICY, "too many control frames")
                    if opcode == PING:
                        pongs.append(build(PONG, cast("bytes", content)))
                else:
                    self._answer(pongs)
                    if self._is_closing:
                        # After the end nothing is unfolded any more but this one.
                        raise Violation(POLICY, "it goes on after the end")
                    self._listener.received(cast("str | bytes", content))
        except Violation as violation:
            self._fail(violation)
            return
        self._answer(pongs)

    def eof_received(self) -> None:
        # Without a close frame before it: the transport closes itself.
        self._is_closing = True

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_closing = True
        self._connections.discard(self)
        self._listener.lost()

    def pause_writing(self) -> None:
        self._listener.fell_behind()

    def resume_writing(self) -> None:
        self._listener.drained()

    def _answer(self, pongs: list[bytes]) -> None:
        """Write the answers to pings that came together, in one piece and before what comes after them."""
        if not pongs:
            return
        if self.unwritten_bytes > MAX_UNREAD_PONG_BYTES:
            self.abort()
        else:
            self.write(b"".join(pongs))
            pongs.clear()

    def _answer_close(self, code: int) -> None:
        # Where we spoke first, this is the answer.
        self.write(close_frame(code))
        self._is_closing = True
        self._transport.close()

    def _fail(self, violation: Violation) -> None:
        """Close with the code, and read on without listening: a reset would take the close frame with it."""
        if isinstance(self._parser, _Deaf):
            self.abort()
            return
        self.close(violation.code, violation.reason)
        self._parser = _Deaf()
        if self._transport.can_write_eof():
            self._transport.write_eof()


class _Deaf:
    """Takes the place of a parser that can make no more sense of what comes."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = MAX_DEAF_BYTES

    def feed(self, data: bytes) -> tuple[()]:
        self._left -= len(data)
        if self._left < 0:
            raise Violation(POLICY, "it goes on after the end")
        return ()


class LiveProtocol(WebSocketsSansIOProtocol):
    """Offers itself to the application as the scope's extension `livethread.handshake`; who has accepted may
    `hand_over`. It reads no frame itself.
    """

    limits: ClassVar[Limits] = Limits()
    _early = b""
    _deflates = False

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if self.response.status_code == 101:
            self.scope["extensions"][EXTENSION] = self  # type: ignore[assignment]
            offers = ",".join(event.headers.get_all("Sec-WebSocket-Extensions"))
            self._deflates = deflate.is_offered(offers.encode("latin-1"))
            if self._deflates:
                self.response.headers["Sec-WebSocket-Extensions"] = deflate.ANSWER.decode()

    def data_received(self, data: bytes) -> None:
        if not self.handshake_initiated:
            # All of the head; where the library cannot read it, it says nothing and waits for no end.
            super().data_received(data)
            if not self.handshake_initiated:
                self.transport.write(b"".join(self.conn.data_to_send()) or _UNREADABLE)
                self.transport.close()
        elif len(self._early) + len(data) > MAX_EARLY_BYTES:
            self.transport.abort()
        else:
            # A client that did not wait for the answer.
            self._early += data

    def hand_over(self, listener: Listener) -> Connection:
        """Give the connection to a `Connection` and let go of everything else. To be called right after accept."""
        self.stop_keepalive()
        self.connections.discard(self)
        transport, self.transport = self.transport, NO_TRANSPORT
        # Nothing of the handshake is needed; without its circles it goes at once, not at the next collection.
        self.conn.parser.close()
        del self.scope["extensions"][EXTENSION]
        connection = take_over(transport, self.connections, self.limits, listener, deflates=self._deflates)
        if self._early:
            asyncio.get_running_loop().call_soon(connection.data_received, self._early)
        return connection


def take_over(
    transport: asyncio.Transport, connections: set[Any], limits: Limits, listener: Listener, *, deflates: bool = False
) -> Connection:
    """Return the `Connection` that reads and writes over `transport` from now on; the handshake is over."""
    connection = Connection(transport, connections, limits, listener, deflates=deflates)
    connections.add(connection)
    transport.set_write_buffer_limits(HIGH_WATER_BYTES, LOW_WATER_BYTES)
    transport.set_protocol(connection)
    return connection


def plain_handshake(headers: list[tuple[bytes, bytes]]) -> tuple[bytes, bool] | None:
    """Return the answer to a handshake as every browser makes it (RFC 6455, 4.2.2), and whether it agrees to
    compression; None for any other.

    `headers` are those of a GET by HTTP/1.1 that asks for the upgrade to WebSocket, their names in lower case.
    """
    names = [name for name, _ in headers]
    if any(names.count(name) != 1 for name in _ONCE) or names.count(b"origin") > 1 or not _UNUSUAL.isdisjoint(names):
        return None
    values = dict(headers)
    key = values[b"sec-websocket-key"]
    if values[b"sec-websocket-version"] != b"13" or not _KEY.fullmatch(key) or len(values.get(_OFFERS, b"")) > 500:
        return None
    accept = base64.b64encode(hashlib.sha1(key + _MAGIC, usedforsecurity=False).digest())
    offers = b",".join(value for name, value in headers if name == _OFFERS)
    deflates = deflate.is_offered(offers)
    return _ACCEPT % (accept, _EXTENSIONS if deflates else b""), deflates


class _NoTransport(asyncio.Transport):
    """What remains of a handshake has no connection that it could close."""

    def close(self) -> None:
        pass


NO_TRANSPORT = _NoTransport()
