"""From rows to the public forms: the one place that decides what of a comment anybody may see."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import quote

import msgspec
from msgspec import UNSET

from channels.change import Author, Change, Comment, Info
from server.model import Role
from server.storage import quotes

COMMENT = """
SELECT c.id, c.version, c.parent, c.revision, c.state, c.html, c.created, c.edited, c.nonce,
       c.base_up + c.up - c.base_down - c.down,
       c.replies,
       (SELECT group_concat(q.place) FROM quotes q JOIN comments s ON s.id = q.source
        WHERE q.comment = c.id AND q.revision = c.revision AND s.state <> 'visible'),
       a.id, a.name, a.role, t.author
FROM comments c JOIN threads t ON t.id = c.thread
LEFT JOIN accounts a ON a.id = c.author AND a.state = 'open'
"""
INFO = """
SELECT t.title, t.url, t.summary, a.name, t.locked, t.comments, t.key, t.version
FROM threads t LEFT JOIN accounts a ON a.id = t.author AND a.state = 'open'
"""
_BRANCHES = """
WITH RECURSIVE up(id, parent) AS (
    SELECT id, parent FROM comments WHERE thread = ? AND version > ? AND shown AND parent IS NOT NULL
    UNION SELECT c.id, c.parent FROM comments c JOIN up ON c.id = up.parent
)
SELECT c.id, c.below FROM up JOIN comments c ON c.id = up.id WHERE up.parent IS NULL
"""


def moment(milliseconds: int) -> str:
    """RFC 3339, UTC, with milliseconds."""
    at = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}Z"


def avatar(name: str) -> str:
    """The path of the picture made from `name`: its first letter on one of twelve hues."""
    return f"/avatar/{quote(name[0].upper(), safe='')}-{sum(name.encode()) % 12}.svg"


def comment(row: tuple[Any, ...]) -> Comment:
    """Return the public form of a row of COMMENT. A tombstone has neither text nor author."""
    (id_, version, parent, revision, state, html, created, edited, nonce, score, replies, gone, *who) = row
    account, name, role, thread_author = who
    is_visible = state == "visible"
    author = None
    if is_visible and account is not None:
        author = Author(name=name, avatar=avatar(name), badge=_badge(account == thread_author, role))
    return Comment(
        id=id_,
        version=version,
        parent=parent,
        revision=revision,
        state=state,
        author=author,
        html="" if not is_visible else quotes.without(html, gone) if gone else html,
        created=moment(created),
        edited=moment(edited) if edited and is_visible else None,
        score=score,
        replies=replies,
        # The sender knows its echo by the nonce, whichever way the echo comes.
        nonce=UNSET if nonce is None else nonce,
    )


def _badge(is_thread_author: bool, role: Role) -> Literal["author", "staff", "moderator"] | None:
    if is_thread_author:
        return "author"
    return None if role == "reader" else role


def info(row: tuple[Any, ...]) -> Info:
    title, url, summary, author, locked, comments, *_ = row
    return Info(title=title, url=url, summary=summary, author=author, locked=bool(locked), comments=comments)


def public(sql: sqlite3.Connection, id_: int) -> Comment:
    return comment(sql.execute(COMMENT + "WHERE c.id = ?", (id_,)).fetchone())


def kept(row: tuple[Any, ...]) -> Comment:
    """Return a comment with its text although it is hidden: what moderators see, and its author while it waits."""
    shown = comment((*row[:4], "visible", *row[5:]))
    return msgspec.structs.replace(shown, state=row[4])


def epoch(sql: sqlite3.Connection) -> str:
    (value,) = sql.execute("SELECT epoch FROM clock").fetchone()
    return str(value)


def _score(row: tuple[Any, ...]) -> Comment:
    return Comment(id=row[0], version=row[1], score=row[9])


def change(
    sql: sqlite3.Connection,
    thread: int,
    after: int,
    version: int,
    limit: int = -1,
    scores: frozenset[int] | set[int] = frozenset(),
) -> Change:
    """Return what `thread` shows differently after the version `after`, in its present state.

    Of the comments in `scores` only the score: nothing else of them moved.
    """
    described = sql.execute(INFO + "WHERE t.id = ?", (thread,)).fetchone()
    found = sql.execute(
        COMMENT + "WHERE c.thread = ? AND c.version > ? AND c.shown ORDER BY c.version, c.id LIMIT ?",
        (thread, after, limit),
    ).fetchall()
    # A count moves only with a reply that is stamped; what is too long to be sent needs none.
    has_replies = len(found) != limit and any(row[2] is not None and row[0] not in scores for row in found)
    return Change(
        thread=described[6],
        epoch=epoch(sql),
        after=after,
        version=version,
        comments=tuple(_score(row) if row[0] in scores else comment(row) for row in found),
        info=info(described),
        branches=dict(sql.execute(_BRANCHES, (thread, after)).fetchall()) if has_replies else UNSET,
    )
