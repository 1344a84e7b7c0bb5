"""Editing a comment: by its author for a limited time, by staff always, and only against the current text."""

from __future__ import annotations

from channels.messages import Comment
from server import permissions
from server.actions.edit_conflict import Outdated
from server.actions.moderate import tell_of
from server.actions.post import rendered
from server.errors import Forbidden
from server.model import Account, StoredComment
from server.rate_limits import Limits
from server.settings import Settings
from server.storage.accounts import accounts, notifications
from server.storage.comments import comments
from server.storage.engine.database import Database
from server.storage.engine.write import Write
from server.text import characters, markup
from server.text.render_process import Renderer

# Every text is kept, and a request for the comment returns them all.
MAX_REVISION = 101


async def edit_comment(
    database: Database,
    limits: Limits,
    settings: Settings,
    account: Account,
    id_: int,
    text: str,
    revision: int,
    renderer: Renderer | None = None,
) -> Comment:
    """Return the comment with its new text; the same edit again changes nothing.

    Raises NotFound, Forbidden (not yours, too late, too often), Invalid (body), Outdated (revision), TooMany.
    """
    body = characters.clean_body(text)
    limits.spend("post", account.id, settings.limit_posts_account)
    html, mentioned = await rendered(database, renderer, body)

    def work(write: Write) -> Comment:
        accounts.confirm(write.sql, account)
        comment = comments.known_to(write.sql, account, id_)
        if not permissions.may_edit(account, comment):
            raise Forbidden("error.edit_not_author")
        if not permissions.is_editable(comment):
            raise Forbidden("error.edit_gone", code="gone")
        present = comments.text(write.sql, comment)
        if comment.revision == revision + 1 and body in (comment.body, present):
            return write.answer(account, id_)
        if not permissions.is_in_time(account, comment, write.now, settings.edit_seconds):
            raise Forbidden("error.edit_too_late", code="too_late")
        if comment.revision != revision:
            raise Outdated(write.answer(account, id_), present)
        if comment.revision >= MAX_REVISION:
            raise Forbidden("error.many_edits", code="too_many_edits", count=MAX_REVISION - 1)
        if body not in (comment.body, present):
            _edit(write, comment, body, html)
            notifications.mention(write, id_, mentioned)
            if comment.state == "visible":
                tell_of(write, id_, comment.author, comment.parent)
        return write.answer(account, id_)

    return await database.write(work)


def _edit(write: Write, comment: StoredComment, body: str, html: str) -> None:
    """Keep quotes of hidden sources where the editor showed a gap that was left alone."""
    whole = comments.with_hidden(write.sql, comment, body)
    if whole is None:
        comments.edit(write, comment, body, html)
        return
    text, moved = whole
    people = {given: account.name for given, account in accounts.mentioned(write.sql, text).items()}
    comments.edit(write, comment, text, markup.to_html(text, people), moved)
