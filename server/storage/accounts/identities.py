"""Who accounts are elsewhere, by whoever says so, and which of those statements were used."""

from __future__ import annotations

import sqlite3

from server import names
from server.model import Account
from server.storage.accounts import accounts
from server.storage.engine.rows import first
from server.storage.engine.write import Write

SWEPT_AT_ONCE = 100


def of_site(site: str) -> str:
    """Return the issuer that a site is."""
    return f"site:{site}"


def known(sql: sqlite3.Connection, issuer: str, subject: str) -> tuple[Account, str] | None:
    """Return the account of that person, and the name that it was said to have."""
    row = first(
        sql.execute(
            "SELECT a.id AS id, a.name AS name, a.role AS role, i.name AS said FROM identities i"
            " JOIN accounts a ON a.id = i.account WHERE i.issuer = ? AND i.subject = ?",
            (issuer, subject),
        )
    )
    return (Account(row["id"], row["name"], row["role"]), row["said"]) if row else None


def account(write: Write, issuer: str, subject: str, name: str, mark: str) -> Account:
    """Return the account of that person under their present clean name, made without a password if there is none.

    Where the name is another's, or looks like it, it gets the mark: `Ana (blog.example)`.
    """
    found = known(write.sql, issuer, subject)
    if found is None:
        made = accounts.insert(write, _free(write.sql, name, mark), None, "reader")
        assert made is not None
        write.sql.execute("INSERT INTO identities VALUES (?, ?, ?, ?)", (issuer, subject, made.id, name))
        return made
    there, said = found
    if said == name:
        return there
    fresh = _free(write.sql, name, mark, there.id)
    accounts.rename(write, there.id, fresh)
    write.sql.execute("UPDATE identities SET name = ? WHERE issuer = ? AND subject = ?", (name, issuer, subject))
    return Account(there.id, fresh, there.role)


def _free(sql: sqlite3.Connection, name: str, mark: str, account: int = 0) -> str:
    is_plain = not names.is_reserved(name) and not names.is_mixed(name)
    if is_plain and accounts.is_free(sql, name, account):
        return name
    return accounts.first_free(sql, lambda number: names.of_site(name, mark, number), account)


def use(write: Write, issuer: str, statement: str, until: int) -> bool:
    """Note that a statement is used, until it ends by itself (`until`, unix seconds). False: it was used before."""
    cursor = write.sql.execute(
        "INSERT OR IGNORE INTO used_statements VALUES (?, ?, ?)", (issuer, statement, until * 1000)
    )
    return cursor.rowcount > 0


def sweep(write: Write) -> bool:
    """Forget some statements that have ended; False if there were none."""
    swept = write.sql.execute(
        "DELETE FROM used_statements WHERE (issuer, id) IN"
        " (SELECT issuer, id FROM used_statements WHERE until < ? LIMIT ?)",
        (write.now, SWEPT_AT_ONCE),
    )
    return swept.rowcount > 0


def forget(write: Write, issuer: str) -> None:
    """Nobody is known by this issuer any more; what the accounts wrote stays."""
    write.sql.execute("DELETE FROM identities WHERE issuer = ?", (issuer,))
    write.sql.execute("DELETE FROM used_statements WHERE issuer = ?", (issuer,))
