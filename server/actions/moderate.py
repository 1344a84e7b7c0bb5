"""Moderation: remove, restore, hold and approve a comment, lock a thread, ban an account.

All of it raises NotSignedIn where the account has lost its role, or was banned, before the write.
"""

from __future__ import annotations

from channels.messages import Comment, Info
from server import permissions
from server.actions.edit_conflict import Outdated
from server.errors import Conflict, Forbidden, Invalid, NotFound
from server.model import Account, State
from server.storage.accounts import accounts, notifications
from server.storage.comments import comments
from server.storage.engine.database import Database
from server.storage.engine.write import Write
from server.storage.threads import threads
from server.visibility import info


async def set_state(
    database: Database, account: Account, id_: int, state: State, revision: int | None = None
) -> Comment:
    """Make a comment visible, removed or pending; once more changes nothing.

    `revision`: the text that was decided on; None: whatever it is. Raises NotFound, Forbidden, Outdated (revision),
    Conflict where its author has deleted it.
    """
    if not permissions.may_moderate(account):
        raise Forbidden("error.only_moderators")

    def work(write: Write) -> Comment:
        accounts.confirm(write.sql, account)
        comment = comments.by_id(write.sql, id_)
        if comment is None:
            raise NotFound("error.no_comment")
        if comment.state == "deleted":
            raise Conflict("error.deleted", code="deleted")
        if state == "visible" and not comment.body:
            raise Conflict("error.erased", code="erased")
        if comment.state != state:
            if revision not in (None, comment.revision):
                raise Outdated(write.answer(account, id_), comments.text(write.sql, comment))
            comments.set_state(write, comment, state)
            if state == "visible" and not comment.shown:
                tell_of(write, comment.id, comment.author, comment.parent)
            else:
                notifications.ring_again(write, id_)
            if comment.author not in (None, account.id) and not comment.shown and state != "pending":
                notifications.add(write, comment.author, id_, "approved" if state == "visible" else "rejected")
            elif comment.author is not None and comment.state == "pending":
                write.concern(comment.author)
        return write.answer(account, id_)

    return await database.write(work)


def tell_of(write: Write, id_: int, author: int | None, parent: int | None) -> None:
    """A comment can be seen from now on: tell whom it answers, and whom it mentions."""
    answered = comments.by_id(write.sql, parent) if parent is not None else None
    if answered is not None and answered.author not in (None, author):
        notifications.add(write, answered.author, id_, "reply")
    for account in notifications.mentioned_in(write.sql, id_):
        if account != author:
            notifications.add(write, account, id_, "mention")


async def lock_thread(database: Database, account: Account, key: str, *, locked: bool) -> Info:
    """Let a thread take no more comments, or again. Raises Forbidden."""
    if not permissions.may_moderate(account):
        raise Forbidden("error.only_moderators")

    def work(write: Write) -> Info:
        accounts.confirm(write.sql, account)
        threads.describe(write, threads.ensure(write, key), {"locked": int(locked)})
        return info(threads.by_key(write.sql, key))

    return await database.write(work)


async def ban_account(database: Database, account: Account, name: str, *, banned: bool) -> Account:
    """Keep an account from signing in, or let it in again; its sessions end. Raises NotFound, Forbidden."""
    if not permissions.may_moderate(account):
        raise Forbidden("error.only_moderators")

    def work(write: Write) -> Account:
        accounts.confirm(write.sql, account)
        found = accounts.by_name(write.sql, name)
        if found is None:
            raise NotFound("error.no_account_named", field="name", name=name)
        if not permissions.may_ban(account, found[0]):
            raise Invalid("error.cannot_ban", field="name")
        accounts.set_banned(write, found[0].id, banned=banned)
        return found[0]

    return await database.write(work)
