"""Comments as they are kept: the one question that reads them. `server.visibility` decides what anybody sees."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator

from server.model import Head, StoredComment

_COLUMNS = {
    "id": "c.id",
    "thread": "c.thread",
    "thread_key": "t.key",
    "thread_title": "t.title",
    "thread_author": "t.author",
    "parent": "c.parent",
    "depth": "c.depth",
    "state": "c.state",
    "shown": "c.shown",
    "version": "c.version",
    "revision": "c.revision",
    "body": "c.body",
    "html": "c.html",
    "created": "c.created",
    "edited": "c.edited",
    "placed": "c.placed",
    "arrived": "c.arrived",
    "nonce": "c.nonce",
    "replies": "c.replies",
    "score": "c.base_up + c.up - c.base_down - c.down",
    "author": "c.author",
    "author_name": "a.name",
    "author_role": "a.role",
    "author_picture": "a.picture",
    "hidden_quotes": """(SELECT group_concat(q.place) FROM quotes q JOIN comments s ON s.id = q.source
        WHERE q.comment = c.id AND q.revision = c.revision AND s.state <> 'visible')""",
}
# In the order of the fields, so that a row is one comment's without a dictionary between: a page has hundreds.
_SELECT = f"""
SELECT {", ".join(_COLUMNS[field] for field in StoredComment.__struct_fields__)}
FROM comments c JOIN threads t ON t.id = c.thread
LEFT JOIN accounts a ON a.id = c.author AND a.state = 'open'
"""
_HEAD_COLUMNS = _COLUMNS | {"is_of_thread_author": "coalesce(c.author = t.author, 0)"}
_HEADS = f"""
SELECT {", ".join(_HEAD_COLUMNS[field] for field in Head._fields)}
FROM comments c JOIN threads t ON t.id = c.thread
LEFT JOIN accounts a ON a.id = c.author AND a.state = 'open'
"""
_IDS_AT_ONCE = 500


def where(sql: sqlite3.Connection, condition: str, values: Iterable[object]) -> Iterator[StoredComment]:
    """Yield the comments `c`, of threads `t`, for which the condition holds; it may go on with an order and a limit."""
    return (StoredComment(*row) for row in sql.execute(f"{_SELECT} WHERE {condition}", tuple(values)))


def by_id(sql: sqlite3.Connection, id_: int) -> StoredComment | None:
    return next(where(sql, "c.id = ?", (id_,)), None)


def by_ids(sql: sqlite3.Connection, ids: list[int]) -> Iterator[StoredComment]:
    """Yield the comments of these ids, in any order."""
    for condition, some in _in_parts(ids):
        yield from where(sql, condition, some)


def heads(sql: sqlite3.Connection, ids: list[int]) -> Iterator[Head]:
    """Yield the comments of these ids without their texts, in any order."""
    for condition, some in _in_parts(ids):
        yield from map(Head._make, sql.execute(f"{_HEADS} WHERE {condition}", some))


def _in_parts(ids: list[int]) -> Iterator[tuple[str, list[int]]]:
    for start in range(0, len(ids), _IDS_AT_ONCE):
        some = ids[start : start + _IDS_AT_ONCE]
        yield f"c.id IN ({','.join('?' * len(some))})", some
