"""Registering an account and logging in to one."""

from __future__ import annotations

import asyncio

from server import account_names
from server.actions import passwords
from server.actions.passwords import Caller
from server.errors import Conflict, Forbidden, Invalid, NotSignedIn
from server.model import Account, Role
from server.rate_limits import Limits
from server.settings import Settings
from server.storage.accounts import accounts
from server.storage.accounts.login_attempts import Bucket
from server.storage.engine.database import Database


async def register(
    database: Database, limits: Limits, settings: Settings, name: str, password: str, address: str
) -> Account:
    """Make an account that can log in. Raises Invalid (name, password), Conflict (name taken), TooMany."""
    name = account_names.clean(name)
    if not await database.read(lambda sql: accounts.is_free(sql, name)):
        raise Conflict("error.this_name_taken", code="name_taken", field="name")
    await check_free_to_take(database, settings, name)
    passwords.check(password)
    limits.spend("register", address, settings.limit_registrations_address)
    account = await create_account(database, name, await passwords.hashed(password), "reader")
    if account is None:
        raise Conflict("error.this_name_taken", code="name_taken", field="name")
    return account


async def be_guest(
    database: Database, limits: Limits, settings: Settings, name: str, site: str, address: str
) -> Account:
    """Make an account of a name alone, which nobody can log in to: a guest of the site. Raises Invalid, TooMany."""
    name = account_names.clean(name)
    await check_free_to_take(database, settings, name)
    limits.spend("register", address, settings.limit_registrations_address)
    return await database.write(lambda write: accounts.guest(write, name, site))


async def create_account(database: Database, name: str, password: str | None, role: Role) -> Account | None:
    """Make an account under a clean name; `password` is a hash. None if the name is taken."""
    return await database.write(lambda write: accounts.insert(write, name, password, role))


async def log_in(
    database: Database, limits: Limits, settings: Settings, name: str, password: str, caller: Caller
) -> Account:
    """Return the account. The answer and its time are the same for an unknown name. Raises NotSignedIn, TooMany.

    Wrong passwords are counted for the account and the address, and for the account from everywhere; a browser that
    logged in before has a count of its own, so that nobody keeps the owner out.
    """
    limits.spend("log in from", caller.address, settings.limit_logins_address)
    found = await database.read(lambda sql: accounts.by_name(sql, name))
    account, password_hash = found or (None, None)
    # The same for each name that it had.
    key = account_names.key(account.name if account else name)
    buckets = _buckets(settings, key, caller.address, caller.device(account.id) if account else "")
    await passwords.spend(database, settings, buckets)
    is_right = await passwords.is_right(password_hash, password)
    if account is None or password_hash is None or not is_right:
        raise NotSignedIn("error.wrong_credentials", code="wrong_credentials")
    await passwords.give_back(database, settings, buckets)
    known = account.id
    if await database.read(lambda sql: accounts.is_banned(sql, known)):
        raise Forbidden("error.banned", code="banned")
    return account


def _buckets(settings: Settings, name: str, address: str, device: str) -> list[Bucket]:
    if device:
        return [passwords.bucket(settings, settings.limit_logins_account, "device", device)]
    return [
        passwords.bucket(settings, settings.limit_logins_account, "address", name, address),
        passwords.bucket(settings, settings.limit_logins_everywhere, "everywhere", name),
    ]


async def check_free_to_take(database: Database, settings: Settings, name: str) -> None:
    """Raises Invalid (name) if only an operator may give the clean name."""
    # Beside the event loop: the tables are read for the first of them.
    if await asyncio.to_thread(account_names.is_reserved, name) or await database.read(
        lambda sql: accounts.has_mark(sql, name, settings.marks)
    ):
        raise Invalid("error.name_reserved", code="name_reserved", field="name")
    if account_names.is_mixed(name):
        raise Invalid("error.name_mixed", field="name")
