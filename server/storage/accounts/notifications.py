"""Notices to accounts: replies and mentions, while they are visible; and how far each account has read."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from channels.messages import Comment
from server.model import Account
from server.storage.comments import comment_rows
from server.storage.engine.rows import named
from server.storage.engine.write import Write
from server.visibility import view

Kind = Literal["reply", "mention", "approved", "rejected"]
_TOLD = "(c.state = 'visible' OR n.kind = 'rejected' AND c.state = 'removed' AND c.body <> '')"
_OPEN = "FROM notices n JOIN comments c ON c.id = n.comment JOIN threads t ON t.id = c.thread"


@dataclass(frozen=True, slots=True)
class Notice:
    """`comment` is the comment, `kind` the reason for the notice."""

    kind: Kind
    version: int
    thread: str
    title: str
    comment: Comment


def add(write: Write, account: int, comment: int, kind: Kind) -> None:
    """Tell the account of a comment, once, and ring its bell; one that was closed meanwhile is told nothing.

    Of its own it is told what became of it, and again where that changes.
    """
    added = write.sql.execute(
        "INSERT INTO notices (account, comment, kind, version) SELECT id, ?, ?, ? FROM accounts"
        " WHERE id = ? AND state = 'open' ON CONFLICT DO UPDATE SET kind = excluded.kind, version = excluded.version"
        " WHERE excluded.kind IN ('approved', 'rejected')",
        (comment, kind, write.version, account),
    )
    if added.rowcount:
        write.concern(account)


def mention(write: Write, comment: int, mentioned: Collection[int]) -> None:
    """Store the accounts that the current text of a comment mentions, so that renames do not matter."""
    write.sql.execute("DELETE FROM mentions WHERE comment = ?", (comment,))
    write.sql.executemany("INSERT INTO mentions VALUES (?, ?)", [(comment, account) for account in mentioned])


def mentioned_in(sql: sqlite3.Connection, comment: int) -> list[int]:
    """Return the accounts that the comment's present text mentions."""
    return [account for (account,) in sql.execute("SELECT account FROM mentions WHERE comment = ?", (comment,))]


def ring_again(write: Write, comment: int) -> None:
    """Notices have appeared or gone: recount the bells of their accounts."""
    told = write.sql.execute("SELECT account FROM notices WHERE comment = ?", (comment,)).fetchall()
    for (account,) in told:
        write.concern(account)


def after(sql: sqlite3.Connection, account: Account, version: int, limit: int) -> list[Notice]:
    """Return what concerned the account after `version`, the newest first, without what it may not see."""
    found = sql.execute(
        f"SELECT n.kind AS kind, n.version AS version, t.key AS thread, t.title AS title, c.id AS comment {_OPEN}"
        f" WHERE n.account = ? AND n.version > ? AND {_TOLD} ORDER BY n.version DESC LIMIT ?",
        (account.id, version, limit),
    )
    told = list(named(found))
    seen = {one.id: view(account, one) for one in comment_rows.by_ids(sql, [notice["comment"] for notice in told])}
    return [
        Notice(**notice | {"comment": comment}) for notice in told if (comment := seen[notice["comment"]]) is not None
    ]


def unread(sql: sqlite3.Connection, account: int) -> int:
    (count,) = sql.execute(
        f"SELECT count(*) {_OPEN} JOIN accounts a ON a.id = n.account"
        f" WHERE n.account = ? AND n.version > a.heard AND {_TOLD}",
        (account,),
    ).fetchone()
    return int(count)


def heard(write: Write, account: int, version: int) -> None:
    """The account has read all up to `version`; its other pages are told."""
    write.sql.execute("UPDATE accounts SET heard = max(heard, ?) WHERE id = ?", (version, account))
    write.concern(account)
