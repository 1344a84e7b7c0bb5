"""The source of diffs for a hub: the database in the app, the app in a gateway."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import Annotated, Any, Protocol

from msgspec import Meta, Struct

from channels.messages import Answer, Key, Version

Epoch = Annotated[str, Meta(max_length=64)]


class SourceUnavailable(Exception):
    """The source cannot be asked now; the same question may be answered later."""


class Question(Struct, frozen=True, array_like=True):
    """What changed in `thread` after the version `after` of `epoch`; without `after`: where is its head?"""

    thread: Key
    after: Version | None = None
    epoch: Epoch | None = None

    @property
    def diff(self) -> tuple[str, int | None, str | None]:
        """What it is among all that is asked of one thread."""
        return ("changes", self.after, self.epoch)


class Source(Protocol):
    def changes(self, asked: Sequence[Question]) -> Coroutine[Any, Any, list[Answer | None]]:
        """Return a diff for each question, or a Reset if there is none; None: ask again.

        Without `after` the answer is an empty change at the present head. A foreign `epoch`, an `after` ahead of the
        head and a diff above the limits answer Reset. The first question always gets an answer. Raises
        SourceUnavailable.
        """
