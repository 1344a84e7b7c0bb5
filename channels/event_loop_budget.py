"""How the loop's time is shared: what strangers send waits its turn, so that no turn of the loop is long.

Else a flood makes every turn as long as all that it sends takes to read and to answer, and an answer that needs several
turns waits for each of them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from channels.rooms.fair_queue import LightestFirst

# A turn should not last longer, whatever was read in it; so reading gets more time or less, within these bounds.
TURN_SECONDS = 0.001
MOST_SECONDS = 0.002
LEAST_SECONDS = 0.00025


def _nothing(_: str) -> int:
    return 0


class Rounds:
    """`load` says how much somebody has open here: of those who wait, every other time the one with least is next.

    `clock` tells the time, `used` how much of it this thread has computed.
    """

    def __init__(
        self,
        load: Callable[[str], int] = _nothing,
        clock: Callable[[], float] = time.perf_counter,
        used: Callable[[], float] = time.thread_time,
    ) -> None:
        self._clock = clock
        self._used = used
        self._waiting: LightestFirst[Callable[[], None]] = LightestFirst(load)
        # What those who wait have sent; the owner of it counts.
        self.held_bytes = 0
        self._seconds = MOST_SECONDS
        self._ends_at = 0.0
        self._next: asyncio.Handle | None = None
        self._used_before = 0.0
        self._has_read = False
        # Called once in each turn in which somebody waits or has come.
        self.on_turn: Callable[[], None] = lambda: None
        self._has_accepted = False
        self._may_pass = True

    @property
    def is_busy(self) -> bool:
        """Whether anything waits."""
        return bool(self._waiting)

    def has_time(self) -> bool:
        """Say whether what has arrived may be dealt with at once; else it is to wait by `later`."""
        if self._next is None:
            self._begin(MOST_SECONDS)
        return not self._waiting and self._clock() < self._ends_at

    def may_pass(self) -> bool:
        """Say whether something short may be dealt with before those who wait: once in a turn."""
        if self._next is None:
            self._begin(MOST_SECONDS)
        may_pass, self._may_pass = self._may_pass, False
        return may_pass

    def later(self, who: str, work: Callable[[], None]) -> None:
        """Call `work` in one of the next turns; others who wait take turns with `who`."""
        self._waiting.add(who, work)
        if self._next is None:
            self._begin(MOST_SECONDS)

    def accepted(self) -> None:
        """A connection has come, and others may be behind it."""
        self._has_accepted = True
        if self._next is None:
            self._begin(MOST_SECONDS)

    def _begin(self, seconds: float) -> None:
        self._ends_at = self._clock() + seconds
        self._next = asyncio.get_running_loop().call_soon(self._go_on)
        self._may_pass = True

    def _go_on(self) -> None:
        if self._waiting or self._has_accepted:
            self._has_accepted = False
            self.on_turn()
        if not self._waiting:
            self._next, self._seconds, self._has_read = None, MOST_SECONDS, False
            return
        used, before = self._used(), self._used_before
        self._used_before = used
        if self._has_read:
            # Whatever else was done in that turn counts, most of all what came of the reading.
            fitting = self._seconds * TURN_SECONDS / max(used - before, LEAST_SECONDS)
            self._seconds = min(MOST_SECONDS, max(LEAST_SECONDS, fitting))
        self._has_read = True
        self._begin(self._seconds)
        while self._waiting:
            self._waiting.take()()
            if self._clock() >= self._ends_at:
                return
