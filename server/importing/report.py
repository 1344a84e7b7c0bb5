"""The report of an import: every record, counted by result, with its place in the file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

SHOWN = 20
MOST_REASONS = 20
Tell = Callable[[str], None]


def in_silence(line: str) -> None:
    """Tell nobody."""


@dataclass
class Report:
    """`tell` hears of each record that was skipped or changed, as one line; the report keeps some numbers of each."""

    tell: Tell = in_silence
    imported: int = 0
    tombstones: int = 0
    anonymous: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    noted: Counter[str] = field(default_factory=Counter)
    _shown: dict[str, list[int]] = field(default_factory=dict)

    def skip(self, line: int, why: str) -> None:
        self._tell(self.skipped, "skipped", line, why)

    def note(self, line: int, why: str) -> None:
        self._tell(self.noted, "imported", line, why)

    def add(self, batch: dict[str, Any]) -> None:
        """Add what the owner answered."""
        self.imported += batch["imported"]
        self.tombstones += batch["tombstones"]
        self.anonymous += batch["anonymous"]
        for line, why in batch["skipped"]:
            self.skip(line, why)
        for line, why in batch["noted"]:
            self.note(line, why)

    def lines(self) -> Iterable[str]:
        """Return the counts, as they are printed."""
        yield (
            f"  {self.imported:>7,} imported, of these {self.tombstones:,} tombstones of removed comments "
            f"and {self.anonymous:,} by Anonymous"
        )
        yield from self._counts(self.noted)
        yield f"  {self.skipped.total():>7,} skipped"
        yield from self._counts(self.skipped)

    def _tell(self, counts: Counter[str], what: str, line: int, why: str) -> None:
        # What an error says in detail tells more; but it may be another one for each record.
        reason = why if why in counts or len(counts) < MOST_REASONS else why.partition(": ")[0]
        counts[reason] += 1
        shown = self._shown.setdefault(reason, [])
        if len(shown) < SHOWN:
            shown.append(line)
        self.tell(f"record {line}: {what}: {why}")

    def _counts(self, counts: Counter[str]) -> Iterable[str]:
        for why, count in counts.most_common():
            shown = ", ".join(map(str, self._shown[why])) + (" …" if count > SHOWN else "")
            yield f"          {count:,}: {why} (record {shown})"
