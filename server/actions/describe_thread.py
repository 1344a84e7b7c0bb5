"""Giving a thread its title, link, summary, author and lock."""

from __future__ import annotations

from channels.messages import Info
from server import permissions, urls
from server.errors import Forbidden, Invalid
from server.model import Account
from server.storage import sites
from server.storage.accounts import accounts
from server.storage.engine.database import Database
from server.storage.engine.write import Write
from server.storage.jobs import batches
from server.storage.threads import threads
from server.visibility import info


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
    """Set what is not None; return what the thread shows now. Raises Forbidden, Invalid (author, url), NotSignedIn."""
    if not permissions.may_describe(account):
        raise Forbidden("error.only_staff")
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
    if url and not urls.is_page(url):
        raise Invalid("error.url", field="url")

    def work(write: Write) -> Info:
        if by is not None:
            accounts.confirm(write.sql, by)
        given: dict[str, str | int | None] = {"title": title, "url": url, "summary": summary}
        fields = {column: value for column, value in given.items() if value is not None}
        if locked is not None:
            fields["locked"] = int(locked)
        before = threads.by_key(write.sql, key).author
        if author is not None:
            found = accounts.by_name(write.sql, author)
            if found is None:
                raise Invalid("error.no_account_named", field="author", name=author)
            fields["author"] = found[0].id
        thread = threads.ensure(write, key)
        threads.describe(write, thread, fields)
        sites.adopt_one(write, thread, url or "")
        after = threads.by_key(write.sql, key)
        # Whose badge moves.
        for account in (before, after.author) if before != after.author else ():
            if account is not None:
                batches.begin(write, "stamp account", account)
        return info(after)

    return await database.write(work)
