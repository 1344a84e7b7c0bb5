"""Rate limits, kept in memory. Knows neither accounts nor addresses."""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from collections.abc import Callable

from server.errors import TooMany
from server.settings.values import Rate

MAX_BUCKETS = 50_000


class Limits:
    """One bucket per (what, who), filled evenly; the emptiest knowledge is dropped first when there are too many."""

    def __init__(self, *, is_on: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._is_on = is_on
        self._clock = clock
        self._buckets: dict[tuple[str, object], tuple[float, float]] = {}

    def spend(self, what: str, who: object, rate: Rate) -> None:
        """Take one token. Raises TooMany with the seconds until there is one."""
        if not self._is_on:
            return
        now = self._clock()
        tokens, seen = self._buckets.pop((what, who), (float(rate.count), now))
        per_second = rate.count / rate.seconds
        tokens = min(rate.count, tokens + (now - seen) * per_second)
        if tokens < 1:
            self._buckets[what, who] = (tokens, now)
            wait = math.ceil((1 - tokens) / per_second)
            raise TooMany("error.many_attempts", retry_after=wait, seconds=wait)
        self._buckets[what, who] = (tokens - 1, now)
        if len(self._buckets) > MAX_BUCKETS:
            # Python keeps insertion order, and every use re-inserts: the first is the one unused longest.
            del self._buckets[next(iter(self._buckets))]

    def refund(self, what: str, who: object) -> None:
        """Give the last token back: the attempt was honest."""
        bucket = self._buckets.get((what, who))
        if bucket is not None:
            self._buckets[what, who] = (bucket[0] + 1, bucket[1])


class Admission:
    """Never more than the rate's count in any window of its seconds, since who comes back all at once must not stop us;
    and from one address never more than `most` at the same time. None of both: everybody.

    An address gets at most eight times what is left of the window for others (the dynamic threshold of Choudhury and
    Hahne, 1998): one that comes alone gets eight ninths of it, and however many it tries, others are let in.
    """

    SHARE = 8

    def __init__(
        self, rate: Rate | None = None, most: int | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate = rate
        self._most = most
        self._clock = clock
        self._admitted: deque[tuple[float, str]] = deque()
        self._lately: Counter[str] = Counter()
        self._here: dict[str, int] = {}

    @property
    def asks_for_addresses(self) -> bool:
        return self._rate is not None or self._most is not None

    def here(self, address: str) -> int:
        return self._here.get(address, 0)

    def is_full_of(self, address: str) -> bool:
        return self._most is not None and self._here.get(address, 0) >= self._most

    def admits(self, address: str) -> bool:
        if self._rate is None:
            return True
        now = self._clock()
        while self._admitted and now - self._admitted[0][0] >= self._rate.seconds:
            _, left = self._admitted.popleft()
            self._lately[left] -= 1
            if not self._lately[left]:
                del self._lately[left]
        free = self._rate.count - len(self._admitted)
        if self._lately[address] >= self.SHARE * free:
            return False
        self._admitted.append((now, address))
        self._lately[address] += 1
        return True

    def enter(self, address: str) -> None:
        if self._most is not None:
            self._here[address] = self._here.get(address, 0) + 1

    def leave(self, address: str) -> None:
        if self._most is not None:
            self._here[address] -= 1
            if not self._here[address]:
                del self._here[address]
