"""Imported comments: known by where they came from, and inserted many in one write."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from server.model import StoredComment
from server.storage.comments import comment_rows, comments
from server.storage.engine.write import Write
from server.storage.threads import threads

# Of all these at once; each comment once.
_ALL_ABOVE = """
WITH RECURSIVE up(id) AS (
    SELECT value FROM json_each(?) UNION SELECT c.parent FROM comments c JOIN up ON c.id = up.id WHERE c.parent NOT NULL
)
SELECT c.id, c.parent, c.state FROM up CROSS JOIN comments c USING (id)
"""
_PLACES = """
SELECT source, id, parent, depth FROM comments WHERE thread = ? AND source IN (SELECT value FROM json_each(?))
"""


class Place(NamedTuple):
    """Where a comment stands in its thread."""

    id: int
    parent: int | None
    depth: int


def places(sql: sqlite3.Connection, thread: int, sources: Iterable[str]) -> dict[str, Place]:
    """Return where those of the sources that were imported into the thread stand in it."""
    found = sql.execute(_PLACES, (thread, json.dumps([*sources])))
    return {source: Place(*place) for source, *place in found}


def by_source(sql: sqlite3.Connection, thread: int, source: str) -> StoredComment | None:
    return next(comment_rows.where(sql, "c.thread = ? AND c.source = ?", (thread, source)), None)


def add(write: Write, new: comments.NewComment) -> int:
    """Insert an imported comment alone: in the same write `count` does for many what `comments.insert` does for one."""
    return comments.add(write, new, comments.place_of_imported(new))


def count(write: Write, thread: int, added: Mapping[int, comments.NewComment]) -> None:
    """Count and stamp the comments that were added to the thread, by their ids, and what shows differently by them."""
    visible = [new for new in added.values() if new.state == "visible"]
    if visible:
        threads.count(write, thread, len(visible), max(map(comments.place_of_imported, visible)))
    replies = Counter(new.parent for new in visible if new.parent is not None)
    above: dict[int, tuple[int | None, str]] = {
        id_: (parent, state) for id_, parent, state in write.sql.execute(_ALL_ABOVE, (json.dumps([*replies]),))
    }
    below = Counter[int]()
    for answered, count in replies.items():
        at: int | None = answered
        while at is not None:
            below[at] += count
            at = above[at][0]
    write.sql.executemany(
        "UPDATE comments SET replies = replies + ?, below = below + ? WHERE id = ?",
        [(replies[id_], count, id_) for id_, count in below.items()],
    )
    made = [id_ for id_, new in added.items() if new.state != "pending"]
    if made:
        write.stamp(thread, [id_ for id_ in below if id_ in replies or above[id_][1] != "visible"], made=made)


def ids(sql: sqlite3.Connection, thread: str, origin: str) -> dict[str, int]:
    """Return the ids of the thread's comments that came from `origin`, by their ids there."""
    found = sql.execute(
        "SELECT substr(c.source, ?), c.id FROM comments c JOIN threads t ON c.thread = coalesce(t.merged, t.id)"
        " WHERE t.key = ? AND c.source LIKE ? || ':%'",
        (len(origin) + 2, thread, origin),
    )
    return dict(found.fetchall())
