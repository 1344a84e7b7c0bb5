"""What each viewer sees of a comment and its thread: pure, and the only place that decides it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal
from urllib.parse import quote

from msgspec import UNSET

from channels.messages import Author, Comment, Info
from server import permissions
from server.model import Account, Head, StoredComment, Thread
from server.text import quotations

Sight = Literal["text", "tombstone", "nothing"]


def sight(viewer: Account | None, comment: StoredComment) -> Sight:
    """Say how much of the comment `viewer` sees; None: somebody without an account.

    A text that is not visible is kept for moderators. Its author sees it while it waits for them, and where they
    rejected what nobody else has seen; not where they removed what was public.
    """
    if comment.state == "visible":
        return "text"
    is_author = viewer is not None and comment.author == viewer.id
    is_moderator = permissions.may_moderate(viewer)
    is_kept = comment.state != "deleted" and comment.body != ""
    if is_kept and (is_moderator or (is_author and (comment.state == "pending" or not comment.shown))):
        return "text"
    return "tombstone" if comment.shown or is_author or is_moderator else "nothing"


def view(viewer: Account | None, comment: StoredComment) -> Comment | None:
    """Return the comment as `viewer` sees it; None if there is no such comment for them.

    A tombstone has neither text nor author. What the text quotes of hidden comments is cut out for everybody.
    """
    seen = sight(viewer, comment)
    if seen == "nothing":
        return None
    is_text = seen == "text"
    html, hidden = comment.html, comment.hidden_quotes
    return Comment(
        id=comment.id,
        version=comment.version,
        parent=comment.parent,
        revision=comment.revision,
        state=comment.state,
        author=_author(comment) if is_text else None,
        html="" if not is_text else quotations.cut(html, {int(one) for one in hidden.split(",")}) if hidden else html,
        created=moment(comment.created),
        placed=UNSET if comment.placed == comment.created else moment(comment.placed),
        arrived=comment.arrived,
        edited=moment(comment.edited) if comment.edited and is_text else None,
        score=comment.score,
        replies=comment.replies,
        # The sender knows its echo by the nonce, whichever way the echo comes.
        nonce=UNSET if comment.nonce is None else comment.nonce,
    )


def is_drawn(comment: Head) -> bool:
    """Say whether everybody sees the comment or its tombstone: what `sight` says for somebody without an account."""
    return comment.state == "visible" or bool(comment.shown)


def shows_history(comment: StoredComment) -> bool:
    """Say whether the texts that the comment had are shown: to everybody, and only beside its present one."""
    return comment.state == "visible"


def _author(comment: StoredComment) -> Author | None:
    """Return the author's public form; None if the comment has none, or the account was closed."""
    name, role = comment.author_name, comment.author_role
    if name is None or role is None:
        return None
    badge: Literal["author", "staff", "moderator"] | None = None if role == "reader" else role
    return Author(
        name,
        avatar(name),
        "author" if comment.author == comment.thread_author else badge,
        comment.author_picture or UNSET,
    )


def info(thread: Thread) -> Info:
    return Info(
        title=thread.title,
        url=thread.url,
        summary=thread.summary,
        author=thread.author_name,
        locked=thread.locked,
        comments=thread.comments,
        moved=thread.moved or UNSET,
    )


def moment(milliseconds: int) -> str:
    """RFC 3339, UTC, with milliseconds."""
    at = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}Z"


def avatar(name: str) -> str:
    """The path of the picture made from `name`: its first letter on one of twelve hues."""
    return f"/avatar/{quote(name[0].upper(), safe='')}-{sum(name.encode()) % 12}.svg"
