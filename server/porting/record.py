"""What every foreign format is read into."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from server.model import State

# What SQLite can hold and add up, by far.
Score = Annotated[int, msgspec.Meta(ge=-(10**9), le=10**9)]
Count = Annotated[int, msgspec.Meta(ge=0, le=10**9)]


class Earlier(msgspec.Struct, frozen=True, kw_only=True):
    """A text that a comment had until `replaced`, in unix milliseconds."""

    revision: int
    body: str
    replaced: int
    format: Literal["markdown", "html"] = "markdown"


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One comment of a foreign discussion. `line` says where it stands in its file; times in unix milliseconds.

    `author` None with a text is Anonymous; `removed` keeps only the place, unless `state` says more. `skip` says why it
    cannot be taken at all.
    """

    line: int
    id: str
    parent: str | None = None
    author: str | None = None
    created: int = 0
    edited: int | None = None
    score: int = 0
    # Where they are known apart; else the score says it all.
    up: int | None = None
    down: int | None = None
    removed: bool = False
    state: State | None = None
    revision: int = 1
    body: str = ""
    format: Literal["markdown", "html"] = "markdown"
    earlier: list[Earlier] = []
    # By the numbers that its texts link to: ids of the file's comments (`server/links.py`).
    links: dict[str, str] = {}
    skip: str | None = None


def skipped(line: int, why: str) -> Record:
    return Record(line=line, id="", skip=why)


def milliseconds(value: object) -> int | None:
    """Return unix seconds as milliseconds, or None where the value is no time between 1970 and 2100."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 4_102_444_800:
        return None
    return round(value * 1000)
