"""The contract of a broker: it carries messages between processes, fast and at most once, and promises nothing more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

from channels.change import Message

State = Literal["connected", "degraded"]
OnMessage = Callable[[Message], None]
OnTrouble = Callable[[], None]


class Broker(Protocol):
    """What was published while a subscription stood usually arrives; whatever does not, the poll repairs."""

    @property
    def state(self) -> State: ...

    def publish(self, message: Message) -> None:
        """Send `message` to all subscribers of its thread, a Ring to everybody. Never blocks or raises; may drop."""

    def want(self, thread: str) -> None:
        """Subscribe to `thread` without waiting."""

    async def subscribe(self, thread: str) -> bool:
        """Return True once the subscription is confirmed, False when that took too long (it is kept wanted)."""

    def unsubscribe(self, thread: str) -> None: ...

    async def run(self) -> None:
        """Serve until cancelled. Must run for messages to arrive."""
