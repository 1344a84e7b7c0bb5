"""One measured figure, and the means to measure it."""

from __future__ import annotations

import contextlib
import os
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_CPU_CLOCK = 2
# As they were given to us: this process keeps fewer of them once it has started a server.
_CORES = frozenset(os.sched_getaffinity(0))


@dataclass(frozen=True, slots=True)
class Figure:
    what: str
    value: float
    unit: str
    baseline: str = ""
    baseline_value: float = 0.0
    # Of each round: a ratio is that of two measurements beside each other.
    values: tuple[float, ...] = ()
    ratios: tuple[float, ...] = ()

    @classmethod
    def of_rounds(
        cls, what: str, unit: str, values: Sequence[float], baseline: str = "", others: Sequence[float] = ()
    ) -> Figure:
        """Return the medians of the rounds."""
        ratios = tuple(value / other for value, other in zip(values, others, strict=False) if other)
        middle = statistics.median(others) if others else 0.0
        return cls(what, statistics.median(values), unit, baseline, middle, tuple(values), ratios)

    def row(self) -> dict[str, Any]:
        ratio = None
        if self.ratios:
            ratio = f"{statistics.median(self.ratios):.2f}{_range(self.ratios)}"
        elif self.baseline_value:
            ratio = f"{self.value / self.baseline_value:.2f}"
        return {
            "what": self.what,
            "figure": f"{self.value:,.1f}{_range(self.values)} {self.unit}",
            "baseline": f"{self.baseline}: {self.baseline_value:,.1f} {self.unit}" if self.baseline else None,
            "ratio": ratio,
        }


def _range(values: tuple[float, ...]) -> str:
    return f" ({min(values):,.2f}–{max(values):,.2f})" if len(values) > 1 else ""


def cpu_seconds(pid: int) -> float:
    """Return what the process has used so far, in user and system, all threads, by its own clock (nanoseconds)."""
    # The clock of another process, as clock_getcpuclockid(3) makes it on Linux.
    return time.clock_gettime((~pid << 3) | _CPU_CLOCK)


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@contextlib.contextmanager
def on_the_servers_core() -> Iterator[None]:
    """What is started in the block runs on the first core; this process goes on with the others."""
    first = min(_CORES)
    os.sched_setaffinity(0, {first})
    try:
        yield
    finally:
        os.sched_setaffinity(0, _CORES - {first} or _CORES)
