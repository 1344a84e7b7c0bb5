"""Deleting one's own comment."""

from __future__ import annotations

from channels.change import Comment
from server import permissions
from server.actions.finish import erase_quotes, finish_all
from server.errors import Forbidden, NotFound
from server.model import Account
from server.storage import accounts, comments, quotes, rows
from server.storage.database import Database
from server.storage.write import Write


async def delete_comment(database: Database, account: Account, id_: int) -> Comment:
    """Turn the comment into a tombstone and erase its text, wherever it is quoted; once more changes nothing.

    Raises NotFound, Forbidden, NotSignedIn (the account ended meanwhile).
    """

    def work(write: Write) -> tuple[Comment, list[int]]:
        accounts.confirm(write.sql, account)
        comment = comments.by_id(write.sql, id_)
        if comment is None or not permissions.may_see(account, comment):
            raise NotFound("There is no such comment.")
        if not permissions.may_delete(account, comment):
            raise Forbidden("Only its author may delete a comment.")
        if comment.state != "deleted":
            comments.set_state(write, comment, "deleted")
            quotes.erase_some(write)
        return rows.public(write.sql, id_), write.unfinished

    deleted, begun = await database.write(work)
    await finish_all(database, begun)
    await erase_quotes(database)
    return deleted
