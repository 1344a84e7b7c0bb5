"""One thread in this process: who reads it, where it stands, and what is on its way. The hub moves it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from channels.change import Answer, Change, fits, merge
from channels.diffs import Question
from channels.frames import Text
from channels.reader import Reader

HELD_CHANGES = 512
SLICE = 200


class Sweep:
    """One message on its way to the readers who were in the room when it was built."""

    __slots__ = ("_done", "_readers", "began", "change", "text")

    def __init__(self, text: Text, change: Change | None, readers: list[Reader]) -> None:
        self.text = text
        # None: what may be missed without a loss.
        self.change = change
        self.began = 0.0
        self._readers = readers
        self._done = 0

    @property
    def is_through(self) -> bool:
        return self._done >= len(self._readers)

    def next_readers(self) -> list[Reader]:
        start = self._done
        self._done += SLICE
        return self._readers[start : self._done]


class Room:
    """One thread as this process delivers it: all its readers stand at `version` or later.

    Those who read too slowly stand aside, `behind`, each with the version from which it must be caught up.
    """

    def __init__(self, thread: str) -> None:
        self.thread = thread
        self.epoch = ""
        self.version: int | None = None
        # In the order in which they came, as their sockets lie in memory: a sweep in another order costs 15 % more.
        self.readers: dict[Reader, None] = {}
        self.behind: dict[Reader, int] = {}
        self.joining = 0
        # What was delivered while somebody joins: the bridge from their diff to the present.
        self.held: deque[Change] = deque(maxlen=HELD_CHANGES)
        self.unsent: Change | None = None
        self.flush_at: asyncio.TimerHandle | None = None
        self.last_flush = float("-inf")
        self.subscribed: asyncio.Task[bool] | None = None
        # What is being read: who asks the same shares the answer.
        self.questions: dict[Question, asyncio.Task[Answer]] = {}
        self.asking: asyncio.Task[None] | None = None
        self.wanted = 0
        self.announced = -1
        # Who writes, by the comment that they answer.
        self.typing: dict[int | None, dict[str, None]] = {}
        self.typing_at: asyncio.TimerHandle | None = None
        # Frames on their way to the readers, the first of them under way.
        self.sweeps: deque[Sweep] = deque()
        self.sweeping_at: asyncio.Handle | None = None
        self.sweep_seconds = 0.0

    @property
    def following(self) -> int:
        return len(self.readers) + len(self.behind)

    def present(self, epoch: str) -> int:
        """Return the newest version of `epoch` that this process knows of."""
        known = [change.version for change in self.held if change.epoch == epoch]
        if self.version is not None and self.epoch == epoch:
            known.append(self.version)
        return max(known, default=0)

    def bridge(self, diff: Change) -> Change:
        """Continue a diff with the changes that were held while it was read, as far as they follow it."""
        for change in self.held:
            if fits(diff, change):
                diff = merge(diff, change)
        return diff

    def stop_timers(self) -> None:
        for timer in (self.flush_at, self.typing_at, self.sweeping_at):
            if timer:
                timer.cancel()

    @contextmanager
    def holding(self) -> Iterator[None]:
        self.joining += 1
        try:
            yield
        finally:
            self.joining -= 1
            if not self.joining:
                self.held.clear()
