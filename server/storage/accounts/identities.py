"""Who accounts are elsewhere, by whoever says so, which of those statements were used, and which count no more."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from dataclasses import dataclass

from server import account_names
from server.model import Account
from server.storage.accounts import accounts
from server.storage.engine.rows import first
from server.storage.engine.write import Write

SWEPT_AT_ONCE = 100
MOST_OF_ONE = 10


@dataclass(frozen=True, slots=True)
class Identity:
    """Who somebody is at an issuer; `name`: as it was said at first."""

    issuer: str
    subject: str
    name: str


@dataclass(frozen=True, slots=True)
class Known:
    """An account, and what the newest statement said of its owner. `stated`: when that was made, in unix seconds."""

    account: Account
    name: str
    is_moderator: bool
    stated: int


def of_site(site: str) -> str:
    """Return the issuer that a site is."""
    return f"site:{site}"


def known(sql: sqlite3.Connection, issuer: str, subject: str) -> Known | None:
    row = first(
        sql.execute(
            "SELECT a.id AS id, a.name AS name, a.role AS role, i.name AS said, i.moderates AS moderates,"
            " i.stated AS stated FROM identities i"
            " JOIN accounts a ON a.id = i.account WHERE i.issuer = ? AND i.subject = ?",
            (issuer, subject),
        )
    )
    if row is None:
        return None
    return Known(Account(row["id"], row["name"], row["role"]), row["said"], bool(row["moderates"]), row["stated"])


def add(write: Write, issuer: str, subject: str, name: str, mark: str, marks: Collection[str]) -> Account:
    """Make the account of that person, without a password, under their clean name.

    Where the name is another's, or looks like it, it gets the mark: `Ana (blog.example)`. `marks`: those of providers,
    which nobody has by their own choice.
    """
    made = accounts.insert(write, _free(write.sql, name, mark, marks), None, "reader")
    assert made is not None
    write.sql.execute(
        "INSERT INTO identities (issuer, subject, account, name) VALUES (?, ?, ?, ?)", (issuer, subject, made.id, name)
    )
    return made


def rename(write: Write, issuer: str, subject: str, name: str, mark: str, marks: Collection[str]) -> Account:
    """Give the account of that person the clean name that is theirs now, marked as by `add`, and return it."""
    there = known(write.sql, issuer, subject)
    assert there is not None
    fresh = _free(write.sql, name, mark, marks, there.account.id)
    accounts.rename(write, there.account.id, fresh)
    write.sql.execute("UPDATE identities SET name = ? WHERE issuer = ? AND subject = ?", (name, issuer, subject))
    return Account(there.account.id, fresh, there.account.role)


def keep_statement(write: Write, issuer: str, subject: str, stated: int, *, is_moderator: bool) -> None:
    """Keep what the newest statement says of a known person."""
    write.sql.execute(
        "UPDATE identities SET stated = ?, moderates = ? WHERE issuer = ? AND subject = ?",
        (stated, int(is_moderator), issuer, subject),
    )


def of_account(sql: sqlite3.Connection, account: int) -> list[Identity]:
    """Return who the account is elsewhere, by providers; what sites say counts on these alone."""
    found = sql.execute(
        "SELECT issuer, subject, name FROM identities WHERE account = ? AND issuer NOT LIKE 'site:%'"
        " ORDER BY issuer, subject",
        (account,),
    )
    return [Identity(*row) for row in found]


def link(write: Write, account: int, one: Identity) -> None:
    """From now on that person, whom nobody knows yet, is this account."""
    write.sql.execute(
        "INSERT INTO identities (issuer, subject, account, name) VALUES (?, ?, ?, ?)",
        (one.issuer, one.subject, account, one.name),
    )


def unlink(write: Write, account: int, issuer: str, subject: str) -> bool:
    """Return False if the account is not that person."""
    cursor = write.sql.execute(
        "DELETE FROM identities WHERE account = ? AND issuer = ? AND subject = ?", (account, issuer, subject)
    )
    return cursor.rowcount > 0


def _free(sql: sqlite3.Connection, name: str, mark: str, marks: Collection[str], account: int = 0) -> str:
    is_plain = (
        not account_names.is_reserved(name)
        and not account_names.is_mixed(name)
        and not accounts.has_mark(sql, name, marks)
    )
    if is_plain and accounts.is_free(sql, name, account):
        return name
    return accounts.first_free(sql, lambda number: account_names.of_site(name, mark, number), account)


def use(write: Write, issuer: str, statement: str, until: int) -> bool:
    """Note that a statement is used, until it ends by itself (`until`, unix seconds). False: it was used before."""
    cursor = write.sql.execute(
        "INSERT OR IGNORE INTO used_statements VALUES (?, ?, ?)", (issuer, statement, until * 1000)
    )
    return cursor.rowcount > 0


def log_out(write: Write, issuer: str, subject: str, at: int, until: int) -> None:
    """From now on statements made until `at` do not log this person in; the last ends `until` (both unix seconds)."""
    write.sql.execute(
        "INSERT INTO logouts VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
        " at = max(at, excluded.at), until = max(until, excluded.until)",
        (issuer, subject, at, until * 1000),
    )


def logged_out(sql: sqlite3.Connection, issuer: str, subject: str) -> int:
    """Return when this person logged out, in unix seconds; 0 where no statement from before can be left."""
    row = sql.execute("SELECT at FROM logouts WHERE issuer = ? AND subject = ?", (issuer, subject)).fetchone()
    return int(row[0]) if row else 0


def subject_of(sql: sqlite3.Connection, issuer: str, account: int) -> str | None:
    """Return whom the issuer calls this account."""
    row = sql.execute("SELECT subject FROM identities WHERE account = ? AND issuer = ?", (account, issuer)).fetchone()
    return str(row[0]) if row else None


def sweep(write: Write) -> bool:
    """Forget some statements and logouts that have ended; False if there were none."""
    swept = 0
    for table, key in (("used_statements", "id"), ("logouts", "subject")):
        swept += write.sql.execute(
            f"DELETE FROM {table} WHERE (issuer, {key}) IN (SELECT issuer, {key} FROM {table} WHERE until < ? LIMIT ?)",
            (write.now, SWEPT_AT_ONCE),
        ).rowcount
    return swept > 0


def forget(write: Write, issuer: str) -> None:
    """Nobody is known by this issuer any more; what the accounts wrote stays."""
    for table in ("identities", "used_statements", "logouts"):
        write.sql.execute(f"DELETE FROM {table} WHERE issuer = ?", (issuer,))
