"""Comments: inserting, changing the state, and finding one. Stamps all other rows that change with it."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from channels.messages import Comment
from server.errors import Invalid, NotFound
from server.model import Account, State, StoredComment
from server.storage.comments import comment_rows, quotes
from server.storage.engine.rows import named
from server.storage.engine.write import Write
from server.storage.jobs import erasure, outbox
from server.storage.threads import threads
from server.storage.threads.orders import Key
from server.text import quotations
from server.visibility import sight, view

_ANCESTORS = """
WITH RECURSIVE up(id, parent) AS (
    SELECT id, parent FROM comments WHERE id = ?1 AND thread = ?2
    UNION ALL SELECT c.id, c.parent FROM comments c JOIN up ON c.id = up.parent WHERE c.thread = ?2
)
SELECT up.id, c.state FROM up JOIN comments c USING (id)
"""
_EARLIER = """
SELECT revision AS revision, body AS body, html AS html, replaced AS replaced
FROM revisions WHERE comment = ? ORDER BY revision
"""
_PRESENT = "SELECT revision AS revision, body AS body, html AS html, created AS created FROM comments WHERE id = ?"

# In milliseconds; nobody means a time beyond the year 2100.
LAST_TIME = 4_102_444_800_000


@dataclass(frozen=True, slots=True)
class Found:
    """A comment as somebody sees it, with the key and the title of its thread."""

    thread: str
    title: str
    comment: Comment


@dataclass(frozen=True, slots=True)
class Text:
    """A text that a comment has or had, since `written`, in milliseconds."""

    revision: int
    body: str
    html: str
    written: int


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

    `known`: the only comments that its links can mean; None: any. `source`: where an imported one came from; it is
    ordered by the time it was written, or by `placed`, which another database has given it.
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
    placed: int | None = None


by_id = comment_rows.by_id


def known_to(sql: sqlite3.Connection, viewer: Account | None, id_: int) -> StoredComment:
    """Return a comment that is there for `viewer`. Raises NotFound."""
    comment = by_id(sql, id_)
    if comment is None or sight(viewer, comment) == "nothing":
        raise NotFound("error.no_comment")
    return comment


def seen_by(sql: sqlite3.Connection, viewer: Account | None, id_: int) -> tuple[StoredComment, Comment]:
    """Return the comment as it is kept, and as `viewer` sees it. Raises NotFound if that is nothing."""
    comment = known_to(sql, viewer, id_)
    seen = view(viewer, comment)
    assert seen is not None
    return comment, seen


def found(viewer: Account | None, comments: Iterable[StoredComment]) -> list[Found]:
    """Return those of the comments that are there for `viewer`, as they see them."""
    seen = ((one, view(viewer, one)) for one in comments)
    return [Found(one.thread_key, one.thread_title, comment) for one, comment in seen if comment is not None]


def key_of(sql: sqlite3.Connection, id_: int) -> Key:
    """Return the comment's key in the order. Raises Invalid (field before) if there is none."""
    row: Key | None = sql.execute("SELECT placed, id FROM comments WHERE id = ?", (id_,)).fetchone()
    if row is None:
        raise Invalid("error.bad_before", field="before")
    return row


def by_nonce(sql: sqlite3.Connection, author: int, nonce: str) -> tuple[int, bytes | None] | None:
    """Return the comment that was posted under the nonce, and the hash of the request that made it."""
    row: tuple[int, bytes | None] | None = sql.execute(
        "SELECT id, request_hash FROM comments WHERE author = ? AND nonce = ?", (author, nonce)
    ).fetchone()
    return row


def said_lately(
    sql: sqlite3.Connection, author: int, thread: int | None, parent: int | None, body: str, *, since: int
) -> int | None:
    """Return what the author said in these very words, in this place, after `since` (ms), as far as it stands so."""
    row = sql.execute(
        "SELECT id FROM (SELECT * FROM comments WHERE author = ? ORDER BY id DESC LIMIT 20)"
        " WHERE thread = ? AND parent IS ? AND body = ? AND created > ? AND state IN ('visible', 'pending')",
        (author, thread, parent, body, since),
    ).fetchone()
    return int(row[0]) if row else None


def insert(write: Write, new: NewComment) -> int:
    """Insert a comment and stamp it, and what shows differently by it. One that is pending was never shown."""
    placed = _last_place(write, new) if new.source is None else place_of_imported(new)
    id_ = add(write, new, placed)
    above = _count(write, new.thread, new.parent, 1, placed) if new.state == "visible" else []
    if new.state != "pending":
        write.stamp(new.thread, _shown_by(new.parent, above), made=[id_])
    return id_


