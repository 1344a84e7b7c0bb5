"""Thousands of readers in one process: raw sockets, one epoll, no parsing beyond the counting of bytes."""

from __future__ import annotations

import json
import select
import socket
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

SLICE = 250
TEXT_FRAME, DEFLATED_TEXT_FRAME = 0x81, 0xC1
PING, PONG = b"\x89\x00", b"\x8a\x80\0\0\0\0"
UPGRADE = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n{more}\r\n"
)
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
OFFER = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"


def masked(text: str) -> bytes:
    """One client frame (RFC 6455, 5.2) under the mask of zeros, which leaves the text as it is."""
    content = text.encode()
    head = bytes([0x81, 0x80 | len(content)]) if len(content) < 126 else b"\x81\xfe" + len(content).to_bytes(2)
    return head + b"\0\0\0\0" + content


@dataclass(slots=True)
class Watched:
    """One reader whose bytes are kept, each piece with the time at which it came (seconds since 1970)."""

    pieces: list[tuple[float, bytes]] = field(default_factory=list)

    def length_of(self, is_it: Callable[[dict[str, Any]], bool]) -> int:
        """Return the length of the first frame with this message; 0: it did not come yet."""
        return next((length for _, length, message in self.frames() if is_it(message)), 0)

    def messages(self) -> Iterator[tuple[float, dict[str, Any]]]:
        """Yield what was read, each message with the time of its last byte."""
        return ((at, message) for at, _, message in self.frames())

    def frames(self) -> Iterator[tuple[float, int, dict[str, Any]]]:
        """Yield the same with the lengths of the frames."""
        rest = b""
        for at, piece in self.pieces:
            rest += piece
            while len(rest) >= 2:
                width = {126: 2, 127: 8}.get(rest[1], 0)
                start = 2 + width
                length = int.from_bytes(rest[2:start]) if width else rest[1]
                if len(rest) < start + length:
                    break
                content = rest[start : start + length]
                if rest[0] == DEFLATED_TEXT_FRAME:
                    content = zlib.decompressobj(-zlib.MAX_WBITS).decompress(content + b"\0\0\xff\xff")
                if rest[0] in (TEXT_FRAME, DEFLATED_TEXT_FRAME):
                    yield at, start + length, json.loads(content)
                rest = rest[start + length :]


class Crowd:
    """Connected and drained readers; `received` counts the bytes of all since the last `forget`.

    Where nobody asks when something came, it naps between looks.
    """

    def __init__(self, nap_seconds: float = 0.0) -> None:
        self._nap_seconds = nap_seconds
        self._poll = select.epoll()
        self.sockets: dict[int, socket.socket] = {}
        self.received = 0
        self._buffer = bytearray(1 << 20)
        self.watched: dict[int, Watched] = {}
        self.bytes_of: dict[int, int] = {}
        self.gone = 0

    def watch(self, count: int) -> None:
        """Keep from now on what `count` of them, spread over all, receive."""
        step = max(1, len(self.sockets) // count)
        self.watched = {descriptor: Watched() for descriptor in list(self.sockets)[::step]}
        self.bytes_of.clear()

    def connect(
        self, port: int, count: int, greeting: bytes = b"", path: str | None = "/live", offer: str = ""
    ) -> list[int]:
        """Open `count` connections, in slices; with a path they are upgraded, then each sends `greeting`."""
        opened = []
        for start in range(0, count, SLICE):
            fresh = [socket.create_connection(("127.0.0.1", port)) for _ in range(min(SLICE, count - start))]
            if path is not None:
                for one in fresh:
                    one.sendall(UPGRADE.format(path=path, key=KEY, more=offer).encode())
                for one in fresh:
                    answer = b""
                    while b"\r\n\r\n" not in answer:
                        answer += one.recv(4096)
                    assert answer.startswith(b"HTTP/1.1 101"), answer[:200]
                    if greeting:
                        one.sendall(greeting)
            for one in fresh:
                one.setblocking(False)
                self.sockets[one.fileno()] = one
                self._poll.register(one.fileno(), select.EPOLLIN)
                opened.append(one.fileno())
            self.drain(0.0)
        return opened

    def leave(self, descriptors: list[int]) -> None:
        for descriptor in descriptors:
            self.bytes_of.pop(descriptor, None)
            self.sockets.pop(descriptor).close()

    def drain_for(self, seconds: float) -> None:
        """Read whatever comes, for so long."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.drain(min(0.01, left), until)

    def drain(self, seconds: float, until: float = float("inf")) -> None:
        """Read what there is until nothing but pings came for `seconds`, or it is `until` (monotonic)."""
        quiet_at = time.monotonic() + seconds
        # Awake in between, every send would have to wake us, which no send to another machine does.
        time.sleep(self._nap_seconds)
        while ready := self._poll.poll(max(0.0, min(quiet_at, until) - time.monotonic()), 4096):
            for descriptor, _ in ready:
                if not self._read(descriptor):
                    quiet_at = time.monotonic() + seconds
            if time.monotonic() >= until:
                return
            time.sleep(self._nap_seconds)

    def _read(self, descriptor: int) -> bool:
        """Read what one of them got, and say whether it was a ping and nothing else."""
        try:
            got = self.sockets[descriptor].recv_into(self._buffer)
        except ConnectionError:
            got = 0
        if not got:
            self.gone += 1
            self._poll.unregister(descriptor)
        # No text has these two bytes: a ping, which has to be answered within a minute.
        if self._buffer.find(PING, 0, got) >= 0:
            self.sockets[descriptor].send(PONG)
            if got == len(PING):
                return True
        self.received += got
        self.bytes_of[descriptor] = self.bytes_of.get(descriptor, 0) + got
        if descriptor in self.watched:
            self.watched[descriptor].pieces.append((time.time(), bytes(self._buffer[:got])))
        return False

    def expect(self, least: int, seconds: float = 60) -> None:
        """Read until at least so many bytes have come since the last `forget`."""
        until = time.monotonic() + seconds
        while self.received < least:
            assert time.monotonic() < until, f"{self.received:,} of {least:,} bytes came"
            self.drain(0.05)

    def expect_frame(self, is_it: Callable[[dict[str, Any]], bool], seconds: float = 60) -> int:
        """Read until all that are watched got this message; return the length of its frame, head and all."""
        until = time.monotonic() + seconds
        while True:
            self.drain(0.05, until)
            found = [one.length_of(is_it) for one in self.watched.values()]
            if all(found):
                return found[0]
            assert time.monotonic() < until, f"{sum(map(bool, found))} of {len(found)} that are watched got it"

    def forget(self) -> None:
        self.received = 0

    def say(self, text: str) -> None:
        """Let one of them speak."""
        next(iter(self.sockets.values())).sendall(masked(text))

    def close(self) -> None:
        for one in self.sockets.values():
            one.close()
        self.sockets.clear()
        self._poll.close()
