"""Logging readers in by what their site states of them, and out again."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from server import account_names, site_tokens
from server.actions.sessions import fresh_token, token_hash
from server.actions.sites import confirm_staff
from server.errors import Forbidden, NotFound, NotSignedIn, TooMany
from server.model import Account
from server.rate_limits import Limits
from server.settings import Settings
from server.site_tokens import SiteKey, Statement
from server.sites import OWN, Site
from server.storage import site_keys, sites
from server.storage.accounts import accounts, identities, sessions
from server.storage.accounts.identities import Known
from server.storage.engine.database import Database, Sql
from server.storage.engine.write import Write
from server.storage.jobs import batches


@dataclass(frozen=True, slots=True)
class Present:
    """The session that the browser has already: the hash of its token, and whose it is; None: it has ended."""

    token_hash: bytes
    account: Account | None


async def enter(
    database: Database,
    limits: Limits,
    settings: Settings,
    site: Site,
    given: str,
    browser: str,
    present: Present | None = None,
) -> tuple[Account, str]:
    """Return the account of whom the site's token names, and the token of a session that it begins there.

    "": the present session is theirs and goes on; a newer name or role counts from now on. That of somebody else ends
    once the token has proved good. Raises Forbidden, NotSignedIn (`sso_expired`), Invalid (name).
    """
    key = await _key(database, site, given)
    claims = site_tokens.verified(given, key, issuer=site.id, audience=settings.address)
    issuer, subject = identities.of_site(site.id), site_tokens.subject_of(claims)
    known, left = await database.read(
        lambda sql: (identities.known(sql, issuer, subject), identities.logged_out(sql, issuer, subject))
    )
    there = _there(present, known)
    try:
        statement = site_tokens.statement(claims, now=time.time())
        _check_after(statement, left)
    except NotSignedIn:
        if there is None:
            raise
        return there, ""
    name = _name(limits, settings, statement, known)
    if there is not None and known is not None and _says_nothing_new(site, statement, name, known):
        return there, ""
    if there is None:
        # As many as the site signs, but of one reader not more than of one address.
        limits.spend("statement", (issuer, subject), settings.limit_logins_address)
    token = "" if there is not None else fresh_token()

    def work(write: Write) -> Account:
        _check_key(write.sql, site, key)
        if not identities.use(write, issuer, statement.id, statement.expires):
            if there is not None:
                return there
            raise Forbidden("error.sso_used", code="token_used", field="jti")
        _check_after(statement, identities.logged_out(write.sql, issuer, subject))
        account = _followed(write, issuer, statement, name, site, settings)
        if accounts.is_banned(write.sql, account.id):
            raise Forbidden("error.banned", code="banned")
        if token:
            if present is not None:
                sessions.end(write, present.token_hash)
            sessions.begin(write, account.id, token_hash(token), browser, site.id, signed=True)
        return account

    return await database.write(work), token


def _check_after(statement: Statement, left: int) -> None:
    """Raises NotSignedIn if the statement was made before its reader left."""
    if statement.issued <= left:
        raise NotSignedIn("error.sso_expired", code="sso_expired", field="iat")


def _there(present: Present | None, known: Known | None) -> Account | None:
    """Return the account that is logged in here already, where it is theirs."""
    account = present.account if present else None
    return account if account and known and account.id == known.account.id else None


def _name(limits: Limits, settings: Settings, statement: Statement, known: Known | None) -> str:
    """Return the clean name that the statement gives; the one before, where it changes too often. Raises Invalid."""
    name = account_names.clean(statement.name)
    if known is None or name == known.name:
        return name
    try:
        limits.spend("change", known.account.id, settings.limit_changes_account)
    except TooMany:
        return known.name
    return name


def _says_nothing_new(site: Site, statement: Statement, name: str, known: Known) -> bool:
    if statement.issued < known.stated:
        return True
    is_same = name == known.name and statement.is_moderator == known.is_moderator
    # Where a role counts, the newest is kept: one from before it, still unused, must not promote.
    return is_same and (not site.moderates or statement.issued == known.stated)


def _followed(write: Write, issuer: str, statement: Statement, name: str, site: Site, settings: Settings) -> Account:
    """Return the account of whom the statement names, as the newest statement says that they are."""
    known = identities.known(write.sql, issuer, statement.subject)
    account = (
        known.account if known else identities.add(write, issuer, statement.subject, name, site.id, settings.marks)
    )
    if known is not None and statement.issued < known.stated:
        return account
    if known is not None and name != known.name:
        account = identities.rename(write, issuer, statement.subject, name, site.id, settings.marks)
        batches.begin(write, "stamp account", account.id)
    identities.keep_statement(write, issuer, statement.subject, statement.issued, is_moderator=statement.is_moderator)
    if known is not None and statement.is_moderator != known.is_moderator:
        write.concern(account.id, is_end=True)
    return account


async def leave(database: Database, settings: Settings, site: Site, given: str) -> None:
    """End all sessions on the site of whom its token names, and let no token from before begin another.

    Raises Forbidden, NotSignedIn (`sso_expired`).
    """
    key = await _key(database, site, given)
    claims = site_tokens.verified(given, key, issuer=site.id, audience=settings.address)
    statement = site_tokens.statement(claims, now=time.time(), is_logout=True)
    issuer = identities.of_site(site.id)

    def work(write: Write) -> None:
        _check_key(write.sql, site, key)
        if not identities.use(write, issuer, statement.id, statement.expires):
            raise Forbidden("error.sso_used", code="token_used", field="jti")
        _log_out(write, issuer, statement.subject, statement.issued)
        if (found := identities.known(write.sql, issuer, statement.subject)) is not None:
            sessions.end_on(write, found.account.id, site.id)

    await database.write(work)


async def log_out(database: Database, site: Site, token: str, account: Account) -> None:
    """End this session of the account, which a token of the site began, and let no token from before begin another."""
    issuer = identities.of_site(site.id)

    def work(write: Write) -> None:
        sessions.end(write, token_hash(token))
        if (subject := identities.subject_of(write.sql, issuer, account.id)) is not None:
            # One that is made within this second is already that of the next log-in.
            _log_out(write, issuer, subject, write.now // 1000 - 1)

    await database.write(work)


def _log_out(write: Write, issuer: str, subject: str, at: int) -> None:
    identities.log_out(write, issuer, subject, at, at + site_tokens.MOST_SECONDS + site_tokens.LEEWAY_SECONDS)


async def add_key(database: Database, id_: str, key: SiteKey, by: Account | None = None) -> None:
    """`by`: a member of staff; None: the operator. Raises NotFound, Conflict, NotSignedIn."""

    def work(write: Write) -> None:
        confirm_staff(write, by)
        site = _site(write.sql, id_)
        site_keys.add(write, site.id, key)
        if "sso" not in site.logins:
            sites.put(write, site.with_login("sso"))

    await database.write(work)


async def remove_key(
    database: Database, id_: str, key: str, by: Account | None = None, *, is_leaked: bool = False
) -> None:
    """What it has signed counts no more; sessions that began by it stay.

    `is_leaked`: all sessions that the site's keys began end. `by`: as in `add_key`. Raises NotFound, NotSignedIn.
    """

    def work(write: Write) -> None:
        confirm_staff(write, by)
        if not site_keys.remove(write, _site(write.sql, id_).id, key):
            raise NotFound("error.no_site_key", field="key_id", key=key, site=id_)
        if is_leaked:
            sessions.end_signed(write, id_)

    await database.write(work)


async def keys(database: Database, id_: str) -> list[SiteKey]:
    """Raises NotFound."""
    return await database.read(lambda sql: site_keys.of(sql, _site(sql, id_).id))


def _site(sql: Sql, id_: str) -> Site:
    found = next((site for site in sites.all_of(sql) if site.id == id_ != OWN), None)
    if found is None:
        raise NotFound("error.no_site_named", field="id", site=id_)
    return found


async def _key(database: Database, site: Site, given: str) -> SiteKey:
    """Return the site's key that the token names. Raises Forbidden."""
    if "sso" not in site.logins:
        raise Forbidden("error.no_sso", code="bad_token", field="sso")
    if not site_tokens.is_loaded():
        await asyncio.to_thread(site_tokens.load)
    named = site_tokens.key_id_of(given)
    key = await database.read(lambda sql: site_keys.by_id(sql, site.id, named))
    if key is None:
        raise Forbidden("error.sso_key", code="bad_token", field="sso")
    return key


def _check_key(sql: Sql, site: Site, key: SiteKey) -> None:
    """Raises Forbidden if the site or its key changed since the token was read."""
    there = next((one for one in sites.all_of(sql) if one.id == site.id), None)
    if there is None or "sso" not in there.logins:
        raise Forbidden("error.no_sso", code="bad_token", field="sso")
    if site_keys.by_id(sql, site.id, key.id) != key:
        raise Forbidden("error.sso_key", code="bad_token", field="sso")
