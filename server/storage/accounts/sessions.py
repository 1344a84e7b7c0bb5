"""Sessions: owner, start, last use and end. Tokens arrive hashed."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from server.model import Account, Appearance, Role
from server.sites import OWN
from server.storage.engine.rows import first, named
from server.storage.engine.write import Write

SWEPT_AT_ONCE = 100
# Of those that a site's statements began for one reader: each page could begin another.
MOST_SIGNED = 20


@dataclass(frozen=True, slots=True)
class Lifetime:
    """How long a session lasts unused, and at all; in milliseconds."""

    idle: int
    whole: int

    def is_over(self, created: int, seen: int, now: int) -> bool:
        return now - seen > self.idle or now - created > self.whole


@dataclass(frozen=True, slots=True)
class Session:
    """`created` and `seen` (when it was last used, about) in unix milliseconds. `site`: the only one where it counts.

    `account` has the role that it has there.
    """

    account: Account
    created: int
    seen: int
    site: str = OWN


@dataclass(frozen=True, slots=True)
class Listed:
    """A session as its owner sees it; `browser` in words, empty if nobody knows; `site` by its name, empty for ours."""

    id: int
    browser: str
    site: str
    created: int
    seen: int
    is_current: bool


def begin(
    write: Write,
    account: int,
    token_hash: bytes,
    browser: str,
    site: str = OWN,
    *,
    moderates: bool = False,
    signed: bool = False,
) -> None:
    """`moderates`: whether a moderator may act as such on a `site` that is not our own; `signed`: a statement of the
    site begins it, and says what its owner may do there."""
    if signed:
        _make_room(write, account, site)
    write.sql.execute(
        "INSERT INTO sessions (token_hash, account, created, seen, browser, site, moderates, signed)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (token_hash, account, write.now, write.now, browser, site, int(moderates), int(signed)),
    )


def _make_room(write: Write, account: int, site: str) -> None:
    """Where the account has as many signed sessions as it may, end the half that was not used for longest."""
    ours = "FROM sessions WHERE account = ? AND site = ? AND signed"
    (count,) = write.sql.execute(f"SELECT count(*) {ours}", (account, site)).fetchone()
    if count >= MOST_SIGNED:
        oldest = f"SELECT id {ours} ORDER BY seen, id LIMIT {MOST_SIGNED // 2}"
        _ended(
            write, write.sql.execute(f"DELETE FROM sessions WHERE id IN ({oldest}) RETURNING account", (account, site))
        )


def by_token(sql: sqlite3.Connection, token_hash: bytes) -> Session | None:
    """Return the session, also where its time is over; None if it has ended, or its account is banned or closed."""
    row = first(
        sql.execute(
            "SELECT a.id AS id, a.name AS name, a.role AS role, a.language AS language,"
            " a.appearance AS appearance,"
            " s.created AS created, s.seen AS seen, s.site AS site,"
            " s.moderates AND i.moderates AS moderates, s.signed AS signed,"
            " s.signed AND i.moderates AND EXISTS (SELECT 1 FROM identities d"
            " WHERE d.account = a.id AND d.issuer = 'site:' || s.site AND d.moderates) AS appointed"
            " FROM sessions s JOIN accounts a ON a.id = s.account JOIN sites i ON i.id = s.site"
            " WHERE s.token_hash = ? AND a.state = 'open' AND NOT a.banned",
            (token_hash,),
        )
    )
    if row is None:
        return None
    account = account_of(row)
    if row["site"] != OWN:
        # Never more than a moderator's powers, which pages of ours alone can lend, or the site by its signature.
        is_moderator = row["moderates"] and account.role in ("moderator", "staff")
        role: Role = "moderator" if is_moderator or row["appointed"] else "reader"
        account = replace(account, role=role, full_role=account.role, is_signed=bool(row["signed"]))
    return Session(account, row["created"], row["seen"], row["site"])


def account_of(row: Mapping[str, Any]) -> Account:
    appearance = msgspec.json.decode(row["appearance"], type=Appearance)
    return Account(row["id"], row["name"], row["role"], language=row["language"], appearance=appearance)


def is_there(sql: sqlite3.Connection, token_hash: bytes) -> bool:
    return sql.execute("SELECT 1 FROM sessions WHERE token_hash = ?", (token_hash,)).fetchone() is not None


def is_of_banned(sql: sqlite3.Connection, token_hash: bytes) -> bool:
    """Say whether this was a session of an account that is banned."""
    found = sql.execute(
        "SELECT 1 FROM sessions s JOIN accounts a ON a.id = s.account WHERE s.token_hash = ? AND a.banned",
        (token_hash,),
    )
    return found.fetchone() is not None


def used(write: Write, token_hash: bytes) -> None:
    """Keep that the session was used now; a clock that was set back moves nothing back."""
    write.sql.execute("UPDATE sessions SET seen = max(seen, ?) WHERE token_hash = ?", (write.now, token_hash))


def of(
    sql: sqlite3.Connection, account: int, current: bytes | None, lifetime: Lifetime, now: int, most: int
) -> list[Listed]:
    """Return at most `most` unexpired sessions of the account, the last used first."""
    rows = sql.execute(
        "SELECT s.id AS id, s.browser AS browser, i.name AS site, s.created AS created, s.seen AS seen,"
        " s.token_hash IS ? AS is_current FROM sessions s JOIN sites i ON i.id = s.site"
        " WHERE s.account = ? AND s.seen >= ? AND s.created >= ? ORDER BY is_current DESC, s.seen DESC LIMIT ?",
        (current, account, now - lifetime.idle, now - lifetime.whole, most),
    )
    return [Listed(**row | {"is_current": bool(row["is_current"])}) for row in named(rows)]


def end(write: Write, token_hash: bytes) -> bool:
    """False: there is no such session."""
    return _ended(
        write, write.sql.execute("DELETE FROM sessions WHERE token_hash = ? RETURNING account", (token_hash,))
    )


def end_one(write: Write, account: int, id_: int) -> bool:
    """End one session of the account; False if it has none of that number."""
    return _ended(
        write, write.sql.execute("DELETE FROM sessions WHERE id = ? AND account = ? RETURNING account", (id_, account))
    )


def end_all(write: Write, account: int, but: bytes | None = None) -> None:
    """End the account's sessions, all but one where `but` is its token."""
    write.sql.execute("DELETE FROM sessions WHERE account = ? AND token_hash IS NOT ?", (account, but))
    write.concern(account, is_end=True)


