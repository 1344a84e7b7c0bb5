"""The broker of one process: a call."""

from __future__ import annotations

import asyncio

from channels.broker import OnChange, State
from channels.change import Change


class MemoryBroker:
    """Hands each published change to `on_change` when its thread is subscribed."""

    def __init__(self, on_change: OnChange) -> None:
        self._on_change = on_change
        self._threads: set[str] = set()

    @property
    def state(self) -> State:
        return "connected"

    def publish(self, change: Change) -> None:
        if change.thread in self._threads:
            self._on_change(change)

    async def subscribe(self, thread: str) -> bool:
        self._threads.add(thread)
        return True

    def unsubscribe(self, thread: str) -> None:
        self._threads.discard(thread)

    async def run(self) -> None:
        await asyncio.Event().wait()
