"""The broker within one process: a call. With gateways, it forwards each message to them."""

from __future__ import annotations

from channels.brokers.broker import Broker, OnMessage, State
from channels.messages import Message, PollNow
from channels.tasks import Tasks


class MemoryBroker:
    """Hands each message to `on_message` at once, and to `outward`, if there is one."""

    def __init__(self, on_message: OnMessage, outward: Broker | None = None) -> None:
        self._on_message = on_message
        self._outward = outward
        self._threads: set[str] = set()

    @property
    def state(self) -> State:
        return "connected"

    @property
    def refused(self) -> int:
        return 0

    def publish(self, message: Message) -> None:
        if isinstance(message, PollNow) or message.thread in self._threads:
            self._on_message(message)
        if self._outward is not None:
            self._outward.publish(message)

    def want(self, thread: str) -> None:
        self._threads.add(thread)
        if self._outward is not None:
            # Our own changes need no confirmation: they do not come from there.
            self._outward.want(thread)

    async def subscribe(self, thread: str) -> bool:
        self.want(thread)
        return True

    def unsubscribe(self, thread: str) -> None:
        self._threads.discard(thread)
        if self._outward is not None:
            self._outward.unsubscribe(thread)

    def start(self, tasks: Tasks) -> None:
        if self._outward is not None:
            self._outward.start(tasks)
