"""A thread's comments as they are kept, for the operator: read from the file while it is used."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from server.errors import CannotStart
from server.model import State
from server.storage.comments import EarlierText

_COMMENTS = """
SELECT c.id, c.source, c.parent, p.source, a.name, c.created, c.edited, c.base_up + c.up, c.base_down + c.down, c.state,
       c.revision, c.format, c.body
FROM comments c JOIN threads t ON t.id = c.thread LEFT JOIN comments p ON p.id = c.parent
LEFT JOIN accounts a ON a.id = c.author AND a.state = 'open'
WHERE t.key = ? ORDER BY c.id
"""


_EARLIER = "SELECT revision, body, '', replaced, format FROM revisions WHERE comment = ? ORDER BY revision"


@dataclass(frozen=True, slots=True)
class Exported:
    """`id` and `parent` are those of the file that the comment came from, else its own; times in unix milliseconds.

    `earlier` are the texts that it had, the oldest first, without their HTML.
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


def comments(database: Path, key: str) -> Iterator[Exported]:
    """Yield every comment of the thread, parents first, all of one moment. Raises CannotStart."""
    try:
        sql = sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)
        with contextlib.closing(sql):
            sql.execute("BEGIN")
            for id_, source, parent, above, *fields in sql.execute(_COMMENTS, (key,)):
                earlier = tuple(EarlierText(*row) for row in sql.execute(_EARLIER, (id_,)))
                above_it = None if parent is None else _name(parent, above)
                yield Exported(*(_name(id_, source), above_it, *fields, earlier))
    except sqlite3.Error as error:
        raise CannotStart(f"{database} cannot be read: {error}.") from error


def _name(id_: int, source: str | None) -> str:
    """Return the id that an import gave, without the format before it; own ids are told apart from those."""
    return source.partition(":")[2] if source else f"lt-{id_}"
