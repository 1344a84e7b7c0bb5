"""Accounts and their sessions. Passwords and tokens arrive hashed."""

from __future__ import annotations

import sqlite3
from base64 import b64encode
from collections.abc import Callable, Collection, Mapping
from itertools import groupby
from operator import itemgetter
from typing import Any

import msgspec

from channels.messages import AccountEvent
from server import account_names
from server.errors import NotSignedIn
from server.model import Account, Appearance, Kind, Role
from server.storage.accounts import pictures, sessions
from server.storage.comments import comments, quotes
from server.storage.engine.rows import first, named
from server.storage.engine.write import Write
from server.text import markup


def insert(write: Write, name: str, password: str | None, role: Role, kind: Kind = "local") -> Account | None:
    """Return the new account of this clean name, or None if one like it is taken, or was."""
    return _make(write, name, password, role, kind) if is_free(write.sql, name) else None


def _make(write: Write, name: str, password: str | None, role: Role, kind: Kind) -> Account:
    cursor = write.sql.execute(
        "INSERT INTO accounts (name, key, password, role, created, kind) VALUES (?, ?, ?, ?, ?, ?)",
        (name, account_names.key(name), password, role, write.now, kind),
    )
    account = Account(int(cursor.lastrowid or 0), name, role)
    _claim(write, account.id, name)
    return account


def is_free(sql: sqlite3.Connection, name: str, account: int = 0) -> bool:
    """Say whether nobody has or had a name that looks like this one; `account`: nobody but this one. What is
    left of closed accounts is nobody's."""
    looks = [*account_names.skeletons(name)]
    marks = ", ".join("?" * len(looks))
    whose = sql.execute(f"SELECT 1 FROM looks WHERE look IN ({marks}) AND account IS NOT ? LIMIT 1", (*looks, account))
    known = by_name(sql, name)
    return whose.fetchone() is None and (known is None or known[0].id == account)


def has_mark(sql: sqlite3.Connection, name: str, marks: Collection[str] = ()) -> bool:
    """Say whether the name ends like that of a reader whom a site names, `Ana (blog.example)`, or in one of `marks`."""
    mark = account_names.mark_of(name)
    if not mark:
        return False
    sites = [site for (site,) in sql.execute("SELECT id FROM sites WHERE id <> 'own'")]
    return any(
        not account_names.skeletons(mark).isdisjoint(account_names.skeletons(account_names.site_mark(one)))
        for one in (*sites, *marks)
    )


def free_variant(sql: sqlite3.Connection, name: str) -> str:
    """Return the clean name, where anybody may have it and nobody has or had it, else the first of its variants that
    is free: `NAME (imported)`, `NAME (imported 2)` and so on."""
    if (account_names.is_of_elsewhere(name) or not account_names.is_reserved(name)) and is_free(sql, name):
        return name
    return first_free(sql, lambda number: account_names.variant(name, number))


def first_free(sql: sqlite3.Connection, named: Callable[[int], str], account: int = 0) -> str:
    """Return the first of the names that is free; `account`: or is this one's. They are given in order, and there may
    be thousands."""
    taken, free = 0, 1
    while not is_free(sql, named(free), account):
        taken, free = free, 2 * free
    while free - taken > 1:
        middle = (taken + free) // 2
        if is_free(sql, named(middle), account):
            free = middle
        else:
            taken = middle
    return named(free)


def guest(write: Write, name: str, site: str) -> Account:
    """Make the account of a guest of the site, under the clean name with a mark: `Ana (guest)`, `Ana (guest 2)`."""
    free = first_free(write.sql, lambda number: account_names.guest(name, number))
    made = _make(write, free, None, "reader", "local")
    write.sql.execute("UPDATE accounts SET guest_of = ? WHERE id = ?", (site, made.id))
    return made


def imported(write: Write, name: str) -> Account:
    """Return the account for what was said elsewhere under this clean name: one that nobody can log in to.

    Where the name is that of somebody here, or looks like it, another one that says so.
    """
    return (
        elsewhere(write.sql, name)
        or elsewhere(write.sql, account_names.variant(name, 1))
        or make_elsewhere(write, name)
    )


def elsewhere(sql: sqlite3.Connection, name: str) -> Account | None:
    """Return the account of that present name, if it is one that nobody can log in to."""
    row = sql.execute(
        "SELECT id, name, role FROM accounts"
        " WHERE key = ? AND state = 'open' AND role = 'reader' AND kind = 'imported'",
        (account_names.key(name),),
    ).fetchone()
    return Account(*row) if row else None


