"""Thousands of readers in one process: raw sockets, one epoll, no parsing beyond the counting of bytes."""

from __future__ import annotations

import base64
import os
import select
import socket
import time

SLICE = 250
UPGRADE = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
)


def masked(text: str) -> bytes:
    """One client frame (RFC 6455, 5.2) under the mask of zeros, which leaves the text as it is."""
    content = text.encode()
    head = bytes([0x81, 0x80 | len(content)]) if len(content) < 126 else b"\x81\xfe" + len(content).to_bytes(2)
    return head + b"\0\0\0\0" + content


class Crowd:
    """Connected and drained readers; `received` counts the bytes of all since the last `forget`."""

    def __init__(self) -> None:
        self._poll = select.epoll()
        self.sockets: dict[int, socket.socket] = {}
        self.received = 0
        self._buffer = bytearray(1 << 20)

    def connect(self, port: int, count: int, greeting: bytes = b"", path: str | None = "/live") -> None:
        """Open `count` connections, in slices; with a path they are upgraded, then each sends `greeting`."""
        for start in range(0, count, SLICE):
            fresh = [socket.create_connection(("127.0.0.1", port)) for _ in range(min(SLICE, count - start))]
            if path is not None:
                for one in fresh:
                    key = base64.b64encode(os.urandom(16)).decode()
                    one.sendall(UPGRADE.format(path=path, key=key).encode())
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
            self.drain(0.0)

    def drain(self, seconds: float) -> None:
        """Read what there is until nothing came for `seconds`."""
        while ready := self._poll.poll(seconds, 4096):
            for descriptor, _ in ready:
                got = self.sockets[descriptor].recv_into(self._buffer)
                self.received += got
                if not got:
                    self._poll.unregister(descriptor)

    def expect(self, least: int, seconds: float = 60) -> None:
        """Read until at least so many bytes have come since the last `forget`."""
        until = time.monotonic() + seconds
        while self.received < least:
            assert time.monotonic() < until, f"{self.received:,} of {least:,} bytes came"
            self.drain(0.05)

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
