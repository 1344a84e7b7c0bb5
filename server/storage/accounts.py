"""Accounts and their sessions. Passwords and tokens arrive hashed."""

from __future__ import annotations

import sqlite3

from channels.change import Concern
from server.model import Account, Role
from server.storage.write import Write


def insert(write: Write, name: str, skeleton: str, password: str | None, role: Role) -> Account | None:
    """Return the new account, or None where a name that looks the same is taken."""
    try:
        cursor = write.sql.execute(
            "INSERT INTO accounts (name, skeleton, password, role, created) VALUES (?, ?, ?, ?, ?)",
            (name, skeleton, password, role, write.now),
        )
    except sqlite3.IntegrityError:
        return None
    return Account(int(cursor.lastrowid or 0), name, role)


def by_skeleton(sql: sqlite3.Connection, skeleton: str) -> tuple[Account, str | None] | None:
    """Return the open account and its password's hash (None: it cannot log in)."""
    row = sql.execute(
        "SELECT id, name, role, password FROM accounts WHERE skeleton = ? AND state = 'open'", (skeleton,)
    ).fetchone()
    return (Account(*row[:3]), row[3]) if row else None


def set_role(write: Write, account: int, role: Role) -> None:
    write.sql.execute("UPDATE accounts SET role = ? WHERE id = ?", (role, account))


def set_banned(write: Write, account: int, *, banned: bool) -> None:
    write.sql.execute("UPDATE accounts SET banned = ? WHERE id = ?", (int(banned), account))
    end_sessions(write, account)


def is_banned(sql: sqlite3.Connection, account: int) -> bool:
    return bool(sql.execute("SELECT banned FROM accounts WHERE id = ?", (account,)).fetchone()[0])


def set_password(write: Write, account: int, password: str) -> None:
    write.sql.execute("UPDATE accounts SET password = ? WHERE id = ?", (password, account))


def is_staffed(sql: sqlite3.Connection) -> bool:
    return sql.execute("SELECT 1 FROM accounts WHERE role = 'staff' AND state = 'open' LIMIT 1").fetchone() is not None


def begin_session(write: Write, account: int, token_hash: bytes) -> None:
    write.sql.execute(
        "INSERT INTO sessions (token_hash, account, created, seen) VALUES (?, ?, ?, ?)",
        (token_hash, account, write.now, write.now),
    )


def end_session(write: Write, token_hash: bytes) -> None:
    ended = write.sql.execute("DELETE FROM sessions WHERE token_hash = ? RETURNING account", (token_hash,)).fetchall()
    for (account,) in ended:
        write.concern(account, is_end=True)


def end_sessions(write: Write, account: int) -> None:
    write.sql.execute("DELETE FROM sessions WHERE account = ?", (account,))
    write.concern(account, is_end=True)


def concerns(sql: sqlite3.Connection, after: int) -> list[Concern]:
    """Return what concerned accounts after the version `after`, each account's latest of either kind."""
    bells = sql.execute("SELECT id, bell, 0 FROM accounts WHERE bell > ?", (after,)).fetchall()
    ends = sql.execute("SELECT id, ended, 1 FROM accounts WHERE ended > ?", (after,)).fetchall()
    return [Concern(account, version, bool(is_end)) for account, version, is_end in (*ends, *bells)]


def by_session(sql: sqlite3.Connection, token_hash: bytes) -> Account | None:
    """Return whose session this is. A session ends by being deleted, never by the clock's word alone."""
    row = sql.execute(
        "SELECT a.id, a.name, a.role FROM sessions s JOIN accounts a ON a.id = s.account"
        " WHERE s.token_hash = ? AND a.state = 'open'",
        (token_hash,),
    ).fetchone()
    return Account(*row) if row else None
