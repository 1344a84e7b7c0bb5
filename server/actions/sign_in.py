"""Accounts: registering, logging in and out, and what the operator does to them."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from concurrent.futures import ThreadPoolExecutor

import argon2

from server import names
from server.actions.finish import finish_all
from server.errors import Conflict, Forbidden, Invalid, NotFound, NotSignedIn
from server.limits import Limits
from server.model import Account, Role
from server.settings import Settings
from server.storage import accounts, unfinished
from server.storage.database import Database
from server.storage.write import Write

MIN_PASSWORD_CHARACTERS = 8
MAX_PASSWORD_BYTES = 256

_hasher = argon2.PasswordHasher(memory_cost=19456, time_cost=2, parallelism=1)
# Compared with where there is no such account, so that the answer takes as long.
_NOBODY = _hasher.hash(secrets.token_hex(16))
# At most two at once: each takes 19 MiB and a core for 40 ms.
_hashing = ThreadPoolExecutor(2, thread_name_prefix="password")


def token_hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


async def register(
    database: Database, limits: Limits, settings: Settings, name: str, password: str, address: str
) -> Account:
    """Make an account that can log in. Raises Invalid (name, password), Conflict (name taken), TooMany."""
    name = names.clean(name)
    check_password(password)
    limits.spend("register", address, settings.limit_registrations_address)
    account = await create_account(database, name, await hash_password(password), "reader")
    if account is None:
        raise Conflict("This name, or one that looks like it, is taken.", code="name_taken", field="name")
    return account


async def create_account(database: Database, name: str, password: str | None, role: Role) -> Account | None:
    """Make an account under a clean name; `password` is a hash. None where the name is taken."""
    return await database.write(lambda write: accounts.insert(write, name, names.skeleton(name), password, role))


async def log_in(
    database: Database, limits: Limits, settings: Settings, name: str, password: str, address: str
) -> Account:
    """Return the account. The answer and its time are the same for an unknown name. Raises NotSignedIn, TooMany."""
    limits.spend("log in from", address, settings.limit_logins_address)
    try:
        skeleton = names.skeleton(names.clean(name))
    except Invalid:
        skeleton = ""
    limits.spend("log in", skeleton, settings.limit_logins_account)
    found = await database.read(lambda sql: accounts.by_skeleton(sql, skeleton))
    account, password_hash = found or (None, None)
    is_right = await _verify(password_hash or _NOBODY, password)
    if account is None or password_hash is None or not is_right:
        raise NotSignedIn("The name or the password is wrong.", code="wrong_credentials")
    limits.refund("log in", skeleton)
    known = account.id
    if await database.read(lambda sql: accounts.is_banned(sql, known)):
        raise Forbidden(accounts.BANNED, code="banned")
    return account


async def begin_session(database: Database, account: Account) -> str:
    """Return a new token; only its hash is kept."""
    token = secrets.token_urlsafe(32)

    def work(write: Write) -> None:
        accounts.confirm(write.sql, account)
        accounts.begin_session(write, account.id, token_hash(token))

    await database.write(work)
    return token


async def end_session(database: Database, token: str) -> None:
    await database.write(lambda write: accounts.end_session(write, token_hash(token)))


async def set_role(database: Database, name: str, role: Role) -> Account:
    """Give the account a role: its sessions end, its badge changes wherever it shows. Raises NotFound."""
    account = await _named(database, name)

    def work(write: Write) -> list[int]:
        accounts.set_role(write, account.id, role)
        accounts.end_sessions(write, account.id)
        unfinished.begin(write, "comments", account.id)
        return write.unfinished

    await finish_all(database, await database.write(work))
    return Account(account.id, account.name, role)


async def rename(database: Database, name: str, to: str) -> str:
    """Give the account another name, and return it as it is kept. Raises NotFound, Invalid, Conflict (name)."""
    account = (await _named(database, name)).id
    clean = names.clean(to)

    def work(write: Write) -> list[int] | None:
        if not accounts.rename(write, account, clean, names.skeleton(clean)):
            return None
        unfinished.begin(write, "comments", account)
        return write.unfinished

    if (begun := await database.write(work)) is None:
        raise Conflict(f"The name {clean}, or one that looks like it, is taken.", code="name_taken", field="name")
    await finish_all(database, begun)
    return clean


async def set_password(database: Database, name: str, password: str) -> Account:
    """Set a new password and end the account's sessions. Raises NotFound, Invalid (password)."""
    check_password(password)
    account = await _named(database, name)
    password_hash = await hash_password(password)

    def work(write: Write) -> None:
        accounts.set_password(write, account.id, password_hash)
        accounts.end_sessions(write, account.id)

    await database.write(work)
    return account


async def hash_password(password: str) -> str:
    return await asyncio.get_running_loop().run_in_executor(_hashing, _hasher.hash, password)


async def _verify(password_hash: str, password: str) -> bool:
    if len(password.encode("utf-8", "surrogatepass")) > MAX_PASSWORD_BYTES:
        password = ""
    try:
        return await asyncio.get_running_loop().run_in_executor(_hashing, _hasher.verify, password_hash, password)
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False


async def _named(database: Database, name: str) -> Account:
    skeleton = names.skeleton(names.clean(name))
    found = await database.read(lambda sql: accounts.by_skeleton(sql, skeleton))
    if found is None:
        raise NotFound(f"There is no account named {name}.", field="name")
    return found[0]


def check_password(password: str) -> None:
    if len(password) < MIN_PASSWORD_CHARACTERS:
        raise Invalid(f"A password has at least {MIN_PASSWORD_CHARACTERS} characters.", field="password")
    if len(password.encode("utf-8", "surrogatepass")) > MAX_PASSWORD_BYTES:
        raise Invalid(f"A password has at most {MAX_PASSWORD_BYTES} bytes.", field="password")
