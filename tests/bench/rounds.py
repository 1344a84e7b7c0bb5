"""Rounds in which what is compared takes turns, and whether the machine was quiet enough for them to tell anything."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tests.bench.figure import on_the_servers_core

ROUNDS = 5
# How much slower the machine may have been at one time than at another.
TRUSTED_RANGE = 1.15
# How much of the time somebody else may have had the core.
TRUSTED_SHARE = 0.9
_STEPS = 300_000


@dataclass(slots=True)
class Effort:
    """How much is done. `is_small`: to see that the bench runs, and not what it finds."""

    is_small: bool = False

    @property
    def rounds(self) -> int:
        # Two also where nothing is found: the second must not fall over what the first has left.
        return 2 if self.is_small else ROUNDS

    def some(self, full: float) -> float:
        """Return so many seconds, or a tenth of them."""
        return full / 10 if self.is_small else full

    def many(self, full: int) -> int:
        """Return so many, or an eighth of them."""
        return full // 8 if self.is_small else full


@dataclass(slots=True)
class Machine:
    """Its own speed beside each round: `speeds`, steps of the same loop in a second of CPU, and `shares`, how much of
    the server's core this process had when it wanted all of it."""

    speeds: list[float] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)

    def look(self) -> None:
        with on_the_servers_core():
            began, cpu_began = time.perf_counter(), time.process_time()
            total = 0
            for step in range(_STEPS):
                total += step & 7
            cpu = time.process_time() - cpu_began
            self.speeds.append(_STEPS / cpu)
            self.shares.append(min(1.0, cpu / (time.perf_counter() - began)))

    @property
    def doubt(self) -> str:
        """Say why the run tells nothing; "" where it does."""
        if not self.speeds:
            return ""
        spread = max(self.speeds) / min(self.speeds)
        if spread > TRUSTED_RANGE:
            return f"the machine was {spread:.2f} times as fast at one time as at another"
        if min(self.shares) < TRUSTED_SHARE:
            return f"others had up to {1 - min(self.shares):.0%} of the server's core"
        return ""

    def words(self) -> str:
        low, middle, high = (one / 1e6 for one in (min(self.speeds), statistics.median(self.speeds), max(self.speeds)))
        return f"in the same minutes {middle:.1f} ({low:.1f}–{high:.1f}) million steps of a loop a second of CPU"


EFFORT = Effort()
MACHINE = Machine()


def in_rounds(measured: Mapping[str, Callable[[], float]]) -> dict[str, list[float]]:
    """Measure each of these once a round, in turns, and the machine between them."""
    found: dict[str, list[float]] = {name: [] for name in measured}
    for _ in range(EFFORT.rounds):
        for name, measure in measured.items():
            MACHINE.look()
            found[name].append(measure())
    MACHINE.look()
    return found
