"""livethread's own form: one JSON object a line, `id, parent, author, created, edited, score, removed, body_md`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from server.porting.record import Record, milliseconds, skipped


class Line(msgspec.Struct):
    """Times in unix seconds; `edited` may also be only true or false."""

    id: str
    created: int | float
    parent: str | None = None
    author: str | None = None
    edited: int | float | bool | None = None
    score: int = 0
    removed: bool = False
    body_md: str = ""


def read(path: Path) -> Iterator[Record]:
    """Return a record per line that is not empty; a line that cannot be read is a skipped one with its reason."""
    decode = msgspec.json.Decoder(Line).decode
    with path.open("rb") as file:
        for number, raw in enumerate(file, start=1):
            if not raw.strip():
                continue
            try:
                line = decode(raw)
            except (msgspec.DecodeError, RecursionError) as error:
                yield skipped(number, f"not a record: {error}")
                continue
            created = milliseconds(line.created)
            if created is None:
                yield skipped(number, "created is no time in unix seconds")
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
                removed=line.removed,
                body="" if line.removed else line.body_md,
            )
