"""What accounts are told of: replies and mentions, while they are visible; and up to where each has read."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Literal

from channels.change import Comment
from server.storage import rows
from server.storage.write import Write

Kind = Literal["reply", "mention"]
_OPEN = "FROM notices n JOIN comments c ON c.id = n.comment JOIN threads t ON t.id = c.thread"


@dataclass(frozen=True, slots=True)
class Notice:
    """`comment` is what was said to the account, `kind` why it concerns it."""

    kind: Kind
    version: int
    thread: str
    title: str
    comment: Comment


def add(write: Write, account: int, comment: int, kind: Kind) -> None:
    """Tell the account of a comment, once, and ring its bell; one that was closed meanwhile is told nothing."""
    added = write.sql.execute(
        "INSERT INTO notices (account, comment, kind, version) SELECT id, ?, ?, ? FROM accounts"
        " WHERE id = ? AND state = 'open' ON CONFLICT DO NOTHING",
        (comment, kind, write.version, account),
    )
    if added.rowcount:
        write.concern(account)


def ring_again(write: Write, comment: int) -> None:
    """What concerned somebody has appeared or gone: their bells count anew."""
    told = write.sql.execute("SELECT account FROM notices WHERE comment = ?", (comment,)).fetchall()
    for (account,) in told:
        write.concern(account)


def after(sql: sqlite3.Connection, account: int, version: int, limit: int) -> list[Notice]:
    """Return what concerned the account after `version`, the newest first, without what is not visible."""
    found = sql.execute(
        f"SELECT n.kind, n.version, t.key, t.title, c.id {_OPEN}"
        " WHERE n.account = ? AND n.version > ? AND c.state = 'visible' ORDER BY n.version DESC LIMIT ?",
        (account, version, limit),
    ).fetchall()
    return [Notice(kind, at, key, title, rows.public(sql, id_)) for kind, at, key, title, id_ in found]


def unread(sql: sqlite3.Connection, account: int) -> int:
    (count,) = sql.execute(
        f"SELECT count(*) {_OPEN} JOIN accounts a ON a.id = n.account"
        " WHERE n.account = ? AND n.version > a.heard AND c.state = 'visible'",
        (account,),
    ).fetchone()
    return int(count)


def heard(write: Write, account: int, version: int) -> None:
    """The account has read all up to `version`; its other pages are told."""
    write.sql.execute("UPDATE accounts SET heard = max(heard, ?) WHERE id = ?", (version, account))
    write.concern(account)