def add(write: Write, new: NewComment, placed: int) -> int:
    """Insert a comment alone: who calls this counts and stamps what it changes."""
    cursor = write.sql.execute(
        "INSERT INTO comments (thread, parent, depth, author, nonce, request_hash, source, state, shown, body, html,"
        " format, base_up, base_down, created, edited, revision, ended, version, placed, arrived)"
        " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        (new.thread, new.parent, new.depth, new.author, new.nonce, new.request_hash, new.source, new.state,
         int(new.state != "pending"), new.body, new.html, new.format, new.up, new.down, new.created, new.edited,
         new.revision, write.now if new.state == "removed" else None, write.version, placed,
         write.version if new.state != "pending" else 0),
    )  # fmt: skip
    id_ = int(cursor.lastrowid or 0)
    for text in new.earlier:
        write.sql.execute(
            "INSERT INTO revisions (comment, revision, body, html, replaced, format) VALUES (?, ?, ?, ?, ?, ?)",
            (id_, text.revision, text.body, text.html, text.replaced, text.format),
        )
        quotes.remember_first(write, id_, text.revision, text.html, new.known)
    quotes.remember_first(write, id_, new.revision, new.html, new.known)
    return id_


def place_of_imported(new: NewComment) -> int:
    """Return the time that orders it."""
    return min(new.created if new.placed is None else new.placed, LAST_TIME)


def _last_place(write: Write, new: NewComment) -> int:
    """Return the time that orders a post: it comes last, even if the clock jumps."""
    (latest,) = write.sql.execute(
        "UPDATE clock SET latest = max(latest, ?) RETURNING latest", (new.created,)
    ).fetchone()
    (last,) = write.sql.execute("SELECT max(placed) FROM comments WHERE thread = ?", (new.thread,)).fetchone()
    return max(int(latest), last or 0)


def enter(write: Write, id_: int, thread: int) -> None:
    """Move a comment to another thread, where its parent is: as if it had been posted there at its time."""
    parent, state, shown, placed = write.sql.execute(
        "UPDATE comments SET thread = ?1, below = 0, replies = 0, source ="
        " iif(EXISTS (SELECT 1 FROM comments o WHERE o.thread = ?1 AND o.source = comments.source), NULL, source)"
        " WHERE id = ?2 RETURNING parent, state, shown, placed",
        (thread, id_),
    ).fetchone()
    above = _count(write, thread, parent, 1, placed) if state == "visible" else []
    if shown:
        write.stamp(thread, [id_, *_shown_by(parent, above)])


def set_state(write: Write, comment: StoredComment, state: State) -> None:
    """Move a comment to another state. Deleted by the author: every text of it is erased at once.

    Where more quote it than are stamped at once, the others are owed as a job.
    """
    by = (state == "visible") - (comment.state == "visible")
    is_shown = comment.shown or state == "visible"
    write.sql.execute(
        "UPDATE comments SET state = ?, shown = ?, ended = ?, arrived = ? WHERE id = ?",
        (state, int(is_shown), write.now if state == "removed" else None,
         write.version if is_shown and not comment.shown else comment.arrived, comment.id),
    )  # fmt: skip
    above = _count(write, comment.thread, comment.parent, by, comment.placed) if by else []
    if by and (reached := quotes.stamp(write, comment.id)) is not None:
        outbox.add(write, "stamp quotes", comment.id, reached)
    if is_shown:
        write.stamp(comment.thread, [comment.id, *_shown_by(comment.parent, above)])
    if state == "deleted":
        erasure.comment(write, comment.id)


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
) -> list[Text]:
    """Return the texts of the comment, the oldest first: the last `limit` of those with revisions below `before`.

    None: all. As they may be shown: without what they quote of comments that are hidden. That is dear for bodies (up
    to 20 ms each), cheap for html.
    """
    earlier = list(named(sql.execute(_EARLIER, (id_,))))
    (present,) = named(sql.execute(_PRESENT, (id_,)))
    # What replaced one text is when the next was written.
    written = [present["created"], *(one["replaced"] for one in earlier)]
    hidden = quotes.hidden(sql, id_)
    texts = [
        (one["revision"], one["body"] if with_bodies else None, one["html"], at)
        for one, at in zip([*earlier, present], written, strict=True)
        if before is None or one["revision"] < before
    ]
    return [
        Text(revision, *quotes.cut(body, html, hidden.get(revision, ())), at)
        for revision, body, html, at in (texts if limit is None else texts[-limit:])
    ]


