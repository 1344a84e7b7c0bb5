"""Passwords: rules, hashing, and limits on guessing that survive restarts."""

from __future__ import annotations

import asyncio
import functools
import hmac
import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import argon2

from server.actions.sessions import token_hash
from server.errors import Invalid, NotSignedIn, TooMany, Unavailable
from server.model import Account
from server.settings import Settings
from server.settings.values import Rate
from server.storage.accounts import accounts, identities, login_attempts, sessions
from server.storage.engine.database import Database

MIN_PASSWORD_CHARACTERS = 8
MAX_PASSWORD_BYTES = 256
# How long ago a log-in stands for a password.
FRESH_MS = 10 * 60 * 1000
# 40 ms each, two at once.
MAX_WAITING = 400

_hasher = argon2.PasswordHasher(memory_cost=19456, time_cost=2, parallelism=1)
# At most two at once: each takes 19 MiB and a core for 40 ms.
_hashing = ThreadPoolExecutor(2, thread_name_prefix="password")
_waiting = 0
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Caller:
    """Where an attempt to log in comes from.

    `address` is a keyed hash. `device` says by which number a browser is known that logged in to an account before,
    by the account's id; empty for any other browser.
    """

    address: str
    device: Callable[[int], str] = lambda account: ""


def check(password: str, field: str = "password") -> None:
    """Raises Invalid, of that field."""
    if len(password) < MIN_PASSWORD_CHARACTERS:
        raise Invalid("error.password_short", field=field, count=MIN_PASSWORD_CHARACTERS)
    if len(password.encode("utf-8", "surrogatepass")) > MAX_PASSWORD_BYTES:
        raise Invalid("error.password_long", field=field, count=MAX_PASSWORD_BYTES)


async def hashed(password: str) -> str:
    """Raises Unavailable if too many wait to be hashed."""
    return await _beside_the_loop(_hasher.hash, password)


async def is_right(password_hash: str | None, password: str) -> bool:
    """Say whether it is; without a hash, as of no account, that takes as long. Raises Unavailable if too many wait."""
    if len(password.encode("utf-8", "surrogatepass")) > MAX_PASSWORD_BYTES:
        password = ""
    try:
        return await _beside_the_loop(_verified, password_hash, password)
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False


def _verified(password_hash: str | None, password: str) -> bool:
    _hasher.verify(password_hash or _of_nobody(), password)
    return password_hash is not None


@functools.cache
def _of_nobody() -> str:
    return _hasher.hash(secrets.token_hex(16))


async def confirm(database: Database, settings: Settings, account: Account, password: str, token: str = "") -> None:
    """Check the password of a logged-in account. Raises NotSignedIn, TooMany, Unavailable.

    Who has none has logged in a moment ago, by a provider, in the session of this token.
    Counted apart from attempts to log in: a stranger who guesses must not keep the owner from this.
    """
    if await database.read(
        lambda sql: not accounts.password(sql, account.id) and identities.of_account(sql, account.id)
    ):
        await check_fresh(database, account, token)
        return
    buckets = [bucket(settings, settings.limit_logins_account, "confirm", str(account.id))]
    await spend(database, settings, buckets)
    kept = await database.read(lambda sql: accounts.password(sql, account.id))
    if kept is None or not await is_right(kept, password):
        raise NotSignedIn("error.wrong_password", code="wrong_credentials", field="password")
    await give_back(database, settings, buckets)


async def check_fresh(database: Database, account: Account, token: str) -> None:
    """Raises NotSignedIn (`not_fresh`) unless the session of this token is the account's and began a moment ago."""
    held = await database.read(lambda sql: sessions.by_token(sql, token_hash(token)))
    if held is None or held.account.id != account.id or held.created + FRESH_MS < time.time() * 1000:
        raise NotSignedIn("error.log_in_again", code="not_fresh", count=FRESH_MS // 60_000)


def bucket(settings: Settings, rate: Rate, *who: str) -> login_attempts.Bucket:
    told = "\0".join(("attempts", *who)).encode("utf-8", "replace")
    return login_attempts.Bucket(hmac.digest(settings.secret.encode(), told, "sha256"), rate.count, rate.seconds)


async def spend(database: Database, settings: Settings, buckets: list[login_attempts.Bucket]) -> None:
    """Take an attempt out of each, before anything is compared: none in parallel is for nothing. Raises TooMany."""
    if settings.limits and (wait := await database.write(lambda write: login_attempts.take(write, buckets))):
        raise TooMany("error.many_attempts", retry_after=wait, seconds=wait)


async def give_back(database: Database, settings: Settings, buckets: list[login_attempts.Bucket]) -> None:
    if settings.limits:
        await database.write(lambda write: login_attempts.give_back(write, buckets))


async def _beside_the_loop(work: Callable[..., Result], *given: str | None) -> Result:
    global _waiting  # noqa: PLW0603 — one pool, one queue
    if _waiting >= MAX_WAITING:
        raise Unavailable("error.many_logins", retry_after=5)
    _waiting += 1
    try:
        return await asyncio.get_running_loop().run_in_executor(_hashing, work, *given)
    finally:
        _waiting -= 1
