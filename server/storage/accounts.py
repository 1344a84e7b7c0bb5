"""Accounts and their sessions. Passwords and tokens arrive hashed."""

from __future__ import annotations

import sqlite3
from itertools import groupby
from operator import itemgetter
from typing import Any

from channels.change import Concern
from server import markup, names
from server.errors import NotSignedIn
from server.model import Account, Role
from server.storage import comments, quotes
from server.storage.write import Write

# Shown behind a name under which somebody here can log in.
ELSEWHERE = " (imported)"
BANNED = "This account was banned."


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


def imported(write: Write, name: str) -> Account | None:
    """Return the account for what was said elsewhere under this clean name: one that nobody can log in to.

    Where the name is that of somebody here, another one that says so. None where that is taken as well.
    """
    for called in (name, f"{name[: names.MAX_CHARACTERS - len(ELSEWHERE)].rstrip()}{ELSEWHERE}"):
        skeleton = names.skeleton(called)
        known = by_skeleton(write.sql, skeleton)
        found = insert(write, called, skeleton, None, "reader") if known is None else known[0]
        if found is not None and found.role == "reader" and (known is None or known[1] is None):
            return found
    return None


def by_skeleton(sql: sqlite3.Connection, skeleton: str) -> tuple[Account, str | None] | None:
    """Return the open account and its password's hash (None: it cannot log in)."""
    row = sql.execute(
        "SELECT id, name, role, password FROM accounts WHERE skeleton = ? AND state = 'open'", (skeleton,)
    ).fetchone()
    return (Account(*row[:3]), row[3]) if row else None


def rename(write: Write, account: int, name: str, skeleton: str) -> bool:
    """Return False where a name that looks the same is taken. Sessions know the name: they begin anew."""
    try:
        write.sql.execute("UPDATE accounts SET name = ?, skeleton = ? WHERE id = ?", (name, skeleton, account))
    except sqlite3.IntegrityError:
        return False
    described = write.sql.execute("SELECT id FROM threads WHERE author = ?", (account,)).fetchall()
    for (thread,) in described:
        write.stamp(thread)
    end_sessions(write, account)
    return True


def mentioned(sql: sqlite3.Connection, body: str) -> dict[str, Account]:
    """Return the open accounts that the body mentions, by how it names them."""
    skeletons = {name: names.skeleton(name) for name in markup.mentions(body)}
    found = {name: by_skeleton(sql, skeleton) for name, skeleton in skeletons.items()}
    return {name: one[0] for name, one in found.items() if one is not None}


def set_role(write: Write, account: int, role: Role) -> None:
    write.sql.execute("UPDATE accounts SET role = ? WHERE id = ?", (role, account))


def set_banned(write: Write, account: int, *, banned: bool) -> None:
    """The sessions of who is banned say nothing but that, and end when the account is let in again."""
    write.sql.execute("UPDATE accounts SET banned = ? WHERE id = ?", (int(banned), account))
    if banned:
        write.concern(account, is_end=True)
    else:
        end_sessions(write, account)


def is_banned(sql: sqlite3.Connection, account: int) -> bool:
    return bool(sql.execute("SELECT banned FROM accounts WHERE id = ?", (account,)).fetchone()[0])


def set_password(write: Write, account: int, password: str) -> None:
    write.sql.execute("UPDATE accounts SET password = ? WHERE id = ?", (password, account))


def close(write: Write, account: int) -> None:
    """End the account: nothing remains that says whose it was, but its votes stay in the scores."""
    write.sql.execute(
        "UPDATE accounts SET state = 'closed', name = '', skeleton = 'closed ' || id, password = NULL, feed = NULL,"
        " role = 'reader' WHERE id = ?",
        (account,),
    )
    write.sql.execute("UPDATE threads SET author = NULL WHERE author = ?", (account,))
    for table in ("notices", "visits"):
        write.sql.execute(f"DELETE FROM {table} WHERE account = ?", (account,))
    end_sessions(write, account)
    # The name leaves the file too.
    write.has_erased = True


def count_staff(sql: sqlite3.Connection) -> int:
    (count,) = sql.execute("SELECT count(*) FROM accounts WHERE role = 'staff' AND state = 'open'").fetchone()
    return int(count)


