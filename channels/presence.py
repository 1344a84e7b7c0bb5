"""The number of readers of a thread over all processes. Counts connections; knows no account."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

FORGET_AFTER_SECONDS = 30.0
MAX_PROCESSES = 1_000


class Presence:
    """Own readers, asked from `own`, and what other processes last said of theirs.

    A process that says nothing for 30 s is forgotten.
    """

    def __init__(self, own: Callable[[str], int], clock: Callable[[], float] = time.monotonic) -> None:
        self._own = own
        self._clock = clock
        self._others: dict[str, dict[str, int]] = {}
        # In the order in which they were heard of last.
        self._heard_at: dict[str, float] = {}

    def heard(self, process: str, readers: Mapping[str, int]) -> None:
        """Replace what `process` said before; `readers` maps thread keys to counts."""
        self._others[process] = {}
        self.heard_some(process, readers)

    def heard_some(self, process: str, readers: Mapping[str, int]) -> None:
        """Replace what `process` said of these threads."""
        now = self._clock()
        self._heard_at.pop(process, None)
        self._heard_at[process] = now
        said = self._others.setdefault(process, {})
        for thread, count in readers.items():
            if count > 0:
                said[thread] = count
            else:
                said.pop(thread, None)
        while len(self._heard_at) > MAX_PROCESSES or self._is_over(next(iter(self._heard_at))):
            silent = next(iter(self._heard_at))
            del self._heard_at[silent], self._others[silent]

    def count(self, thread: str) -> int:
        return self._own(thread) + sum(
            said.get(thread, 0) for process, said in self._others.items() if not self._is_over(process)
        )

    def _is_over(self, process: str) -> bool:
        return self._heard_at[process] < self._clock() - FORGET_AFTER_SECONDS
