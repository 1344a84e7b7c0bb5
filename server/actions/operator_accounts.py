"""Changes of an account by the operator: its role, name and password."""

from __future__ import annotations

from server.actions import account as own
from server.actions import passwords
from server.errors import NotFound
from server.model import Account, Role
from server.storage.accounts import accounts, sessions
from server.storage.engine.database import Database
from server.storage.engine.write import Write
from server.storage.jobs import batches


async def set_role(database: Database, name: str, role: Role) -> Account:
    """Give the account a role: its sessions end, its badge changes wherever it shows. Raises NotFound."""
    account = await _named(database, name)

    def work(write: Write) -> None:
        accounts.set_role(write, account.id, role)
        sessions.end_all(write, account.id)
        batches.begin(write, "stamp account", account.id)

    await database.write(work)
    return Account(account.id, account.name, role)


async def rename(database: Database, name: str, to: str) -> str:
    """Give the account another name, and return it as it is kept. Raises NotFound, Invalid, Conflict (name)."""
    return await own.rename_account(database, await _named(database, name), to, by_itself=False)


async def set_password(database: Database, name: str, password: str) -> Account:
    """Set a new password and end the account's sessions. Raises NotFound, Invalid (password)."""
    passwords.check(password)
    account = await _named(database, name)
    password_hash = await passwords.hashed(password)

    def work(write: Write) -> None:
        accounts.set_password(write, account.id, password_hash)
        sessions.end_all(write, account.id)

    await database.write(work)
    return account


async def _named(database: Database, name: str) -> Account:
    found = await database.read(lambda sql: accounts.by_name(sql, name))
    if found is None:
        raise NotFound("error.no_account_named", field="name", name=name)
    return found[0]
