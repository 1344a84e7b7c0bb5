"""Comments: inserting, ending, and finding one. Stamps whatever else shows differently because of it."""

from __future__ import annotations

import hmac
import sqlite3
from dataclasses import dataclass
from typing import Any

from channels.change import Comment
from server.errors import Conflict
from server.model import State, StoredComment
from server.storage import rows, threads
from server.storage.write import Write

_SELECT = """
SELECT c.id, c.thread, t.key, c.parent, c.author, c.state, c.revision, c.depth, c.request_hash
FROM comments c JOIN threads t ON t.id = c.thread
"""
_ANCESTORS = """
WITH RECURSIVE up(id, parent) AS (
    SELECT id, parent FROM comments WHERE id = ?
    UNION ALL SELECT c.id, c.parent FROM comments c JOIN up ON c.id = up.parent
)
SELECT up.id, c.state FROM up JOIN comments c USING (id)
"""


@dataclass(frozen=True, slots=True)
class NewComment:
    """What a post, or an importer, hands in. Times in milliseconds; `score` is what it brings along."""

    thread: int
    parent: int | None
    depth: int
    author: int | None
    body: str
    html: str
    created: int
    nonce: str | None = None
    request_hash: bytes | None = None
    source: str | None = None
    state: State = "visible"
    format: str = "markdown"
    edited: int | None = None
    score: int = 0


def _stored(row: tuple[Any, ...] | None) -> StoredComment | None:
    return StoredComment(*row) if row else None


def by_id(sql: sqlite3.Connection, id_: int) -> StoredComment | None:
    return _stored(sql.execute(_SELECT + "WHERE c.id = ?", (id_,)).fetchone())


def by_nonce(sql: sqlite3.Connection, author: int, nonce: str) -> StoredComment | None:
    return _stored(sql.execute(_SELECT + "WHERE c.author = ? AND c.nonce = ?", (author, nonce)).fetchone())


def by_request(sql: sqlite3.Connection, author: int, nonce: str, request_hash: bytes) -> Comment | None:
    """Return what this very request made when it came before. Raises Conflict where the nonce was another request's."""
    known = by_nonce(sql, author, nonce)
    if known is None:
        return None
    if known.request_hash is None or not hmac.compare_digest(known.request_hash, request_hash):
        raise Conflict("This nonce was used for another comment.", code="nonce_reused", field="nonce")
    return public(sql, known.id)


def by_source(sql: sqlite3.Connection, thread: int, source: str) -> StoredComment | None:
    return _stored(sql.execute(_SELECT + "WHERE c.thread = ? AND c.source = ?", (thread, source)).fetchone())


def public(sql: sqlite3.Connection, id_: int) -> Comment:
    return rows.comment(sql.execute(rows.COMMENT + "WHERE c.id = ?", (id_,)).fetchone())


def insert(write: Write, new: NewComment) -> int:
    """Insert a comment and stamp it, and what shows differently by it: its parent's count of replies, and every
    tombstone above that may be drawn again because something visible hangs below it."""
    up, down = max(new.score, 0), max(-new.score, 0)
    cursor = write.sql.execute(
        "INSERT INTO comments (thread, parent, depth, author, nonce, request_hash, source, state, shown, body, html,"
        " format, base_up, base_down, created, edited, version) VALUES (?,?,?,?,?,?,?,?,1,?,?,?,?,?,?,?,?)",
        (new.thread, new.parent, new.depth, new.author, new.nonce, new.request_hash, new.source, new.state, new.body,
         new.html, new.format, up, down, new.created, new.edited, write.version),
    )  # fmt: skip
    id_ = int(cursor.lastrowid or 0)
    is_visible = new.state == "visible"
    threads.count(write, new.thread, int(is_visible), active=new.created)
    write.stamp(new.thread, [id_, *(_shown_by(write.sql, new.parent) if is_visible else ())])
    return id_


def end(write: Write, comment: StoredComment, state: State) -> None:
    """Turn a visible comment into a tombstone. Deleted by its author: the text is erased at once."""
    erase = ", body = '', html = ''" if state == "deleted" else ""
    write.sql.execute(f"UPDATE comments SET state = ?{erase} WHERE id = ?", (state, comment.id))
    threads.count(write, comment.thread, -1)
    write.stamp(comment.thread, [comment.id, *(() if comment.parent is None else (comment.parent,))])


def _shown_by(sql: sqlite3.Connection, parent: int | None) -> list[int]:
    ancestors = sql.execute(_ANCESTORS, (parent,)).fetchall()
    return [id_ for id_, state in ancestors if id_ == parent or state in ("removed", "deleted")]


def visible_of(sql: sqlite3.Connection, account: int, *, after: int, limit: int) -> list[tuple[int, int]]:
    """Return (thread, id) of the account's visible comments with ids above `after`, in order."""
    return sql.execute(
        "SELECT thread, id FROM comments WHERE author = ? AND id > ? AND state = 'visible' ORDER BY id LIMIT ?",
        (account, after, limit),
    ).fetchall()


def imported(sql: sqlite3.Connection, thread: str, origin: str) -> dict[str, int]:
    """Return the ids of the thread's comments that came from `origin`, by their ids there."""
    found = sql.execute(
        "SELECT substr(c.source, ?), c.id FROM comments c JOIN threads t ON t.id = c.thread"
        " WHERE t.key = ? AND c.source LIKE ? || ':%'",
        (len(origin) + 2, thread, origin),
    )
    return dict(found.fetchall())