def is_imported(sql: sqlite3.Connection, account: int) -> bool:
    """Say whether the account stands for somebody who wrote elsewhere."""
    (kind,) = sql.execute("SELECT kind FROM accounts WHERE id = ?", (account,)).fetchone()
    return bool(kind == "imported")


def make_elsewhere(write: Write, name: str) -> Account:
    """Make an account that nobody can log in to, under this clean name or a variant that nobody has or had."""
    return _make(write, free_variant(write.sql, name), None, "reader", "imported")


def by_name(sql: sqlite3.Connection, name: str) -> tuple[Account, str | None] | None:
    """Return the open account that has this name, or had it, and its password's hash (None: it cannot log in)."""
    key = account_names.key(name)
    row = first(
        sql.execute(
            "SELECT id AS id, name AS name, role AS role, password AS password, language AS language,"
            " appearance AS appearance FROM accounts"
            " WHERE state = 'open' AND id = coalesce("
            "(SELECT id FROM accounts WHERE key = ?1), (SELECT account FROM former_names WHERE key = ?1))",
            (key,),
        )
    )
    return (sessions.account_of(row), row["password"]) if row else None


def rename(write: Write, account: int, name: str) -> bool:
    """Return False if a name that looks the same is taken. The old name stays the account's."""
    if not is_free(write.sql, name, account):
        return False
    write.sql.execute("INSERT OR IGNORE INTO former_names SELECT key, id FROM accounts WHERE id = ?", (account,))
    write.sql.execute("DELETE FROM former_names WHERE key = ?", (account_names.key(name),))
    write.sql.execute("UPDATE accounts SET name = ?, key = ? WHERE id = ?", (name, account_names.key(name), account))
    _claim(write, account, name)
    described = write.sql.execute("SELECT id FROM threads WHERE author = ?", (account,)).fetchall()
    for (thread,) in described:
        write.stamp(thread)
    # Its sessions stay, but cached sessions and their sockets have the old name.
    write.concern(account, is_end=True)
    return True


def set_language(write: Write, account: int, language: str) -> None:
    write.sql.execute("UPDATE accounts SET language = ? WHERE id = ?", (language, account))
    # Its sessions stay, but cached sessions have the old language.
    write.concern(account, is_end=True)


def change_appearance(write: Write, account: int, chosen: Mapping[str, object]) -> Appearance:
    """Change what is in `chosen`, and return all of it. Cached sessions have the old one."""
    present = _appearance(write.sql, account)
    appearance = msgspec.structs.replace(present, **chosen)
    kept = msgspec.json.encode(appearance).decode()
    write.sql.execute("UPDATE accounts SET appearance = ? WHERE id = ?", (kept, account))
    return appearance


def _appearance(sql: sqlite3.Connection, account: int) -> Appearance:
    (kept,) = sql.execute("SELECT appearance FROM accounts WHERE id = ?", (account,)).fetchone()
    return msgspec.json.decode(kept, type=Appearance)


def _claim(write: Write, account: int, name: str) -> None:
    looks = [(look, account) for look in account_names.skeletons(name)]
    write.sql.executemany("INSERT OR IGNORE INTO looks VALUES (?, ?)", looks)


def mentioned(sql: sqlite3.Connection, body: str) -> dict[str, Account]:
    """Return the open accounts that the body mentions, by how it names them."""
    found = {name: by_name(sql, name) for name in markup.mentions(body)}
    return {name: one[0] for name, one in found.items() if one is not None}


def set_role(write: Write, account: int, role: Role) -> None:
    write.sql.execute("UPDATE accounts SET role = ? WHERE id = ?", (role, account))


def set_banned(write: Write, account: int, *, banned: bool) -> None:
    """The sessions of a banned account only report the ban, and end when it is lifted."""
    write.sql.execute("UPDATE accounts SET banned = ? WHERE id = ?", (int(banned), account))
    if banned:
        write.concern(account, is_end=True)
    else:
        sessions.end_all(write, account)


def is_banned(sql: sqlite3.Connection, account: int) -> bool:
    return bool(sql.execute("SELECT banned FROM accounts WHERE id = ?", (account,)).fetchone()[0])


def password(sql: sqlite3.Connection, account: int) -> str | None:
    """Return the hash of the account's password; None: it has none."""
    kept: str | None = sql.execute("SELECT password FROM accounts WHERE id = ?", (account,)).fetchone()[0]
    return kept


def set_password(write: Write, account: int, password: str) -> None:
    """From now on it logs in here, also if it was imported."""
    write.sql.execute("UPDATE accounts SET password = ?, kind = 'local' WHERE id = ?", (password, account))


