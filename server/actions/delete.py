"""Deleting one's own comment."""

from __future__ import annotations

from channels.messages import Comment
from server import permissions
from server.errors import Forbidden
from server.model import Account
from server.storage.accounts import accounts
from server.storage.comments import comments
from server.storage.engine.database import Database
from server.storage.engine.write import Write


async def delete_comment(database: Database, account: Account, id_: int) -> Comment:
    """Turn the comment into a tombstone and erase its text; once more changes nothing.

    What quotes it hides its words at once; they are erased there beside requests.

    Raises NotFound, Forbidden, NotSignedIn (the account ended meanwhile).
    """

    def work(write: Write) -> Comment:
        accounts.confirm(write.sql, account)
        comment = comments.known_to(write.sql, account, id_)
        if not permissions.may_delete(account, comment):
            raise Forbidden("error.delete_not_author")
        if comment.state != "deleted":
            comments.set_state(write, comment, "deleted")
        return write.answer(account, id_)

    return await database.write(work)
