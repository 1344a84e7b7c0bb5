"""The hub's counters and histograms. Knows no output format."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
COUNTS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)


class Histogram:
    """Observations counted by upper bounds, as Prometheus wants them."""

    __slots__ = ("_bounds", "_counts", "sum")

    def __init__(self, bounds: tuple[float, ...] = SECONDS) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self.sum += value

    def cumulative(self) -> list[tuple[str, int]]:
        """Return (upper bound, observations up to it), ending with +Inf."""
        total = 0
        buckets = []
        for bound, count in zip((*map(str, self._bounds), "+Inf"), self._counts, strict=True):
            total += count
            buckets.append((bound, total))
        return buckets


@dataclass(slots=True)
class Tally:
    """Since the hub began. `lag` is seconds from commit to the last reader's transport, over all processes' clocks."""

    frames: int = 0
    deliveries: int = 0
    gaps: int = 0
    diffs: int = 0
    resets: int = 0
    slow_readers: int = 0
    handshakes: int = 0
    refused_handshakes: int = 0
    fan_out: Histogram = field(default_factory=Histogram)
    lag: Histogram = field(default_factory=Histogram)
