"""uvicorn's request and answer, adapted: the end of the connection is left to the connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

MAX_BODY_BYTES = 64 * 1024
# Measured: a request that waits for the one before it to be answered.
HELD_BYTES = 3 * 1024


class Answering(RequestResponseCycle):
    """`body_bytes` is what the head gives, None for chunks; `is_last`: the connection ends after this answer."""

    body_bytes: int | None = 0
    is_started = False
    is_last = False
    # Told of the bytes of the answer before they are written, and of none afterwards.
    writes: Callable[[bytes], None]
    task: asyncio.Task[None] | None = None

    @property
    def has_large_body(self) -> bool:
        return self.body_bytes is None or self.body_bytes > MAX_BODY_BYTES

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            if self.more_body and self.has_large_body:
                # Reading the rest would be pointless.
                self.keep_alive = False
            await super().send(message)
            self.is_last = self.is_last or not self.keep_alive
            # Else uvicorn closes with input unread, and the reset takes the answer with it.
            self.keep_alive = True
            return
        self.writes(message.get("body", b""))
        await super().send(message)
        self.writes(b"")

    def ends_after(self) -> None:
        """Make it the connection's last answer."""
        self.is_last = True
        if not self.response_started:
            self.keep_alive = False

    def give_up(self) -> None:
        """Drop anything the application still sends."""
        self.disconnected = True
        self.body = bytearray()
        self.message_event.set()
        # Of the connection nothing more is known here: without this circle it goes at once.
        self.on_response = self.writes = _nothing
        task = self.task
        if task is not None and task is not asyncio.current_task() and self.scope["method"] in ("GET", "HEAD"):
            # Nothing was to change by it, and nobody waits for it. What others wait for is made by tasks of its own.
            task.cancel()


def _nothing(*_: object) -> None:
    pass
