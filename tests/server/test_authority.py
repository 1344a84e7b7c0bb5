"""A right counts at the moment of the write: what is lost while a request waits for its turn is not used."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from channels.tasks import Health, Tasks
from server.actions import passwords, sign_in
from server.actions.close_account import close_account
from server.actions.delete import delete_comment
from server.actions.describe_thread import describe_thread
from server.actions.edit import edit_comment
from server.actions.moderate import ban_account, lock_thread, set_state
from server.actions.post import Post, post_comment
from server.actions.vote import Votes
from server.errors import NotSignedIn
from server.model import Account, Role
from server.rate_limits import Limits
from server.settings import read
from server.storage.accounts import accounts
from server.storage.engine.database import Database
from server.storage.engine.write import Write

SETTINGS = read({"LIVETHREAD_SECRET": "a-secret-of-the-tests", "LIVETHREAD_LIMITS": "off"})
LIMITS = Limits(is_on=False)
PASSWORD = "a long password"
Act = Callable[[Database, Account, int, int], Coroutine[Any, Any, Any]]


def say(database: Database, author: Account, body: str) -> Coroutine[Any, Any, Any]:
    post = Post("t", body, "".join(filter(str.isalpha, body)).ljust(16, "0"), None, "")
    return post_comment(database, LIMITS, SETTINGS, author, post)


async def vote(database: Database, account: Account, other: int) -> None:
    # Nothing is folded later: no task is made.
    await Votes(database, LIMITS, SETTINGS, Tasks(Health())).cast(account, other, 1)


# Each with the account, a comment of another and one of its own.
ACTS: dict[str, Act] = {
    "remove": lambda database, account, other, _: set_state(database, account, other, "removed"),
    "hold": lambda database, account, other, _: set_state(database, account, other, "pending"),
    "lock": lambda database, account, *_: lock_thread(database, account, "t", locked=True),
    "ban": lambda database, account, *_: ban_account(database, account, "Ana", banned=True),
    "describe": lambda database, account, *_: describe_thread(database, account, "t", title="Mine"),
    "edit another's": lambda database, account, other, _: edit_comment(
        database, LIMITS, SETTINGS, account, other, "Late", 1
    ),
    "delete": lambda database, account, _, own: delete_comment(database, account, own),
    "post": lambda database, account, *_: say(database, account, "Late"),
    "vote": lambda database, account, other, _: vote(database, account, other),
}


def loses_its_role(write: Write, account: int) -> None:
    accounts.set_role(write, account, "reader")


def is_banned(write: Write, account: int) -> None:
    accounts.set_banned(write, account, banned=True)


async def somebody(database: Database, name: str, role: Role = "reader") -> Account:
    made = await sign_in.create_account(database, name, await passwords.hashed(PASSWORD), role)
    assert made is not None
    return made


@pytest.mark.parametrize("ends", [loses_its_role, is_banned])
@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
async def test_a_right_that_is_lost_while_the_write_waits_is_not_used(
    database: Database, act: Act, ends: Callable[[Write, int], None]
) -> None:
    ana, chief = await somebody(database, "Ana"), await somebody(database, "Chief", "staff")
    (other, _), (own, _) = await say(database, ana, "Ana's"), await say(database, chief, "Chief's")
    before = await kept(database)

    # In the queue of the writer before the action that was authorised by what was known then.
    ended = asyncio.ensure_future(database.write(lambda write: ends(write, chief.id)))
    await asyncio.sleep(0)
    with pytest.raises(NotSignedIn):
        await act(database, chief, other.id, own.id)
    await ended

    assert await kept(database) == before


async def kept(database: Database) -> list[Any]:
    """Return all that the actions might have changed."""
    queries = (
        "SELECT id, state, body, up, version FROM comments",
        "SELECT key, title, locked, version FROM threads",
        "SELECT banned FROM accounts WHERE name = 'Ana'",
        "SELECT * FROM votes",
    )
    return await database.read(lambda sql: [sql.execute(query).fetchall() for query in queries])


async def test_an_account_that_is_banned_while_its_password_is_checked_is_not_closed(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    eve = await somebody(database, "Eve")

    check = passwords.is_right

    async def is_right(*given: Any) -> bool:
        answer = await check(*given)
        await database.write(lambda write: is_banned(write, eve.id))
        return answer

    monkeypatch.setattr(passwords, "is_right", is_right)
    with pytest.raises(NotSignedIn):
        await close_account(database, SETTINGS, eve, PASSWORD, "erase")
    assert await database.read(lambda sql: accounts.by_name(sql, "eve")) is not None
