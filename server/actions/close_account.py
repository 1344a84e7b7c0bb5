"""Closing an account: its comments stay as Anonymous, or go with their text. And taking everything along before."""

from __future__ import annotations

from typing import Any, Literal

from server.actions import sign_in
from server.actions.finish import erase_quotes, finish_all
from server.errors import Forbidden
from server.limits import Limits
from server.model import Account
from server.settings import Settings
from server.storage import accounts, unfinished
from server.storage.database import Database
from server.storage.write import Write


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

    def work(write: Write) -> list[int]:
        accounts.confirm(write.sql, account)
        if account.role == "staff" and accounts.count_staff(write.sql) == 1:
            raise Forbidden("This is the only account with powers: give them to another first.", code="last_staff")
        accounts.close(write, account.id)
        if kept == "erase":
            unfinished.begin(write, "erasure", account.id)
        unfinished.begin(write, "comments", account.id)
        return write.unfinished

    await finish_all(database, await database.write(work))
    await erase_quotes(database)


async def everything_of(database: Database, account: Account) -> dict[str, Any]:
    """Return all that is kept of the account, but its password."""
    return await database.read(lambda sql: accounts.everything(sql, account.id))
