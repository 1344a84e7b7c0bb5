"""Comments: inserting, ending, and finding one. Stamps whatever else shows differently because of it."""

from __future__ import annotations

import hmac
import sqlite3
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from channels.change import Comment
from server import quotations
from server.errors import Conflict
from server.model import State, StoredComment
from server.storage import quotes, rows, threads, unfinished
from server.storage.write import Write

_SELECT = """
SELECT c.id, c.thread, t.key, c.parent, c.author, c.state, c.revision, c.depth, c.request_hash,
       c.created, c.body, c.shown
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
class EarlierText:
    """A text that a comment had until `replaced`, in milliseconds."""

    revision: int
    body: str
    html: str
    replaced: int
    format: Literal["markdown", "html"] = "markdown"


@dataclass(frozen=True, slots=True)
class NewComment:
    """What a post, or an importer, hands in. Times in milliseconds; `up` and `down` are votes that it brings along.

    `known`: the only comments that its links can mean; None: any.
    """

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
    up: int = 0
    down: int = 0
    revision: int = 1
    earlier: tuple[EarlierText, ...] = ()
    known: frozenset[int] | None = None


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
    return seen_by(sql, known.id, is_trusted=True)


def by_source(sql: sqlite3.Connection, thread: int, source: str) -> StoredComment | None:
    return _stored(sql.execute(_SELECT + "WHERE c.thread = ? AND c.source = ?", (thread, source)).fetchone())


def seen_by(sql: sqlite3.Connection, id_: int, *, is_trusted: bool) -> Comment:
    """Return the comment as its author and moderators (`is_trusted`) see it, or as everybody does."""
    row = sql.execute(rows.COMMENT + "WHERE c.id = ?", (id_,)).fetchone()
    return rows.kept(row) if is_trusted and row[4] == "pending" else rows.comment(row)


def as_kept(sql: sqlite3.Connection, id_: int) -> Comment:
    """Return the comment with the text that is kept of it, for moderators."""
    return rows.kept(sql.execute(rows.COMMENT + "WHERE c.id = ?", (id_,)).fetchone())


def insert(write: Write, new: NewComment) -> int:
    """Insert a comment and stamp it, and what shows differently by it. One that is pending was never shown."""
    cursor = write.sql.execute(
        "INSERT INTO comments (thread, parent, depth, author, nonce, request_hash, source, state, shown, body, html,"
        " format, base_up, base_down, created, edited, revision, ended, version)"
        " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        (new.thread, new.parent, new.depth, new.author, new.nonce, new.request_hash, new.source, new.state,
         int(new.state != "pending"), new.body, new.html, new.format, new.up, new.down, new.created, new.edited,
         new.revision, write.now if new.state == "removed" else None, write.version),
    )  # fmt: skip
    id_ = int(cursor.lastrowid or 0)
    for text in new.earlier:
        write.sql.execute(
            "INSERT INTO revisions (comment, revision, body, html, replaced, format) VALUES (?, ?, ?, ?, ?, ?)",
            (id_, text.revision, text.body, text.html, text.replaced, text.format),
        )
        quotes.remember(write, id_, text.revision, text.html, new.known)
    quotes.remember(write, id_, new.revision, new.html, new.known)
    if new.state == "visible":
        _count(write, new.thread, new.parent, 1, active=new.created)
    if new.state != "pending":
        write.stamp(new.thread, [id_, *(_shown_by(write.sql, new.parent) if new.state == "visible" else ())])
    return id_


def set_state(write: Write, comment: StoredComment, state: State) -> None:
    """Move a comment to another state. Deleted by its author: every text of it is erased at once.

    Where more quote it than are stamped at once, the others are left to be finished.
    """
    by = (state == "visible") - (comment.state == "visible")
    is_shown = comment.shown or state == "visible"
    write.sql.execute(
        "UPDATE comments SET state = ?, shown = ?, ended = ? WHERE id = ?",
        (state, int(is_shown), write.now if state == "removed" else None, comment.id),
    )
    if by:
        _count(write, comment.thread, comment.parent, by)
        if (reached := quotes.stamp(write, comment.id)) is not None:
            unfinished.begin(write, "quotes", comment.id, reached)
    if is_shown:
        write.stamp(comment.thread, [comment.id, *(_shown_by(write.sql, comment.parent) if by else ())])
    if state == "deleted":
        erase(write, comment.id)


def erase(write: Write, id_: int) -> None:
    """Erase every text of a comment; what others quote of it is erased by `quotes.erase_some`."""
    write.sql.execute("UPDATE comments SET body = '', html = '' WHERE id = ?", (id_,))
    write.sql.execute("DELETE FROM revisions WHERE comment = ?", (id_,))
    quotes.lose(write, id_)
    write.has_erased = True


def edit(write: Write, comment: StoredComment, body: str, html: str, moved: Mapping[int, int] | None = None) -> None:
    """Give a comment another text, and keep the one that it had; `moved` are quotes that come along from it."""
    write.sql.execute(
        "INSERT INTO revisions (comment, revision, body, html, replaced, format)"
        " SELECT id, revision, body, html, ?, format FROM comments WHERE id = ?",
        (write.now, comment.id),
    )
    write.sql.execute(
        "UPDATE comments SET body = ?, html = ?, format = 'markdown', revision = revision + 1, edited = ? WHERE id = ?",
        (body, html, write.now, comment.id),
    )
    quotes.remember(write, comment.id, comment.revision + 1, html, moved=moved)
    if comment.shown:
        write.stamp(comment.thread, [comment.id])


def revisions(
    sql: sqlite3.Connection, id_: int, *, with_bodies: bool = True, before: int | None = None, limit: int | None = None
) -> list[tuple[int, str, str, int]]:
    """Return the texts of the comment as (revision, body, html, when it was written in ms), the oldest first.

    The last `limit` of those with revisions below `before`; None: all. As it may be shown: without what it quotes of
    comments that are hidden. That is dear for bodies (up to 20 ms each), cheap for html.
    """
    found = sql.execute(
        "SELECT revision, body, html, replaced FROM revisions WHERE comment = ? ORDER BY revision", (id_,)
    ).fetchall()
    row = sql.execute("SELECT revision, body, html, created FROM comments WHERE id = ?", (id_,)).fetchone()
    written = [row[3], *(replaced for *_, replaced in found)]
    hidden = quotes.hidden(sql, id_)
    texts = [one for one in zip([*found, row], written, strict=True) if before is None or one[0][0] < before]
    return [
        (revision, *quotes.cut(body if with_bodies else None, html, hidden.get(revision, ())), at)
        for (revision, body, html, _), at in (texts if limit is None else texts[-limit:])
    ]


def reword(write: Write, comment: StoredComment, revision: int, text: tuple[str, str], known: frozenset[int]) -> None:
    """Let the (body, html) of a revision link to what it means: that is no edit."""
    quotes.rewrite(write, comment.id, revision, *text)
    quotes.remember(write, comment.id, revision, text[1], known)
    if comment.shown and revision == comment.revision:
        write.stamp(comment.thread, [comment.id])


def text(sql: sqlite3.Connection, comment: StoredComment) -> str:
    """Return the text of the comment for who may edit it: without what it quotes of comments that are hidden."""
    hidden = quotes.hidden(sql, comment.id).get(comment.revision)
    if not hidden:
        return comment.body
    return without(sql, comment.id, comment.revision, hidden)


def without(sql: sqlite3.Connection, id_: int, revision: int, places: Collection[int]) -> str:
    """Return the body that the comment has or had, without these of its quotes."""
    body, html = sql.execute(
        "SELECT body, html FROM comments WHERE id = ?1 AND revision = ?2"
        " UNION ALL SELECT body, html FROM revisions WHERE comment = ?1 AND revision = ?2",
        (id_, revision),
    ).fetchone()
    return quotes.cut(body, html, places)[0]


def with_hidden(sql: sqlite3.Connection, comment: StoredComment, body: str) -> tuple[str, dict[int, int]] | None:
    """Return an edited `text` with the quotes that it had left empty, since their sources are hidden: these may return.

    And where these quotes come from, as `edit` takes it. None where there is nothing to put back.
    """
    hidden = quotes.hidden(sql, comment.id).get(comment.revision)
    if not hidden:
        return None
    (html,) = sql.execute("SELECT html FROM comments WHERE id = ?", (comment.id,)).fetchone()
    return quotations.put_back(body, comment.body, html, hidden)


def _count(write: Write, thread: int, parent: int | None, by: int, *, active: int | None = None) -> None:
    """One visible comment more or less, in the thread and all the way up the branch."""
    threads.count(write, thread, by, active=active)
    if parent is not None:
        write.sql.execute("UPDATE comments SET replies = replies + ? WHERE id = ?", (by, parent))
        above = [(by, id_) for id_, _ in write.sql.execute(_ANCESTORS, (parent,)).fetchall()]
        write.sql.executemany("UPDATE comments SET below = below + ? WHERE id = ?", above)


def _shown_by(sql: sqlite3.Connection, parent: int | None) -> list[int]:
    """Return what shows differently as a visible comment comes or goes: its parent's count of replies, and every
    tombstone above, which is drawn only while something visible hangs below it."""
    ancestors = sql.execute(_ANCESTORS, (parent,)).fetchall()
    return [id_ for id_, state in ancestors if id_ == parent or state != "visible"]


def pending(sql: sqlite3.Connection, *, thread: str | None = None, author: int | None = None) -> list[tuple[str, int]]:
    """Return (thread's key, id) of at most 200 comments that wait for approval, the oldest first."""
    return sql.execute(
        "SELECT t.key, c.id FROM comments c JOIN threads t ON t.id = c.thread WHERE c.state = 'pending'"
        " AND (?1 IS NULL OR t.key = ?1) AND (?2 IS NULL OR c.author = ?2) ORDER BY c.id LIMIT 200",
        (thread, author),
    ).fetchall()


def visible_of(sql: sqlite3.Connection, account: int, *, after: int, limit: int) -> list[tuple[int, int]]:
    """Return (thread, id) of the account's visible comments with ids above `after`, in order."""
    return sql.execute(
        "SELECT thread, id FROM comments WHERE author = ? AND id > ? AND state = 'visible' ORDER BY id LIMIT ?",
        (account, after, limit),
    ).fetchall()


def with_text_of(sql: sqlite3.Connection, account: int, *, limit: int) -> list[StoredComment]:
    """Return the account's comments that are not deleted yet."""
    found = sql.execute(_SELECT + "WHERE c.author = ? AND c.state <> 'deleted' ORDER BY c.id LIMIT ?", (account, limit))
    return [StoredComment(*row) for row in found]


def imported(sql: sqlite3.Connection, thread: str, origin: str) -> dict[str, int]:
    """Return the ids of the thread's comments that came from `origin`, by their ids there."""
    found = sql.execute(
        "SELECT substr(c.source, ?), c.id FROM comments c JOIN threads t ON t.id = c.thread"
        " WHERE t.key = ? AND c.source LIKE ? || ':%'",
        (len(origin) + 2, thread, origin),
    )
    return dict(found.fetchall())
