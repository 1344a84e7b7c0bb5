"""A thread's comments as they are kept, for the operator: read from the file while it is used."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from server import links
from server.errors import CannotStart
from server.model import State
from server.storage.comments import EarlierText

_COMMENTS = """
SELECT c.id, c.parent, a.name, c.created, c.edited, c.base_up + c.up, c.base_down + c.down, c.state,
       c.revision, c.format, c.body
FROM comments c JOIN threads t ON t.id = c.thread LEFT JOIN accounts a ON a.id = c.author AND a.state = 'open'
WHERE t.key = ? ORDER BY c.id
"""
_SOURCES = "SELECT c.id, c.source FROM comments c JOIN threads t ON t.id = c.thread WHERE t.key = ? ORDER BY c.id"
_EARLIER = "SELECT revision, body, '', replaced, format FROM revisions WHERE comment = ? ORDER BY revision"


@dataclass(frozen=True, slots=True)
class Exported:
    """`id` and `parent` are those of the file that the comment came from, else its own; times in unix milliseconds.

    `earlier` are the texts that it had, the oldest first, without their HTML. `links` says which comments the numbers
    in its texts stand for.
    """

    id: str
    parent: str | None
    author: str | None
    created: int
    edited: int | None
    up: int
    down: int
    state: State
    revision: int
    format: str
    body: str
    earlier: tuple[EarlierText, ...]
    links: dict[str, str]


def comments(database: Path, key: str) -> Iterator[Exported]:
    """Yield every comment of the thread, parents first, all of one moment. Raises CannotStart."""
    try:
        sql = sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)
        with contextlib.closing(sql):
            sql.execute("BEGIN")
            names = _names(sql.execute(_SOURCES, (key,)).fetchall())
            for id_, parent, *fields, body in sql.execute(_COMMENTS, (key,)):
                earlier = [EarlierText(*row) for row in sql.execute(_EARLIER, (id_,))]
                (text, *before), linked = links.to_file([body, *(one.body for one in earlier)], key, names)
                kept = tuple(replace(one, body=said) for one, said in zip(earlier, before, strict=True))
                yield Exported(*(names[id_], names.get(parent), *fields, text, kept, linked))
    except sqlite3.Error as error:
        raise CannotStart(f"{database} cannot be read: {error}.") from error


def _names(found: list[tuple[int, str | None]]) -> dict[int, str]:
    """Return the id in the file of each comment: the one that an import gave, without the format before it.

    Own ids are told apart from those, and no two are the same.
    """
    names: dict[int, str] = {}
    taken: set[str] = set()
    # Written and read again, they stay: what came from a file of this form comes first.
    for id_, source in sorted(found, key=lambda one: not (one[1] or "").startswith("jsonl:")):
        name = source.partition(":")[2] if source else f"lt-{id_}"
        while name in taken:
            name += "+"
        taken.add(name)
        names[id_] = name
    return names
