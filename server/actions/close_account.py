"""Closing an account, with its comments kept as Anonymous or erased; and exporting its data first."""

from __future__ import annotations

from typing import Any, Literal

from server.actions import passwords
from server.errors import Forbidden
from server.model import Account
from server.settings import Settings
from server.storage.accounts import accounts
from server.storage.engine.database import Database
from server.storage.engine.write import Write
from server.storage.jobs import batches


async def close_account(
    database: Database,
    settings: Settings,
    account: Account,
    password: str,
    kept: Literal["keep", "erase"],
    token: str = "",
) -> None:
    """Close account permanently. Raises NotSignedIn if the password is wrong, Forbidden for the last staff."""
    await passwords.confirm(database, settings, account, password, token)

    def work(write: Write) -> None:
        accounts.confirm(write.sql, account)
        if account.role == "staff" and accounts.count_staff(write.sql) == 1:
            raise Forbidden("error.last_staff", code="last_staff")
        accounts.close(write, account.id)
        if kept == "erase":
            batches.begin(write, "erase account", account.id)
        batches.begin(write, "stamp account", account.id)

    await database.write(work)


async def everything_of(database: Database, account: Account) -> dict[str, Any]:
    """Return all that is kept of the account, but its password."""
    return await database.read(lambda sql: accounts.everything(sql, account.id))
