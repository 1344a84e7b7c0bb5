"""Who may do what: each role, with what is its own and with what is another's."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from server import permissions
from server.model import ROLES, Account, Role, StoredComment, Thread
from server.visibility import view

HOUR_SECONDS = 3600
READER, MODERATOR, STAFF = (Account(id=1, name=role, role=role) for role in ROLES)
ACCOUNTS = (READER, MODERATOR, STAFF)


def comment(author: int, shown: int = 1) -> StoredComment:
    return StoredComment(
        id=9, thread=1, thread_key="t", thread_title="", thread_author=None, parent=None, depth=0,
        state="visible" if shown else "pending",
        shown=shown, version=1, revision=1, body="text", html="text", created=1_000, edited=None,
        placed=1_000, arrived=1,
        nonce=None, replies=0, score=0, author=author, author_name="Ana", author_role="reader", author_picture=None,
    hidden_quotes=None,
    )  # fmt: skip


OWN, ANOTHERS = comment(READER.id), comment(2)
OWN_HELD, ANOTHERS_HELD = comment(READER.id, shown=0), comment(2, shown=0)


@pytest.mark.parametrize(
    ("may", "allowed"),
    [
        (lambda who: permissions.may_post(who, Thread("t")), ACCOUNTS),
        (lambda who: permissions.may_post(who, Thread("t", locked=True)), (MODERATOR, STAFF)),
        (lambda who: permissions.may_delete(who, OWN), ACCOUNTS),
        (lambda who: permissions.may_delete(who, ANOTHERS), ()),
        (lambda who: permissions.may_edit(who, OWN), ACCOUNTS),
        (lambda who: permissions.may_edit(who, ANOTHERS), (STAFF,)),
        (lambda who: permissions.may_vote(who, OWN), ()),
        (lambda who: permissions.may_vote(who, ANOTHERS), ACCOUNTS),
        (lambda who: view(who, ANOTHERS) is not None, ACCOUNTS),
        (lambda who: view(who, OWN_HELD) is not None, ACCOUNTS),
        (lambda who: view(who, ANOTHERS_HELD) is not None, (MODERATOR, STAFF)),
        (lambda who: permissions.is_trusted(who, "off"), ACCOUNTS),
        (lambda who: permissions.is_trusted(who, "all"), (MODERATOR, STAFF)),
        (permissions.may_moderate, (MODERATOR, STAFF)),
        (permissions.may_describe, (STAFF,)),
        (permissions.is_staff, (STAFF,)),
    ],
)
def test_a_role_may_do_this_and_no_other_role_may(may: Callable[[Account], bool], allowed: tuple[Account, ...]) -> None:
    assert tuple(account for account in ACCOUNTS if may(account)) == allowed


def test_without_an_account_one_sees_what_is_public_and_has_no_power() -> None:
    assert view(None, ANOTHERS) is not None
    assert view(None, ANOTHERS_HELD) is None
    assert not permissions.may_moderate(None)
    assert not permissions.may_describe(None)


@pytest.mark.parametrize(
    ("one", "banned"), [("reader", ()), ("moderator", ("reader",)), ("staff", ("reader", "moderator"))]
)
def test_nobody_bans_staff_and_only_staff_ban_moderators(one: Role, banned: tuple[Role, ...]) -> None:
    account = Account(id=1, name="One", role=one)
    others = [Account(id=2, name="Other", role=role) for role in ROLES]
    may = permissions.may_moderate(account)
    assert tuple(other.role for other in others if may and permissions.may_ban(account, other)) == banned


def test_nobody_bans_themselves() -> None:
    assert not any(permissions.may_ban(account, account) for account in ACCOUNTS)


def test_an_author_edits_up_to_the_last_moment_and_staff_after_it() -> None:
    last = OWN.created + HOUR_SECONDS * 1000
    in_time = {
        (account.role, now)
        for account in ACCOUNTS
        for now in (last, last + 1)
        if permissions.is_in_time(account, OWN, now, HOUR_SECONDS)
    }
    assert in_time == {("reader", last), ("moderator", last), ("staff", last), ("staff", last + 1)}
