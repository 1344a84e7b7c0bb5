"""The WebSocket of a reader: a small protocol over a transport whose handshake is over. Knows no HTTP and no server."""

from __future__ import annotations

import asyncio
import ctypes
from socket import MSG_DONTWAIT
from typing import Any, Protocol, cast

from channels.event_loop_budget import Rounds
from channels.sockets.frames import CLOSE, PING, PONG, Limits, Parser, Violation, build, close_frame
from channels.sockets.resetting import reset

# What a peer may have unread of our answers to its pings: it asked for them, and does not take them.
MAX_UNREAD_PONG_BYTES = 64 * 1024
MAX_CONTROL_FRAMES_AT_ONCE = 1_000
MAX_DEAF_BYTES = 1024 * 1024
# So much is parsed before others have their turn, and so much may wait for its turn before we stop reading.
SLICE_BYTES = 8 * 1024
# What all connections together may have waiting for their turns; beyond it those go that have sent more than a page
# ever does, and beyond twice as much all.
MAX_WAITING_BYTES = 8 * 1024 * 1024
FEW_BYTES = 1024
CLOSE_SECONDS = 5.0
HIGH_WATER_BYTES = 16 * 1024
LOW_WATER_BYTES = 4 * 1024
POLICY, RESTART = 1008, 1012
# By ctypes, since it keeps the interpreter's lock: `os.write` gives it away each time, and whichever thread computes
# keeps it for 5 ms.
_send = ctypes.PyDLL(None).send
_send.restype = ctypes.c_ssize_t
# Not its arguments: to check them costs half as much again as the call. libffi widens integers as C does, and bytes are
# their address.
_NO_DESCRIPTOR = -1
PING_FRAME = build(PING, b"")


class Listener(Protocol):
    """Receives the messages of a connection. Never awaited: slow work belongs in the listener's own task."""

    def received(self, message: str | bytes) -> None: ...

    def fell_behind(self) -> None:
        """More is unwritten than the high-water mark: the peer reads too slowly."""

    def drained(self) -> None:
        """Unwritten data is below the low-water mark again."""

    def lost(self) -> None:
        """The connection is gone; called once."""


class _Nobody:
    """Listens to a connection that is gone."""

    def received(self, message: str | bytes) -> None: ...

    def fell_behind(self) -> None: ...

    def drained(self) -> None: ...

    def lost(self) -> None: ...


_NOBODY = _Nobody()


class Connection(asyncio.Protocol):
    """An accepted WebSocket, in as few bytes as will do: thousands of them wait for most of their lives."""

    __slots__ = (
        "_connections",
        "_descriptor",
        "_has_peer_ended",
        "_is_closing",
        "_listener",
        "_parser",
        "_queues",
        "_rounds",
        "_transport",
        "_unparsed",
        "_who",
        "deflates",
        "silent_beats",
    )

    def __init__(
        self,
        transport: asyncio.Transport,
        connections: set[Any],
        limits: Limits,
        listener: Listener,
        rounds: Rounds,
        who: str = "",
        *,
        deflates: bool = False,
    ) -> None:
        self._transport = transport
        self._rounds = rounds
        # Takes turns with others: an address.
        self._who = who
        self._unparsed = b""
        self._has_peer_ended = False
        # The kernel's socket, if data is written to it unchanged (no TLS).
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
        """Abort the connection, dropping what the peer has not read."""
        self._is_closing = True
        reset(self._transport)

    def shutdown(self) -> None:
        """End it with the server."""
        self.close(RESTART)

    def data_received(self, data: bytes) -> None:
        self.silent_beats = 0
        if self._unparsed:
            self._put_off(data)
        elif self._rounds.has_time():
            self._read(data)
        else:
            self._put_off(data)
            self._rounds.later(self._who, self._read_on)

    def _put_off(self, data: bytes) -> None:
        self._unparsed += data
        rounds = self._rounds
        rounds.held_bytes += len(data)
        held = len(self._unparsed)
        if rounds.held_bytes > (MAX_WAITING_BYTES if held > FEW_BYTES else 2 * MAX_WAITING_BYTES):
            self.abort()
        elif held >= SLICE_BYTES:
            self._transport.pause_reading()

    def _read_on(self) -> None:
        data, self._unparsed = self._unparsed, b""
        self._rounds.held_bytes -= len(data)
        if self._transport.is_closing():
            return
        if len(data) >= SLICE_BYTES:
            self._transport.resume_reading()
        self._read(data)
        if self._has_peer_ended and not self._unparsed:
            self._transport.close()

    def _read(self, data: bytes) -> None:
        """Take what has been sent, as far as there is time; the rest waits for its turn."""
        for start in range(0, len(data), SLICE_BYTES):
            if start and not self._rounds.has_time():
                self._put_off(data[start:])
                self._rounds.later(self._who, self._read_on)
                return
            self._parse(data[start : start + SLICE_BYTES] if len(data) > SLICE_BYTES else data)
            if self._transport.is_closing():
                return

    def _parse(self, data: bytes) -> None:
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
                        raise Violation(POLICY, "data after the close frame")
                    self._listener.received(cast("str | bytes", content))
        except Violation as violation:
            self._fail(violation)
            return
        self._answer(pongs)

    def eof_received(self) -> bool:
        # The last that was sent may wait for its turn, and have a close frame in it; else the transport closes itself.
        self._has_peer_ended = True
        self._is_closing = self._is_closing or not self._unparsed
        return bool(self._unparsed)

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_closing = True
        self._rounds.held_bytes -= len(self._unparsed)
        self._unparsed = b""
        self._connections.discard(self)
        # It knows this connection: of thousands who leave nothing should wait for the collector.
        listener, self._listener = self._listener, _NOBODY
        listener.lost()

    def pause_writing(self) -> None:
        self._listener.fell_behind()

    def resume_writing(self) -> None:
        self._listener.drained()

    def _answer(self, pongs: list[bytes]) -> None:
        """Write the answers to pings that arrived together in one piece, before any later frame."""
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
    """Replaces a parser after a protocol error."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = MAX_DEAF_BYTES

    def feed(self, data: bytes) -> tuple[()]:
        self._left -= len(data)
        if self._left < 0:
            raise Violation(POLICY, "data after the close frame")
        return ()


def take_over(
    transport: asyncio.Transport,
    connections: set[Any],
    limits: Limits,
    listener: Listener,
    rounds: Rounds,
    who: str = "",
    *,
    deflates: bool = False,
) -> Connection:
    """Return the `Connection` that reads and writes over `transport` from now on; the handshake is over.

    What `who` sends takes turns in `rounds` with what others send.
    """
    connection = Connection(transport, connections, limits, listener, rounds, who, deflates=deflates)
    connections.add(connection)
    transport.set_write_buffer_limits(HIGH_WATER_BYTES, LOW_WATER_BYTES)
    transport.set_protocol(connection)
    return connection
