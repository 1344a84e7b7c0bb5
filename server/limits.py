"""How often something may be done, kept in memory. Knows neither accounts nor addresses."""

from __future__ import annotations

import ipaddress
import math
import time
from collections import deque
from collections.abc import Callable

from server.errors import TooMany
from server.settings import Rate

MAX_BUCKETS = 50_000


def network(host: str) -> str:
    """Return what counts as one address: of IPv6 the 64 bits of the network, since one visitor may have all of it."""
    if ":" not in host:
        return host
    try:
        whole = ipaddress.IPv6Address(host.partition("%")[0])
    except ValueError:
        return host
    return str(whole.ipv4_mapped or ipaddress.IPv6Network((whole, 64), strict=False))


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
            raise TooMany(f"That was too often. Try again in {wait} s.", retry_after=wait)
        self._buckets[what, who] = (tokens - 1, now)
        if len(self._buckets) > MAX_BUCKETS:
            # Python keeps insertion order, and every use re-inserts: the first is the one unused longest.
            del self._buckets[next(iter(self._buckets))]

    def refund(self, what: str, who: object) -> None:
        """Give the last token back: what was tried was honest."""
        bucket = self._buckets.get((what, who))
        if bucket is not None:
            self._buckets[what, who] = (bucket[0] + 1, bucket[1])


class Admission:
    """Never more than the rate's count in any window of its seconds, since who comes back all at once must not stop us;
    and from one address never more than `most` at the same time. None of both: everybody.
    """

    def __init__(
        self, rate: Rate | None = None, most: int | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate = rate
        self._most = most
        self._clock = clock
        self._admitted: deque[float] = deque(maxlen=rate.count if rate else 1)
        self._here: dict[str, int] = {}

    @property
    def asks_for_addresses(self) -> bool:
        return self._most is not None

    def is_full_of(self, address: str) -> bool:
        return self._most is not None and self._here.get(address, 0) >= self._most

    def admits(self) -> bool:
        now = self._clock()
        if self._rate and len(self._admitted) == self._rate.count and now - self._admitted[0] < self._rate.seconds:
            return False
        self._admitted.append(now)
        return True

    def enter(self, address: str) -> None:
        if self._most is not None:
            self._here[address] = self._here.get(address, 0) + 1

    def leave(self, address: str) -> None:
        if self._most is not None:
            self._here[address] -= 1
            if not self._here[address]:
                del self._here[address]