def everything(sql: sqlite3.Connection, account: int) -> dict[str, Any]:
    """Return what is kept of an account, as plain values: times in unix milliseconds.

    Of texts that quote what is hidden, without it.
    """
    name, role, created = sql.execute("SELECT name, role, created FROM accounts WHERE id = ?", (account,)).fetchone()
    found = sql.execute(
        "SELECT c.id, t.key, c.parent, c.state, c.body, c.revision, c.created, c.edited"
        " FROM comments c JOIN threads t ON t.id = c.thread WHERE c.author = ? ORDER BY c.id",
        (account,),
    )
    columns = ("id", "thread", "parent", "state", "body", "revision", "created", "edited")
    written = [dict(zip(columns, row, strict=True)) for row in found]
    earlier = sql.execute(
        "SELECT r.comment, r.revision, r.body, r.replaced FROM revisions r JOIN comments c ON c.id = r.comment"
        " WHERE c.author = ? ORDER BY r.comment, r.revision",
        (account,),
    )
    texts = [dict(zip(("comment", "revision", "body", "replaced"), row, strict=True)) for row in earlier]
    votes = sql.execute(
        "SELECT comment, value FROM votes WHERE account = ? AND value <> 0 ORDER BY comment", (account,)
    )
    return {
        "account": {"name": name, "role": role, "created": created},
        "comments": _without_hidden(sql, written, "id"),
        "earlier_texts": _without_hidden(sql, texts, "comment"),
        "votes": [{"comment": comment, "value": value} for comment, value in votes],
    }


def _without_hidden(sql: sqlite3.Connection, texts: list[dict[str, Any]], named: str) -> list[dict[str, Any]]:
    for comment, some in groupby(texts, key=itemgetter(named)):
        hidden = quotes.hidden(sql, comment)
        for text in some:
            if places := hidden.get(text["revision"]):
                text["body"] = comments.without(sql, comment, text["revision"], places)
    return texts


def feed(sql: sqlite3.Connection, account: int) -> str | None:
    """Return the secret of the account's own feed, if it has one."""
    found: str | None = sql.execute("SELECT feed FROM accounts WHERE id = ?", (account,)).fetchone()[0]
    return found


def set_feed(write: Write, account: int, secret: str) -> None:
    write.sql.execute("UPDATE accounts SET feed = ? WHERE id = ?", (secret, account))


def by_feed(sql: sqlite3.Connection, secret: str) -> Account | None:
    row = sql.execute("SELECT id, name, role FROM accounts WHERE feed = ? AND state = 'open'", (secret,)).fetchone()
    return Account(*row) if row else None


def beginning(sql: sqlite3.Connection, begun: str, thread: str, limit: int) -> list[str]:
    """Return names that begin with `begun`, those who wrote in the thread first."""
    pattern = begun.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    found = sql.execute(
        "SELECT a.name FROM accounts a LEFT JOIN (SELECT c.author, max(c.id) AS last FROM comments c"
        " JOIN threads t ON t.id = c.thread WHERE t.key = ? AND c.state = 'visible' GROUP BY c.author) p"
        " ON p.author = a.id WHERE a.state = 'open' AND a.name LIKE ? ESCAPE '\\'"
        " ORDER BY p.last IS NULL, p.last DESC, a.name LIMIT ?",
        (thread, pattern, limit),
    )
    return [name for (name,) in found]


def is_staffed(sql: sqlite3.Connection) -> bool:
    return sql.execute("SELECT 1 FROM accounts WHERE role = 'staff' AND state = 'open' LIMIT 1").fetchone() is not None


def confirm(sql: sqlite3.Connection, account: Account) -> None:
    """Raises NotSignedIn where the account was closed or banned, or was given another role, since the request began."""
    row = sql.execute("SELECT state, banned, role FROM accounts WHERE id = ?", (account.id,)).fetchone()
    if row == ("open", 1, account.role):
        raise NotSignedIn(BANNED, code="banned")
    if row != ("open", 0, account.role):
        raise NotSignedIn("This session has ended. Log in again.")


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
        " WHERE s.token_hash = ? AND a.state = 'open' AND NOT a.banned",
        (token_hash,),
    ).fetchone()
    return Account(*row) if row else None


def is_of_banned(sql: sqlite3.Connection, token_hash: bytes) -> bool:
    """Say whether this was a session of an account that is banned."""
    found = sql.execute(
        "SELECT 1 FROM sessions s JOIN accounts a ON a.id = s.account WHERE s.token_hash = ? AND a.banned",
        (token_hash,),
    )
    return found.fetchone() is not None
