"""Changes that a room hears while a diff is on its way: the bridge from that diff to the present."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from channels.messages import Change, fits, merge

HELD_CHANGES = 512


class HeldChanges:
    """Keeps the newest changes for as long as there are `holders`: diffs that are being read."""

    __slots__ = ("_changes", "holders")

    def __init__(self) -> None:
        self.holders = 0
        self._changes: deque[Change] | None = None

    def hold(self) -> None:
        self.holders += 1
        if self._changes is None:
            self._changes = deque(maxlen=HELD_CHANGES)

    def release(self) -> None:
        self.holders -= 1
        if not self.holders:
            self._changes = None

    def hear(self, change: Change) -> None:
        if self._changes is not None:
            self._changes.append(change)

    def newest(self, epoch: str) -> int:
        """Return the newest version of `epoch` among them, 0 if there is none."""
        return max((change.version for change in self._changes or () if change.epoch == epoch), default=0)

    def bridged(self, diff: Change) -> Change:
        """Continue a diff with the changes that follow it, as one.

        Without it nobody could join a thread that changes while each diff is read.
        """
        for change in self._changes or ():
            if fits(diff, change):
                diff = merge(diff, change)
        return diff

    def following(self, epoch: str, version: int) -> Iterator[Change]:
        """Yield the changes that lead on from `version`, up to the first gap.

        Without it a room could not be repaired on a thread that changes while each diff is read.
        """
        for change in tuple(self._changes or ()):
            if change.epoch != epoch or change.version <= version:
                continue
            if change.after > version or change.is_too_large:
                return
            yield change
            version = change.version
