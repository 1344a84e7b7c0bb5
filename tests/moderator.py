"""The moderator of a database that tests have to themselves."""

from __future__ import annotations

from server.actions import sign_in
from server.model import Account
from server.storage.accounts import accounts
from server.storage.engine.database import Database


async def moderator(database: Database) -> Account:
    """Return the one account with powers, made where there is none yet."""
    made = await sign_in.create_account(database, "Moderator", None, "moderator")
    known = made or (await database.read(lambda sql: accounts.by_name(sql, "moderator")) or (None,))[0]
    assert known is not None
    return known
