"""Sessions: started by a login, ended by their owner or by expiry."""

from __future__ import annotations

import hashlib
import secrets

from server.errors import Forbidden, NotFound
from server.model import Account
from server.settings import Settings
from server.sites import OWN
from server.storage.accounts import accounts, identities, login_attempts, sessions
from server.storage.engine.database import Database
from server.storage.engine.write import Write

SWEEP_SECONDS = 60


def fresh_token() -> str:
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def lifetime(settings: Settings) -> sessions.Lifetime:
    return sessions.Lifetime(settings.session_idle_seconds * 1000, settings.session_seconds * 1000)


async def begin_session(
    database: Database,
    account: Account,
    browser: str = "",
    site: str = OWN,
    *,
    moderates: bool = False,
    signed: bool = False,
    instead_of: bytes | None = None,
) -> str:
    """Return a new token, which counts on `site` alone; only its hash is kept. `browser`: in which one, in words.

    `instead_of`: the hash of a token whose session this one replaces. Raises NotSignedIn, and Forbidden if that session
    has ended.
    """
    token = fresh_token()

    def work(write: Write) -> None:
        accounts.confirm(write.sql, account)
        if instead_of is not None and not sessions.end(write, instead_of):
            raise Forbidden("error.bad_code", code="bad_code")
        sessions.begin(write, account.id, token_hash(token), browser, site, moderates=moderates, signed=signed)

    await database.write(work)
    return token


async def end_session(database: Database, token: str) -> None:
    """End the session of this token, if there is one; a token that is nobody's costs no write."""
    hashed = token_hash(token)
    if await database.read(lambda sql: sessions.is_there(sql, hashed)):
        await database.write(lambda write: sessions.end(write, hashed))


async def end_own_session(database: Database, account: Account, id_: int) -> None:
    """End one of the account's sessions by its number. Raises NotFound."""

    def work(write: Write) -> None:
        accounts.confirm(write.sql, account)
        if not sessions.end_one(write, account.id, id_):
            raise NotFound("error.no_session")

    await database.write(work)


async def end_other_sessions(database: Database, account: Account, token: str) -> None:
    """End all of the account's sessions but the one of this token."""

    def work(write: Write) -> None:
        accounts.confirm(write.sql, account)
        sessions.end_all(write, account.id, but=token_hash(token))

    await database.write(work)


async def sweep(database: Database, settings: Settings) -> float:
    """Delete expired sessions, a hundred per write, and what login attempts and statements left that have run out.

    A chore of the upkeep, every minute.
    """
    while await database.write(lambda write: sessions.sweep(write, lifetime(settings))):
        pass
    for forgotten in (login_attempts.sweep, identities.sweep):
        while await database.write(forgotten):
            pass
    return SWEEP_SECONDS
