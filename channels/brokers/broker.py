"""The contract of a broker: it carries messages between processes, fast and at most once, and promises nothing more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

from channels.messages import Message
from channels.tasks import Tasks

State = Literal["connected", "degraded"]
OnMessage = Callable[[Message], None]
OnTrouble = Callable[[], None]


class Broker(Protocol):
    """Messages published during a subscription usually arrive; the poll repairs the rest."""

    @property
    def state(self) -> State: ...

    @property
    def refused(self) -> int:
        """How many messages were dropped because nobody of ours sent them, or not now."""

    def publish(self, message: Message) -> None:
        """Send `message` to all subscribers of its thread, a PollNow to everybody. Never blocks or raises; may drop."""

    def want(self, thread: str) -> None:
        """Subscribe to `thread` without waiting."""

    async def subscribe(self, thread: str) -> bool:
        """Return True once the subscription is confirmed, False when that took too long (it is kept wanted)."""

    def unsubscribe(self, thread: str) -> None: ...

    def start(self, tasks: Tasks) -> None:
        """Begin to serve, for as long as `tasks` last. Without it no message arrives."""