def reword(write: Write, comment: StoredComment, revision: int, text: tuple[str, str], known: frozenset[int]) -> None:
    """Resolve the links of a revision's (body, html): this is not an edit."""
    quotes.rewrite(write, comment.id, revision, *text)
    quotes.remember(write, comment.id, revision, text[1], known)
    if comment.shown and revision == comment.revision:
        write.stamp(comment.thread, [comment.id])


def text(sql: sqlite3.Connection, comment: StoredComment) -> str:
    """Return the text of the comment for who may edit it: Markdown, also of one that is kept as HTML, without what it
    quotes of comments that are hidden."""
    hidden = quotes.hidden(sql, comment.id).get(comment.revision, set())
    format_, html = sql.execute("SELECT format, html FROM comments WHERE id = ?", (comment.id,)).fetchone()
    if format_ == "html":
        # Only where it is used: its libraries take a tenth of the start.
        from server.text.html_to_markdown import to_markdown  # noqa: PLC0415

        return to_markdown(quotations.cut(html, hidden))
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

    And where these quotes come from, as `edit` takes it. None if there is nothing to put back.
    """
    hidden = quotes.hidden(sql, comment.id).get(comment.revision)
    if not hidden:
        return None
    (html,) = sql.execute("SELECT html FROM comments WHERE id = ?", (comment.id,)).fetchone()
    return quotations.put_back(body, comment.body, html, hidden)


def _count(write: Write, thread: int, parent: int | None, by: int, placed: int) -> list[tuple[int, str]]:
    """One visible comment more or less, in the thread and all the way up the branch; return (id, state) of that way.

    What is above in another thread counts it when it arrives there: see `enter`.
    """
    threads.count(write, thread, by, placed)
    if parent is None:
        return []
    above: list[tuple[int, str]] = write.sql.execute(_ANCESTORS, (parent, thread)).fetchall()
    write.sql.executemany(
        "UPDATE comments SET replies = replies + iif(id = ?1, ?2, 0), below = below + ?2 WHERE id = ?3",
        [(parent, by, id_) for id_, _ in above],
    )
    return above


def nearest_drawn(sql: sqlite3.Connection, id_: int | None) -> int | None:
    """Return the comment, or the nearest above it that pages draw; None if there is none."""
    while id_ is not None:
        id_, is_drawn, parent = sql.execute(
            "SELECT id, shown AND (state = 'visible' OR below > 0), parent FROM comments WHERE id = ?", (id_,)
        ).fetchone()
        if is_drawn:
            break
        id_ = parent
    return id_


def _shown_by(parent: int | None, above: list[tuple[int, str]]) -> list[int]:
    """Return what shows differently as a visible comment comes or goes: its parent's count of replies, and every
    tombstone above, which is drawn only while something visible hangs below it."""
    return [id_ for id_, state in above if id_ == parent or state != "visible"]


def pending(sql: sqlite3.Connection, viewer: Account, limit: int) -> list[Found]:
    """Return what waits for approval, the oldest first, as the moderator `viewer` sees it."""
    return found(viewer, comment_rows.where(sql, "c.state = 'pending' ORDER BY c.id LIMIT ?", (limit,)))


def unseen(
    sql: sqlite3.Connection, author: Account, *, thread: str | None = None, id_: int | None = None, limit: int = 50
) -> list[Found]:
    """Return what its author alone sees, the newest first: held, or rejected unseen."""
    condition = (
        "c.author = ?1 AND c.body <> '' AND (c.state = 'pending' OR c.state = 'removed' AND NOT c.shown)"
        " AND (?2 IS NULL OR t.key = ?2) AND (?3 IS NULL OR c.id = ?3) ORDER BY c.id DESC LIMIT ?4"
    )
    return found(author, comment_rows.where(sql, condition, (author.id, thread, id_, limit)))


def visible_of(sql: sqlite3.Connection, account: int, *, after: int, limit: int) -> list[tuple[int, int]]:
    """Return (thread, id) of the account's visible comments with ids above `after`, in order."""
    return sql.execute(
        "SELECT thread, id FROM comments WHERE author = ? AND id > ? AND state = 'visible' ORDER BY id LIMIT ?",
        (account, after, limit),
    ).fetchall()


def with_text_of(sql: sqlite3.Connection, account: int, *, limit: int) -> list[StoredComment]:
    """Return the account's comments that are not deleted yet."""
    return list(
        comment_rows.where(sql, "c.author = ? AND c.state <> 'deleted' ORDER BY c.id LIMIT ?", (account, limit))
    )
