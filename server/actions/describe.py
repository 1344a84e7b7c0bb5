"""Giving a thread its title, link, summary, author and lock."""

from __future__ import annotations

from channels.change import Info
from server import names, permissions
from server.actions.finish import finish_all
from server.errors import Forbidden, Invalid
from server.model import Account
from server.storage import accounts, snapshot, threads, unfinished
from server.storage.database import Database
from server.storage.write import Write


async def describe_thread(
    database: Database,
    account: Account,
    key: str,
    *,
    title: str,
    url: str | None = None,
    summary: str | None = None,
    author: str | None = None,
    locked: bool | None = None,
) -> Info:
    """Set what is not None; return what the thread shows now. Raises Forbidden, Invalid (author), NotSignedIn."""
    if not permissions.may_describe(account):
        raise Forbidden("Only staff may describe a thread.")
    return await set_description(
        database, key, account, title=title, url=url, summary=summary, author=author, locked=locked
    )


async def set_description(
    database: Database,
    key: str,
    by: Account | None = None,
    *,
    title: str | None = None,
    url: str | None = None,
    summary: str | None = None,
    author: str | None = None,
    locked: bool | None = None,
) -> Info:
    """The same for the operator at the command line, who needs no role: `by` nobody."""

    def work(write: Write) -> tuple[Info, list[int]]:
        if by is not None:
            accounts.confirm(write.sql, by)
        given: dict[str, str | int | None] = {"title": title, "url": url, "summary": summary}
        fields = {column: value for column, value in given.items() if value is not None}
        if locked is not None:
            fields["locked"] = int(locked)
        before = threads.by_key(write.sql, key).author
        if author is not None:
            found = accounts.by_skeleton(write.sql, names.skeleton(names.clean(author)))
            if found is None:
                raise Invalid(f"There is no account named {author}.", field="author")
            fields["author"] = found[0].id
        thread = threads.ensure(write, key)
        threads.describe(write, thread, fields)
        after = threads.by_key(write.sql, key)
        # Whose badge moves.
        for account in (before, after.author) if before != after.author else ():
            if account is not None:
                unfinished.begin(write, "comments", account)
        return snapshot.info(after), write.unfinished

    info, begun = await database.write(work)
    await finish_all(database, begun)
    return info
