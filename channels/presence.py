"""How many readers a thread has over all processes. Counts connections; knows no account."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

FORGET_AFTER_SECONDS = 30.0


class Presence:
    """Own readers, asked from `own`, and what other processes last said of theirs, forgotten after 30 s."""

    def __init__(self, own: Callable[[str], int], clock: Callable[[], float] = time.monotonic) -> None:
        self._own = own
        self._clock = clock
        self._others: dict[str, tuple[float, Mapping[str, int]]] = {}

    def heard(self, process: str, readers: Mapping[str, int]) -> None:
        """Replace what `process` said before; `readers` maps thread keys to counts."""
        self._others[process] = (self._clock(), dict(readers))
        oldest = self._clock() - FORGET_AFTER_SECONDS
        for name in [name for name, (said, _) in self._others.items() if said < oldest]:
            del self._others[name]

    def count(self, thread: str) -> int:
        oldest = self._clock() - FORGET_AFTER_SECONDS
        return self._own(thread) + sum(
            readers.get(thread, 0) for said, readers in self._others.values() if said >= oldest
        )