def end_on(write: Write, account: int, site: str) -> None:
    """End the account's sessions on one site."""
    _ended(
        write,
        write.sql.execute("DELETE FROM sessions WHERE account = ? AND site = ? RETURNING account", (account, site)),
    )


def end_signed(write: Write, site: str) -> None:
    """End all sessions that statements of the site began."""
    _ended(write, write.sql.execute("DELETE FROM sessions WHERE site = ? AND signed RETURNING account", (site,)))


def sweep(write: Write, lifetime: Lifetime) -> bool:
    """Delete some expired sessions, which ends their sockets too; False if there were none."""
    return _ended(
        write,
        write.sql.execute(
            "DELETE FROM sessions WHERE id IN ("
            "SELECT id FROM (SELECT id FROM sessions WHERE seen < ? LIMIT ?)"
            " UNION SELECT id FROM (SELECT id FROM sessions WHERE created < ? LIMIT ?)) RETURNING account",
            (write.now - lifetime.idle, SWEPT_AT_ONCE, write.now - lifetime.whole, SWEPT_AT_ONCE),
        ),
    )


def _ended(write: Write, deleted: sqlite3.Cursor) -> bool:
    accounts = {account for (account,) in deleted.fetchall()}
    for account in accounts:
        write.concern(account, is_end=True)
    return bool(accounts)
