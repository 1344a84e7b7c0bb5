"""One connection: the threads it follows, and what was not yet written to it. Never makes anybody wait."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

MAX_UNWRITTEN_BYTES = 1024 * 1024
MAX_THREADS = 20
TOO_SLOW = 4008
SIGNED_OUT = 4001


class Reader:
    """Frames go in by `offer`, which never blocks, and out by `write_frames`.

    A reader that lets more than 1 MiB pile up is to be cut: it comes back and resumes by version.
    """

    __slots__ = ("_frames", "_ready", "_unwritten", "account", "close_code", "name", "over", "threads", "typed_at")

    def __init__(self) -> None:
        self.threads: set[str] = set()
        self.account: int | None = None
        self.name = ""
        self.typed_at = float("-inf")
        # Set once this reader must go: its writer may be stuck in a send, so somebody else must hear of it.
        self.over = asyncio.Event()
        self.close_code = 0
        self._frames: deque[bytes] = deque()
        self._unwritten = 0
        self._ready = asyncio.Event()

    def offer(self, frame: bytes) -> None:
        if self.over.is_set():
            return
        if self._unwritten + len(frame) > MAX_UNWRITTEN_BYTES and self._frames:
            self._frames.clear()
            self.end(TOO_SLOW)
        else:
            self._frames.append(frame)
            self._unwritten += len(frame)
        self._ready.set()

    def end(self, close_code: int) -> None:
        """Have the connection closed with `close_code`."""
        self.close_code = close_code
        self.over.set()

    async def write_frames(self, send: Callable[[str], Awaitable[None]]) -> None:
        """Write what was offered with `send`, in order, until this task is cancelled."""
        while True:
            await self._ready.wait()
            self._ready.clear()
            while self._frames:
                frame = self._frames.popleft()
                await send(frame.decode())
                self._unwritten -= len(frame)