def close(write: Write, account: int) -> None:
    """End the account: nothing remains that says whose it was, but its votes stay in the scores.

    What its names looked like stays taken: nobody else is to be mistaken for it.
    """
    write.sql.execute(
        "UPDATE accounts SET state = 'closed', name = '', key = char(10) || id, password = NULL, feed = NULL,"
        " role = 'reader', language = '', appearance = '{}', picture = NULL WHERE id = ?",
        (account,),
    )
    write.sql.execute("UPDATE threads SET author = NULL WHERE author = ?", (account,))
    write.sql.execute("UPDATE looks SET account = NULL WHERE account = ?", (account,))
    for table in ("notices", "visits", "people", "identities", "former_names", "mentions", "pictures"):
        write.sql.execute(f"DELETE FROM {table} WHERE account = ?", (account,))
    sessions.end_all(write, account)
    # The name leaves the file too.
    write.owed.add("scrub")


def count_staff(sql: sqlite3.Connection) -> int:
    (count,) = sql.execute("SELECT count(*) FROM accounts WHERE role = 'staff' AND state = 'open'").fetchone()
    return int(count)


def everything(sql: sqlite3.Connection, account: int) -> dict[str, Any]:
    """Return what is kept of an account, as plain values: times in unix milliseconds.

    Of texts that quote what is hidden, without it.
    """
    name, role, created, language = sql.execute(
        "SELECT name, role, created, language FROM accounts WHERE id = ?", (account,)
    ).fetchone()
    found = sql.execute(
        "SELECT c.id AS id, t.key AS thread, c.parent AS parent, c.state AS state, c.body AS body,"
        " c.revision AS revision, c.created AS created, c.edited AS edited"
        " FROM comments c JOIN threads t ON t.id = c.thread WHERE c.author = ? ORDER BY c.placed, c.id",
        (account,),
    )
    written = list(named(found))
    earlier = sql.execute(
        "SELECT r.comment AS comment, r.revision AS revision, r.body AS body, r.replaced AS replaced"
        " FROM revisions r JOIN comments c ON c.id = r.comment"
        " WHERE c.author = ? ORDER BY r.comment, r.revision",
        (account,),
    )
    texts = list(named(earlier))
    votes = sql.execute(
        "SELECT comment, value FROM votes WHERE account = ? AND value <> 0 ORDER BY comment", (account,)
    )
    held = sql.execute(
        "SELECT browser AS browser, created AS created, seen AS seen FROM sessions WHERE account = ? ORDER BY id",
        (account,),
    )
    logins = sql.execute(
        "SELECT issuer AS issuer, subject AS subject, name AS name FROM identities WHERE account = ?"
        " ORDER BY issuer, subject",
        (account,),
    )
    picture = pictures.kept(sql, account)
    return {
        "account": {
            "name": name,
            "role": role,
            "created": created,
            "language": language,
            "appearance": msgspec.structs.asdict(_appearance(sql, account)),
        },
        "picture": {"type": "image/webp", "base64": b64encode(picture).decode()} if picture else None,
        "logins": list(named(logins)),
        "sessions": list(named(held)),
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
    """Raises NotSignedIn if the account was closed or banned, or was given another role, since the request began."""
    row = sql.execute("SELECT state, banned, role FROM accounts WHERE id = ?", (account.id,)).fetchone()
    role = account.full_role or account.role
    if row == ("open", 1, role):
        raise NotSignedIn("error.banned", code="banned")
    if row != ("open", 0, role):
        raise NotSignedIn("error.session_ended")


_CONCERNS = """
SELECT * FROM (SELECT id, bell AS version, 0 AS is_end FROM accounts WHERE bell > ?1 ORDER BY bell LIMIT ?2)
UNION ALL SELECT * FROM (SELECT id, ended, 1 FROM accounts WHERE ended > ?1 ORDER BY ended LIMIT ?2)
ORDER BY version, is_end DESC LIMIT ?2
"""


def concerns(sql: sqlite3.Connection, after: int, limit: int) -> tuple[list[AccountEvent], int | None]:
    """Return what concerned accounts after the version `after`, each account's latest of either kind.

    The earliest `limit` of them at most, and the version up to which these are all; None: there are no more.
    """
    found = sql.execute(_CONCERNS, (after, limit + 1)).fetchall()
    events = [AccountEvent(account, version, bool(is_end)) for account, version, is_end in found]
    if len(events) <= limit:
        return events, None
    # What one write brought is not parted, unless it is all there is.
    whole = [event for event in events if event.version < events[-1].version] or events[:limit]
    return whole, whole[-1].version
