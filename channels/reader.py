"""One connection: the threads it follows, and what was not yet written to it. Never makes anybody wait."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

MAX_UNWRITTEN_BYTES = 1024 * 1024
MAX_THREADS = 20


class Reader:
    """Frames go in by `offer`, which never blocks, and out by `write_frames`.

    A reader that lets more than 1 MiB pile up is to be cut: it comes back and resumes by version.
    """

    __slots__ = ("_frames", "_ready", "_unwritten", "account", "cut", "threads")

    def __init__(self) -> None:
        self.threads: set[str] = set()
        self.account: int | None = None
        # Set once this reader is too slow: its writer may be stuck in a send, so somebody else must hear of it.
        self.cut = asyncio.Event()
        self._frames: deque[bytes] = deque()
        self._unwritten = 0
        self._ready = asyncio.Event()

    def offer(self, frame: bytes) -> None:
        if self.cut.is_set():
            return
        if self._unwritten + len(frame) > MAX_UNWRITTEN_BYTES and self._frames:
            self.cut.set()
            self._frames.clear()
        else:
            self._frames.append(frame)
            self._unwritten += len(frame)
        self._ready.set()

    async def write_frames(self, send: Callable[[str], Awaitable[None]]) -> None:
        """Write what was offered with `send`, in order, until this task is cancelled."""
        while True:
            await self._ready.wait()
            self._ready.clear()
            while self._frames:
                frame = self._frames.popleft()
                await send(frame.decode())
                self._unwritten -= len(frame)
