"""The contract of a broker: it carries changes between processes, fast and at most once, and promises nothing more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

from channels.change import Change

State = Literal["connected", "degraded"]
OnChange = Callable[[Change], None]
OnTrouble = Callable[[], None]


class Broker(Protocol):
    """What was published while a subscription stood usually arrives; whatever does not, the poll repairs."""

    @property
    def state(self) -> State: ...

    def publish(self, change: Change) -> None:
        """Send `change` to all subscribers of its thread. Never blocks, never raises; may drop."""

    async def subscribe(self, thread: str) -> bool:
        """Return True once the subscription is confirmed, False when that took too long (it is kept wanted)."""

    def unsubscribe(self, thread: str) -> None: ...

    async def run(self) -> None:
        """Serve until cancelled. Must run for messages to arrive."""
