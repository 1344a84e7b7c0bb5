"""Fair queues, one per owner: an owner with many items delays only themselves."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")
_SPARE_PLACES = 64


class InTurn(Generic[Item]):
    """Of all who wait each gives one item in turn, in the order in which they began to wait."""

    def __init__(self) -> None:
        self._queues: dict[str, deque[Item]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def waiting_for(self, who: str) -> int:
        return len(self._queues.get(who, ()))

    def add(self, who: str, item: Item) -> None:
        self._queues.setdefault(who, deque()).append(item)
        self._count += 1

    def take(self) -> Item:
        """Return the next item. Raises IndexError if there is none."""
        if not self._queues:
            raise IndexError("nobody waits")
        return self._take_of(next(iter(self._queues)))

    def _take_of(self, who: str) -> Item:
        queue = self._queues.pop(who)
        item = queue.popleft()
        self._count -= 1
        if queue:
            self._queues[who] = queue
        return item


class LightestFirst(InTurn[Item]):
    """Every other time the next item is one of the owner with the least `load`, what waits
    included; among these of the first to wait.

    So an owner with little here does not wait until all others have had a turn. The other half of the items goes in
    turn, which serves everybody.
    """

    def __init__(self, load: Callable[[str], int]) -> None:
        super().__init__()
        self._load = load
        # (load, number, owner); only the place with an owner's latest number is valid.
        self._places: list[tuple[int, int, str]] = []
        self._latest: dict[str, int] = {}
        self._number = 0
        self._is_by_load = False

    def add(self, who: str, item: Item) -> None:
        super().add(who, item)
        if who not in self._latest:
            self._queue_up(who)

    def take(self) -> Item:
        self._is_by_load = not self._is_by_load
        return self._take_of(self._lightest()) if self._is_by_load and self._count else super().take()

    def _take_of(self, who: str) -> Item:
        item = super()._take_of(who)
        if who in self._queues:
            self._queue_up(who)
        else:
            del self._latest[who]
        if not self._count:
            self._places.clear()
        return item

    def _queue_up(self, who: str) -> None:
        self._number += 1
        self._latest[who] = self._number
        heapq.heappush(self._places, (self._weight(who), self._number, who))
        if len(self._places) > 2 * len(self._latest) + _SPARE_PLACES:
            # Heavy owners' former places never come to the top while lighter ones wait.
            self._places = [place for place in self._places if self._latest.get(place[2]) == place[1]]
            heapq.heapify(self._places)

    def _weight(self, who: str) -> int:
        return self._load(who) + self.waiting_for(who)

    def _lightest(self) -> str:
        while True:
            load, number, who = self._places[0]
            if self._latest.get(who) == number:
                if (now := self._weight(who)) <= load:
                    return who
                heapq.heapreplace(self._places, (now, number, who))
            else:
                heapq.heappop(self._places)
