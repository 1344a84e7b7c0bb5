"""Editing a comment: by its author within a while, by staff always, and only the text that was shown."""

from __future__ import annotations

from channels.change import Comment
from server import markup, permissions
from server.actions.moderate import tell_of
from server.actions.post import rendered
from server.errors import Conflict, Forbidden, NotFound
from server.limits import Limits
from server.model import Account, StoredComment
from server.settings import Settings
from server.storage import accounts, comments
from server.storage.database import Database
from server.storage.write import Write

# Every text is kept, and whoever asks for a comment gets them all.
MAX_REVISION = 101


class Outdated(Conflict):
    """The comment is another by now; `current` is it, and `body` its text."""

    def __init__(self, current: Comment, body: str) -> None:
        super().__init__("This comment was edited meanwhile.", code="stale_revision", field="revision")
        self.current = current
        self.body = body


async def edit_comment(
    database: Database, limits: Limits, settings: Settings, account: Account, id_: int, text: str, revision: int
) -> Comment:
    """Return the comment with its new text; the same edit again changes nothing.

    Raises NotFound, Forbidden (not yours, too late, too often), Invalid (body), Outdated (revision), TooMany.
    """
    body = markup.clean_body(text)
    limits.spend("post", account.id, settings.limit_posts_account)
    html, mentioned = await rendered(database, body)

    def work(write: Write) -> Comment:
        accounts.confirm(write.sql, account)
        comment = comments.by_id(write.sql, id_)
        if comment is None or not permissions.may_see(account, comment):
            raise NotFound("There is no such comment.")
        if not permissions.may_edit(account, comment):
            raise Forbidden("Only its author may edit a comment.")
        if comment.state not in ("visible", "pending"):
            raise Forbidden("This comment is gone: it can be edited no more.", code="gone")
        present = comments.text(write.sql, comment)
        if comment.revision == revision + 1 and body in (comment.body, present):
            return comments.seen_by(write.sql, id_, is_trusted=True)
        if not permissions.is_in_time(account, comment, write.now, settings.edit_seconds):
            raise Forbidden("The time for editing this comment is over.", code="too_late")
        if comment.revision != revision:
            raise Outdated(comments.seen_by(write.sql, id_, is_trusted=True), present)
        if comment.revision >= MAX_REVISION:
            raise Forbidden(f"A comment can be edited {MAX_REVISION - 1} times.", code="too_many_edits")
        if body not in (comment.body, present):
            _edit(write, comment, body, html)
            if comment.state == "visible":
                tell_of(write, id_, comment.author, comment.parent, mentioned)
        return comments.seen_by(write.sql, id_, is_trusted=True)

    return await database.write(work)


def _edit(write: Write, comment: StoredComment, body: str, html: str) -> None:
    """Let quotes whose sources are hidden stay where the editor showed an empty place, and nobody touched it."""
    whole = comments.with_hidden(write.sql, comment, body)
    if whole is None:
        comments.edit(write, comment, body, html)
        return
    text, moved = whole
    people = {given: account.name for given, account in accounts.mentioned(write.sql, text).items()}
    comments.edit(write, comment, text, markup.to_html(text, people), moved)
