"""Logging readers in by what their site states of them, and out again."""

from __future__ import annotations

import time
from dataclasses import dataclass

from server import names, single_sign_on
from server.actions.sessions import fresh_token, token_hash
from server.errors import Forbidden, NotFound
from server.model import Account
from server.single_sign_on import SiteKey, Statement
from server.sites import OWN, Site
from server.storage import site_keys, sites
from server.storage.accounts import accounts, identities, sessions
from server.storage.engine.database import Database, Sql
from server.storage.engine.write import Write


@dataclass(frozen=True, slots=True)
class Entered:
    account: Account
    token: str
    is_moderator: bool


async def enter(database: Database, site: Site, audience: str, given: str, browser: str) -> Entered:
    """Begin a session of the site for whom its token names. Raises Forbidden, NotSignedIn (`sso_expired`), Invalid."""
    statement = await _read(database, site, audience, given)
    name = names.clean(statement.name)
    issuer, token = identities.of_site(site.id), fresh_token()
    is_moderator = statement.is_moderator and site.moderates

    def work(write: Write) -> Account:
        _use(write, issuer, statement)
        account = identities.account(write, issuer, statement.subject, name, site.id)
        if accounts.is_banned(write.sql, account.id):
            raise Forbidden("error.banned", code="banned")
        sessions.begin(write, account.id, token_hash(token), browser, site.id, appointed=is_moderator)
        return account

    return Entered(await database.write(work), token, is_moderator)


async def subject_account(database: Database, site: Site, audience: str, given: str) -> int | None:
    """Return the account of whom the token speaks, whenever it was made; None: nobody yet. Raises Forbidden."""
    subject = single_sign_on.subject_of(given, await _key(database, site, given), issuer=site.id, audience=audience)
    found = await database.read(lambda sql: identities.known(sql, identities.of_site(site.id), subject))
    return found[0].id if found else None


async def leave(database: Database, site: Site, audience: str, given: str) -> None:
    """End all sessions on the site of whom its token names. Raises Forbidden, NotSignedIn (`sso_expired`)."""
    statement = await _read(database, site, audience, given, is_logout=True)
    issuer = identities.of_site(site.id)

    def work(write: Write) -> None:
        _use(write, issuer, statement)
        if (found := identities.known(write.sql, issuer, statement.subject)) is not None:
            sessions.end_on(write, found[0].id, site.id)

    await database.write(work)


async def add_key(database: Database, id_: str, key: SiteKey) -> None:
    """Raises NotFound, Conflict."""

    def work(write: Write) -> None:
        site = _site(write.sql, id_)
        site_keys.add(write, site.id, key)
        if "sso" not in site.logins:
            sites.put(write, site.with_login("sso"))

    await database.write(work)


async def remove_key(database: Database, id_: str, key: str) -> None:
    """What it has signed counts no more; sessions that began by it stay. Raises NotFound."""

    def work(write: Write) -> None:
        if not site_keys.remove(write, _site(write.sql, id_).id, key):
            raise NotFound("error.no_site_key", field="key_id", key=key, site=id_)

    await database.write(work)


async def keys(database: Database, id_: str) -> list[SiteKey]:
    """Raises NotFound."""
    return await database.read(lambda sql: site_keys.of(sql, _site(sql, id_).id))


def _site(sql: Sql, id_: str) -> Site:
    found = next((site for site in sites.all_of(sql) if site.id == id_ != OWN), None)
    if found is None:
        raise NotFound("error.no_site_named", field="id", site=id_)
    return found


async def _read(database: Database, site: Site, audience: str, given: str, *, is_logout: bool = False) -> Statement:
    key = await _key(database, site, given)
    return single_sign_on.read(given, key, issuer=site.id, audience=audience, now=time.time(), is_logout=is_logout)


async def _key(database: Database, site: Site, given: str) -> SiteKey:
    if "sso" not in site.logins:
        raise Forbidden("error.no_sso", code="bad_token", field="sso")
    named = single_sign_on.key_id_of(given)
    key = await database.read(lambda sql: site_keys.by_id(sql, site.id, named))
    if key is None:
        raise Forbidden("error.sso_key", code="bad_token", field="sso")
    return key


def _use(write: Write, issuer: str, statement: Statement) -> None:
    if not identities.use(write, issuer, statement.id, statement.expires):
        raise Forbidden("error.sso_used", code="token_used", field="jti")
