"""Accounts of imported people: one per person in the source system, whatever their name."""

from __future__ import annotations

from dataclasses import dataclass

from server import account_names
from server.model import Account
from server.storage.accounts import accounts
from server.storage.engine.write import Write


@dataclass(frozen=True, slots=True)
class Person:
    """By the system, the site there, and the id there; `name` is clean."""

    source: str
    site: str
    person: str
    name: str


def account(write: Write, who: Person) -> int:
    """Return the account of that person, made without a password if there is none."""
    one = (who.source, who.site, who.person)
    row = write.sql.execute("SELECT account FROM people WHERE source = ? AND site = ? AND person = ?", one).fetchone()
    if row is not None:
        return int(row[0])
    found = _unclaimed(write, who) or accounts.make_elsewhere(write, who.name)
    write.sql.execute("INSERT INTO people VALUES (?, ?, ?, ?)", (*one, found.id))
    return found.id


def _unclaimed(write: Write, who: Person) -> Account | None:
    """Earlier imports knew the names alone: such an account is the first one's who has its name."""
    for name in (who.name, account_names.variant(who.name, 1)):
        found = accounts.elsewhere(write.sql, name)
        if found is not None and not _is_claimed(write, found.id):
            return found
    return None


def _is_claimed(write: Write, account: int) -> bool:
    return write.sql.execute("SELECT 1 FROM people WHERE account = ?", (account,)).fetchone() is not None
