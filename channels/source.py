"""Where a hub asks for what it missed: the database in the app, the app in a gateway."""

from __future__ import annotations

from typing import Protocol

from channels.change import Answer


class SourceUnavailable(Exception):
    """The source cannot be asked now; the same question may be answered later."""


class Source(Protocol):
    async def changes(self, thread: str, after: int | None, epoch: str | None) -> Answer:
        """Return the diff of `thread` after `after`, or a Reset where there is none to be had.

        Without `after` the answer is an empty change at the present head. A foreign `epoch`, an `after` ahead of the
        head and a diff above the limits answer Reset. Raises SourceUnavailable.
        """
