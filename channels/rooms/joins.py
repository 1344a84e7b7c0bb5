"""Joins that need a diff first: a few at a time, addresses in turn, and a bounded number waiting."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from channels.changes_source import SourceUnavailable
from channels.rooms.fair_queue import InTurn
from channels.sockets.reader import Wanted
from channels.tasks import Tasks

AT_ONCE = 128
# Who waits costs no task, and some 300 bytes.
MAX_WAITING = 30_000
MAX_WAITING_OF_ONE = 10_000


class Joins:
    """`let_in` reads the thread and lets the reader in; it is called for as many at once as there is room for."""

    def __init__(self, tasks: Tasks, let_in: Callable[[Wanted], Coroutine[Any, Any, None]]) -> None:
        self._tasks = tasks
        self._let_in = let_in
        self._waiting: InTurn[Wanted] = InTurn()
        self._running = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, wanted: Wanted) -> bool:
        """Return False if too many wait already."""
        if len(self._waiting) >= MAX_WAITING or self._waiting.waiting_for(wanted.who) >= MAX_WAITING_OF_ONE:
            return False
        wanted.reader.joins(wanted)
        self._waiting.add(wanted.who, wanted)
        self._begin()
        return True

    def _begin(self) -> None:
        while self._waiting and self._running < AT_ONCE:
            wanted = self._waiting.take()
            if wanted.is_wanted:
                self._running += 1
                joining = self._tasks.start("joining", self._let_in(wanted), expects=(SourceUnavailable,))
                joining.add_done_callback(partial(self._joined, wanted))

    def _joined(self, wanted: Wanted, _: object) -> None:
        self._running -= 1
        if wanted.is_wanted:
            # However it ended, the reader was not let in and gets an answer.
            wanted.reader.no_longer_joins(wanted)
            wanted.reader.could_not_join(wanted.thread)
        self._begin()
