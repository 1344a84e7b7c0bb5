"""One connection: the threads it follows, and the wire to it. Never makes anybody wait."""

from __future__ import annotations

import asyncio
from typing import Protocol

MAX_UNWRITTEN_BYTES = 1024 * 1024
MAX_THREADS = 20
TOO_SLOW = 4008
SIGNED_OUT = 4001


def text_frame(content: bytes) -> bytes:
    """Return the one unmasked, final text frame that carries `content` (RFC 6455, 5.2)."""
    length = len(content)
    if length < 126:
        return bytes((0x81, length)) + content
    if length < 65_536:
        return b"\x81\x7e" + length.to_bytes(2) + content
    return b"\x81\x7f" + length.to_bytes(8) + content


class Wire(Protocol):
    """Takes frames as they go over the line."""

    @property
    def unwritten_bytes(self) -> int: ...

    def write(self, frame: bytes) -> None: ...


class Reader:
    """Frames go out by `offer`, which never blocks.

    A reader that lets more than 1 MiB pile up is to be cut: it comes back and resumes by version.
    """

    __slots__ = ("_wire", "account", "close_code", "name", "over", "threads", "typed_at")

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.threads: set[str] = set()
        self.account: int | None = None
        self.name = ""
        self.typed_at = float("-inf")
        # Set once this reader must go.
        self.over = asyncio.Event()
        self.close_code = 0

    def offer(self, frame: bytes) -> None:
        """Write one frame, as `text_frame` made it."""
        if self.close_code:
            return
        if self._wire.unwritten_bytes + len(frame) > MAX_UNWRITTEN_BYTES:
            self.end(TOO_SLOW)
        else:
            self._wire.write(frame)

    def end(self, close_code: int) -> None:
        """Have the connection closed with `close_code`."""
        self.close_code = close_code
        self.over.set()
