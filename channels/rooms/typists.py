"""People typing in one thread: announced in turn, and dropped when it is no longer true."""

from __future__ import annotations

import time
from collections.abc import Callable

from channels.messages import TYPING_NAMES, Typing

# One frame per period, however many people type.
TOLD_EVERY_SECONDS = 2.0
# A page says so every two seconds while somebody types.
TRUE_FOR_SECONDS = 4.0
MAX_PARENTS = 50


class Typists:
    """By the comment that they answer (None: the thread), with the moment at which each was heard of last."""

    __slots__ = ("_clock", "_heard")

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._heard: dict[int | None, dict[str, float]] = {}

    def hear(self, typing: Typing) -> None:
        if typing.parent in self._heard or len(self._heard) < MAX_PARENTS:
            names = self._heard.setdefault(typing.parent, {})
            for name in typing.names:
                # Name the people heard of last.
                names.pop(name, None)
                names[name] = self._clock()
            while len(names) > TYPING_NAMES:
                del names[next(iter(names))]

    def next(self, thread: str) -> Typing | None:
        """Return the announcement that has waited longest, and forget it; None: nobody is typing."""
        since = self._clock() - TRUE_FOR_SECONDS
        while self._heard:
            parent = next(iter(self._heard))
            names = tuple(name for name, at in self._heard.pop(parent).items() if at > since)
            if names:
                return Typing(thread=thread, parent=parent, names=names)
        return None
