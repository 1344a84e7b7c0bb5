"""livethread's own form: one JSON object a line, `id, parent, author, created, edited, score, removed, body_md`.

What `export` writes says besides `up, down, state, revision, format` and, where it was edited, `earlier`, so that
nothing is lost on the way. Where it links to comments of its thread, `links` says to which of the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec

from server.model import State
from server.porting.record import Count, Earlier, Record, Score, milliseconds, skipped
from server.storage.export import Exported


class EarlierLine(msgspec.Struct):
    """A text that was replaced at a time in unix seconds."""

    revision: int
    body_md: str
    replaced: int | float
    format: Literal["markdown", "html"] = "markdown"


class Line(msgspec.Struct):
    """Times in unix seconds; `edited` may also be only true or false."""

    id: str
    created: int | float
    parent: str | None = None
    author: str | None = None
    edited: int | float | bool | None = None
    score: Score = 0
    removed: bool = False
    body_md: str = ""
    up: Count | None = None
    down: Count | None = None
    state: State | None = None
    revision: Score = 1
    format: Literal["markdown", "html"] = "markdown"
    earlier: list[EarlierLine] = []
    links: dict[str, str] = {}


def write(comments: Iterable[Exported]) -> Iterator[bytes]:
    """Yield a line per comment. Read again and written again, it is the same to the byte."""
    for one in comments:
        line: dict[str, Any] = {
            "id": one.id,
            "parent": one.parent,
            "author": one.author,
            "created": one.created / 1000,
            "edited": one.edited / 1000 if one.edited else None,
            "score": one.up - one.down,
            "up": one.up,
            "down": one.down,
            "removed": one.state in ("removed", "deleted"),
            "state": one.state,
            "revision": one.revision,
            "format": one.format,
            "body_md": one.body,
        }
        if one.earlier:
            line["earlier"] = [
                EarlierLine(text.revision, text.body, text.replaced / 1000, text.format) for text in one.earlier
            ]
        if one.links:
            line["links"] = one.links
        yield msgspec.json.encode(line) + b"\n"


def read(path: Path) -> Iterator[Record]:
    """Return a record per line that is not empty; a line that cannot be read is a skipped one with its reason."""
    decode = msgspec.json.Decoder(Line).decode
    with path.open("rb") as file:
        for number, raw in enumerate(file, start=1):
            if not raw.strip():
                continue
            try:
                line = decode(raw)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                yield skipped(number, f"not a record: {error}")
                continue
            created = milliseconds(line.created)
            if created is None:
                yield skipped(number, "created is no time in unix seconds")
                continue
            earlier = _earlier(line)
            if earlier is None:
                yield skipped(number, "its earlier texts are not in the order of their revisions and times")
                continue
            # Only "it was edited" is known of some: the moment is then the one it was written at.
            edited = created if line.edited is True else milliseconds(line.edited) if line.edited else None
            yield Record(
                line=number,
                id=line.id,
                parent=line.parent,
                author=line.author,
                created=created,
                edited=edited,
                score=line.score,
                up=line.up,
                down=line.down,
                removed=line.removed,
                state=line.state,
                revision=max(1, line.revision),
                format=line.format,
                body="" if line.removed and line.state != "removed" else line.body_md,
                earlier=earlier if not line.removed or line.state == "removed" else [],
                links=line.links,
            )


def _earlier(line: Line) -> list[Earlier] | None:
    """Return the earlier texts of a line, or None where they cannot have been its."""
    found: list[Earlier] = []
    for text in line.earlier:
        replaced = milliseconds(text.replaced)
        least = found[-1].revision if found else 0
        if replaced is None or not least < text.revision < line.revision:
            return None
        found.append(Earlier(revision=text.revision, body=text.body_md, replaced=replaced, format=text.format))
    return found
