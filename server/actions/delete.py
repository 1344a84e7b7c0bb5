"""Deleting one's own comment."""

from __future__ import annotations

from channels.change import Comment
from server import permissions
from server.errors import Forbidden, NotFound
from server.model import Account
from server.storage import comments, rows
from server.storage.database import Database
from server.storage.write import Write


async def delete_comment(database: Database, account: Account, id_: int) -> Comment:
    """Turn the comment into a tombstone and erase its text; once more changes nothing. Raises NotFound, Forbidden."""

    def work(write: Write) -> Comment:
        comment = comments.by_id(write.sql, id_)
        if comment is None:
            raise NotFound("There is no such comment.")
        if not permissions.may_delete(account, comment):
            raise Forbidden("Only its author may delete a comment.")
        if comment.state != "deleted":
            comments.set_state(write, comment, "deleted")
        return rows.public(write.sql, id_)

    return await database.write(work)
