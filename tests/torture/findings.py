"""What a scenario found: a promise, a figure, and whether it was kept."""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Finding:
    what: str
    figure: str
    is_kept: bool


class Skipped(Exception):
    """The scenario cannot run here; the text says why."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how much: the long form's figures are those of the promises."""

    folder: Path
    is_quick: bool

    def progress(self, done: float, of: float) -> None:
        """Show on a terminal how far a long scenario has come."""
        if sys.stdout.isatty():
            print(f"\r  {100 * done / of:3.0f} %", end="\r", flush=True)

    def in_time(self, what: str, seconds: float, most: float) -> Finding:
        """A finding of a time, which the quick form only tells: its machine may be busy elsewhere."""
        return Finding(what, f"{seconds:.2f} s", self.is_quick or seconds <= most)

    def either(self, quick: int, long: int) -> int:
        return quick if self.is_quick else long


Scenario = Callable[[Plan], Coroutine[Any, Any, list[Finding]]]


def nothing(what: str, found: int) -> Finding:
    """A finding that is kept where the count of harm is 0."""
    return Finding(what, f"{found:,}", found == 0)
