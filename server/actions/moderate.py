"""What moderators do: remove, restore, hold and approve a comment, lock a thread, ban an account.

All of it raises NotSignedIn where the account has lost its role, or was banned, before the write.
"""

from __future__ import annotations

from channels.change import Comment, Info
from server import names, permissions
from server.actions.finish import finish_all
from server.errors import Conflict, Forbidden, Invalid, NotFound
from server.model import Account, State
from server.storage import accounts, comments, notices, snapshot, threads
from server.storage.database import Database
from server.storage.write import Write


async def set_state(database: Database, account: Account, id_: int, state: State) -> Comment:
    """Make a comment visible, removed or pending; once more changes nothing.

    Raises NotFound, Forbidden, Conflict where its author has deleted it.
    """
    if not permissions.may_moderate(account):
        raise Forbidden("Only moderators may do this.")

    def work(write: Write) -> tuple[Comment, list[int]]:
        accounts.confirm(write.sql, account)
        comment = comments.by_id(write.sql, id_)
        if comment is None:
            raise NotFound("There is no such comment.")
        if comment.state == "deleted":
            raise Conflict("Its author has deleted this comment.", code="deleted")
        if state == "visible" and not comment.body:
            raise Conflict("The text of this comment was erased and cannot be shown again.", code="erased")
        if comment.state != state:
            comments.set_state(write, comment, state)
            if state == "visible" and not comment.shown:
                tell_of(write, comment.id, comment.author, comment.parent)
            else:
                notices.ring_again(write, id_)
            if comment.author is not None and comment.state == "pending":
                write.concern(comment.author)
        return comments.seen_by(write.sql, id_, is_trusted=True), write.unfinished

    comment, begun = await database.write(work)
    await finish_all(database, begun)
    return comment


def tell_of(write: Write, id_: int, author: int | None, parent: int | None, mentioned: tuple[int, ...] = ()) -> None:
    """A comment can be seen from now on: tell whom it answers, and whom it mentions."""
    answered = comments.by_id(write.sql, parent) if parent is not None else None
    if answered is not None and answered.author not in (None, author):
        notices.add(write, answered.author, id_, "reply")
    for account in mentioned:
        if account != author:
            notices.add(write, account, id_, "mention")


async def lock_thread(database: Database, account: Account, key: str, *, locked: bool) -> Info:
    """Let a thread take no more comments, or again. Raises Forbidden."""
    if not permissions.may_moderate(account):
        raise Forbidden("Only moderators may do this.")

    def work(write: Write) -> Info:
        accounts.confirm(write.sql, account)
        threads.describe(write, threads.ensure(write, key), {"locked": int(locked)})
        return snapshot.info(threads.by_key(write.sql, key))

    return await database.write(work)


async def ban_account(database: Database, account: Account, name: str, *, banned: bool) -> Account:
    """Keep an account from signing in, or let it in again; its sessions end. Raises NotFound, Forbidden."""
    if not permissions.may_moderate(account):
        raise Forbidden("Only moderators may do this.")
    skeleton = names.skeleton(names.clean(name))

    def work(write: Write) -> Account:
        accounts.confirm(write.sql, account)
        found = accounts.by_skeleton(write.sql, skeleton)
        if found is None:
            raise NotFound(f"There is no account named {name}.", field="name")
        if not permissions.may_ban(account, found[0]):
            raise Invalid("This account cannot be banned by you.", field="name")
        accounts.set_banned(write, found[0].id, banned=banned)
        return found[0]

    return await database.write(work)
