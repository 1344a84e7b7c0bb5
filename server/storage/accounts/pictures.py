"""Pictures of accounts: the small files, and which of them are shown."""

from __future__ import annotations

import hashlib
import sqlite3

from server.storage.engine.write import Write
from server.storage.jobs import batches, outbox

HASH_CHARACTERS = 32
_HIDDEN = "SELECT p.account FROM pictures p JOIN accounts a ON a.id = p.account WHERE a.picture IS NULL"
_SHOWN = "SELECT id FROM accounts WHERE picture IS NOT NULL"


def put(write: Write, account: int, content: bytes) -> str:
    """Make this the account's picture, and return its hash."""
    remove(write, account)
    name = hashlib.sha256(content).hexdigest()[:HASH_CHARACTERS]
    write.sql.execute("INSERT INTO pictures (account, hash, content) VALUES (?, ?, ?)", (account, name, content))
    write.sql.execute("UPDATE accounts SET picture = ? WHERE id = ?", (name, account))
    batches.begin(write, "stamp account", account)
    return name


def remove(write: Write, account: int) -> None:
    """Erase the account's picture; where it has none, nothing happens."""
    if not write.sql.execute("DELETE FROM pictures WHERE account = ?", (account,)).rowcount:
        return
    write.sql.execute("UPDATE accounts SET picture = NULL WHERE id = ?", (account,))
    batches.begin(write, "stamp account", account)
    write.owed.add("empty")


def shown(sql: sqlite3.Connection, account: int) -> str | None:
    """Return the hash of the picture that is shown of the account."""
    found: str | None = sql.execute("SELECT picture FROM accounts WHERE id = ?", (account,)).fetchone()[0]
    return found


def kept(sql: sqlite3.Connection, account: int) -> bytes | None:
    """Return the account's picture, whether or not it is shown."""
    row = sql.execute("SELECT content FROM pictures WHERE account = ?", (account,)).fetchone()
    return row[0] if row else None


def content(sql: sqlite3.Connection, name: str) -> bytes | None:
    """Return the picture of this hash, if it is shown of anybody."""
    row = sql.execute(
        "SELECT p.content FROM pictures p JOIN accounts a ON a.id = p.account AND a.picture = p.hash"
        " WHERE p.hash = ? LIMIT 1",
        (name,),
    ).fetchone()
    return row[0] if row else None


def are_followed(sql: sqlite3.Connection, *, are_on: bool) -> bool:
    """Say whether all pictures are shown, or none is."""
    return sql.execute(f"{_HIDDEN if are_on else _SHOWN} LIMIT 1").fetchone() is None


def follow(write: Write, *, are_on: bool) -> None:
    """Show all pictures, or none. Who has read the comments before is told as of any change."""
    accounts = write.sql.execute(_HIDDEN if are_on else _SHOWN).fetchall()
    shown_of = "(SELECT hash FROM pictures WHERE account = accounts.id)" if are_on else "NULL"
    write.sql.executemany(f"UPDATE accounts SET picture = {shown_of} WHERE id = ?", accounts)
    for (account,) in accounts:
        outbox.add(write, "stamp account", account)
