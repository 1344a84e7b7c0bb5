"""A thread and its comments as they are kept, for the operator: read from the file while it is used."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from server import private_files
from server.errors import CannotStart
from server.model import State, Thread
from server.storage.comments.comments import EarlierText
from server.storage.engine.rows import named
from server.storage.threads import threads
from server.text import links

_COMMENTS = """
SELECT c.id AS id, c.parent AS parent, a.name AS author, c.created AS created, c.placed AS placed, c.edited AS edited,
       c.base_up + c.up AS up, c.base_down + c.down AS down, c.state AS state, c.revision AS revision,
       c.format AS format, c.body AS body
FROM comments c JOIN threads t ON t.id = c.thread LEFT JOIN accounts a ON a.id = c.author AND a.state = 'open'
WHERE c.id = ?
"""
_SOURCES = """
SELECT c.id AS id, c.source AS source, c.placed AS placed, c.parent AS parent
FROM comments c JOIN threads t ON t.id = c.thread
WHERE t.key = ? ORDER BY c.id
"""
_EARLIER = """
SELECT revision AS revision, body AS body, '' AS html, replaced AS replaced, format AS format
FROM revisions WHERE comment = ? ORDER BY revision
"""


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
    placed: int
    edited: int | None
    up: int
    down: int
    state: State
    revision: int
    format: str
    body: str
    earlier: tuple[EarlierText, ...]
    links: dict[str, str]


def comments(database: Path, key: str) -> Iterator[Thread | Exported]:
    """Yield the thread and every comment of it by time, each after its parent; nothing if it has none.

    All is of one moment. Raises CannotStart.
    """
    try:
        private_files.check_readable(database)
    except FileNotFoundError as error:
        raise CannotStart(f"{database} does not exist: LIVETHREAD_DATABASE names the database.") from error
    except OSError as error:
        raise CannotStart(f"LIVETHREAD_DATABASE: {private_files.why(database, error)}.") from error
    try:
        sql = sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)
        with contextlib.closing(sql):
            sql.execute("BEGIN")
            found = list(named(sql.execute(_SOURCES, (key,))))
            names = _names([(one["id"], one["source"]) for one in found])
            if names:
                yield threads.by_key(sql, key)
            for id_ in _by_time([(one["id"], one["placed"], one["parent"]) for one in found]):
                (kept,) = named(sql.execute(_COMMENTS, (id_,)))
                earlier = [EarlierText(**row) for row in named(sql.execute(_EARLIER, (id_,)))]
                (body, *before), linked = links.to_file([kept["body"], *(one.body for one in earlier)], key, names)
                texts = tuple(replace(one, body=said) for one, said in zip(earlier, before, strict=True))
                place = {"id": names[id_], "parent": names.get(kept["parent"])}
                yield Exported(**kept | place | {"body": body}, earlier=texts, links=linked)
    except sqlite3.Error as error:
        raise CannotStart(f"{database} cannot be read: {error}.") from error


def _by_time(found: list[tuple[int, int, int | None]]) -> list[int]:
    """Return the ids in the order of time. What bears an earlier time than its parent stands with it."""
    placed: dict[int, int] = {}
    # A parent has a lower id.
    for id_, at, parent in found:
        placed[id_] = max(at, placed[parent]) if parent is not None else at
    return sorted(placed, key=lambda id_: (placed[id_], id_))


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
