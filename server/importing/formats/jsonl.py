"""livethread's own format: one JSON object per line, `id, parent, author, created, edited, score, removed, body_md`.

What `export` writes says besides `up, down, state, revision, format` and, if it was edited, `earlier`, so that
nothing is lost on the way. For links to comments of the thread, `links` gives the id in the file. The description
of the thread itself stands in the first line: `{"thread": {"title", "url", "summary", "author", "locked"}}`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from server import urls
from server.importing import source_file
from server.importing.record import Count, Earlier, Format, Page, Record, Score, milliseconds, skipped
from server.model import State, Thread
from server.storage.import_export.export import Exported


class EarlierLine(msgspec.Struct):
    """A text that was replaced at a time in unix seconds."""

    revision: int
    body_md: str
    replaced: int | float
    format: Format = "markdown"


class Line(msgspec.Struct):
    """Times in unix seconds; `edited` may also be only true or false."""

    id: str | int
    created: int | float
    placed: int | float | None = None
    parent: str | int | None = None
    author: str | None = None
    edited: int | float | bool | None = None
    score: Score = 0
    removed: bool = False
    body_md: str = ""
    up: Count | None = None
    down: Count | None = None
    state: State | None = None
    revision: Score = 1
    format: Format = "markdown"
    earlier: list[EarlierLine] = []
    links: dict[str, str] = {}


class About(msgspec.Struct, omit_defaults=True):
    """The thread's description."""

    title: str = ""
    url: str = ""
    summary: str = ""
    author: str | None = None
    locked: bool = False


class Head(msgspec.Struct):
    """The first line of a file, if it is not a comment."""

    thread: About


_NOTHING = About()


def is_head(line: bytes) -> bool:
    return line.lstrip().startswith(b'{"thread":')


def write(kept: Iterable[Thread | Exported]) -> Iterator[bytes]:
    """Yield a line per comment, after one of the thread. Read again and written again, it is the same to the byte."""
    for one in kept:
        if isinstance(one, Exported):
            yield _comment(one)
            continue
        about = About(one.title, one.url, one.summary, one.author_name, one.locked)
        if about != _NOTHING:
            yield msgspec.json.encode(Head(about)) + b"\n"


def _comment(one: Exported) -> bytes:
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
    if one.placed != one.created:
        line["placed"] = one.placed / 1000
    if one.earlier:
        line["earlier"] = [
            EarlierLine(text.revision, text.body, text.replaced / 1000, text.format) for text in one.earlier
        ]
    if one.links:
        line["links"] = one.links
    return msgspec.json.encode(line) + b"\n"


def read(path: Path) -> Iterator[Page | Record]:
    """Yield what the first line says of the thread, and a record per line; one that cannot be read says why.

    Raises CannotStart.
    """
    comment, head = msgspec.json.Decoder(Line), msgspec.json.Decoder(Head)
    with source_file.opened(path) as file:
        for position, (number, raw) in enumerate(file.lines()):
            if raw is None:
                yield skipped(number, f"a line of more than {source_file.MAX_LINE_BYTES // 2**20} MiB")
                continue
            try:
                if position == 0 and is_head(raw):
                    about = head.decode(raw).thread
                    url = about.url if urls.is_page(about.url) else ""
                    yield Page(**msgspec.structs.asdict(about) | {"url": url})
                    continue
                line = comment.decode(raw)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                yield skipped(number, f"not a record: {error}")
                continue
            yield _record(number, line)


def _record(number: int, line: Line) -> Record:
    created = milliseconds(line.created)
    if created is None:
        return skipped(number, "created is not a time in unix seconds")
    earlier = _earlier(line)
    if earlier is None:
        return skipped(number, "its earlier texts are not in order of revision and time")
    # Only "it was edited" is known of some: the moment is then the one it was written at.
    edited = created if line.edited is True else milliseconds(line.edited) if line.edited else None
    is_erased = line.removed and line.state != "removed"
    return Record(
        line=number,
        id=str(line.id),
        parent=None if line.parent is None else str(line.parent),
        author=line.author,
        created=created,
        placed=milliseconds(line.placed),
        edited=edited,
        score=line.score,
        up=line.up,
        down=line.down,
        removed=line.removed,
        state=line.state,
        revision=max(1, line.revision),
        format=line.format,
        body="" if is_erased else line.body_md,
        earlier=[] if is_erased else earlier,
        links=line.links,
    )


def _earlier(line: Line) -> list[Earlier] | None:
    """Return the earlier texts of a line, or None if they cannot have been its."""
    found: list[Earlier] = []
    for text in line.earlier:
        replaced = milliseconds(text.replaced)
        least = found[-1].revision if found else 0
        if replaced is None or not least < text.revision < line.revision:
            return None
        found.append(Earlier(revision=text.revision, body=text.body_md, replaced=replaced, format=text.format))
    return found
