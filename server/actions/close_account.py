"""Closing an account: its comments stay as Anonymous, or go with their text. And taking everything along before."""

from __future__ import annotations

from typing import Any, Literal

from server.actions import sign_in
from server.actions.restamp import erase_quotes, restamp_comments, restamp_quotes
from server.errors import Forbidden
from server.limits import Limits
from server.model import Account
from server.settings import Settings
from server.storage import accounts, comments
from server.storage.database import Database
from server.storage.write import Write

ROWS_IN_ONE_WRITE = 100


async def close_account(
    database: Database,
    limits: Limits,
    settings: Settings,
    account: Account,
    password: str,
    kept: Literal["keep", "erase"],
    address: str,
) -> None:
    """Close the account for good. Raises NotSignedIn where the password is wrong, Forbidden for the last staff."""
    await sign_in.log_in(database, limits, settings, account.name, password, address)

    def work(write: Write) -> None:
        if account.role == "staff" and accounts.count_staff(write.sql) == 1:
            raise Forbidden("This is the only account with powers: give them to another first.", code="last_staff")
        accounts.close(write, account.id)

    await database.write(work)
    if kept == "erase":
        while (some := await database.write(lambda write: _erase_some(write, account.id))) is not None:
            for id_, quoting in some:
                await restamp_quotes(database, id_, quoting)
        await erase_quotes(database)
    await restamp_comments(database, account.id)


def _erase_some(write: Write, account: int) -> list[tuple[int, int | None]] | None:
    """Return what was erased, each with where its quotes are still to be stamped; None at the end."""
    some = comments.with_text_of(write.sql, account, limit=ROWS_IN_ONE_WRITE)
    return [(comment.id, comments.set_state(write, comment, "deleted")) for comment in some] or None


async def everything_of(database: Database, account: Account) -> dict[str, Any]:
    """Return all that is kept of the account, but its password."""
    return await database.read(lambda sql: accounts.everything(sql, account.id))
