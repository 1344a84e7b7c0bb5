"""Names of accounts over time: what is taken, what a rename and an end leave, and what was there before."""

from __future__ import annotations

import sqlite3
from functools import partial
from pathlib import Path

import pytest

from channels.messages import Comment
from server.actions import close_account, operator_accounts, passwords, sign_in
from server.actions.edit import edit_comment
from server.actions.moderate import set_state
from server.actions.post import Post, post_comment
from server.errors import Conflict
from server.model import Account
from server.rate_limits import Limits
from server.settings import read
from server.storage.accounts import accounts, notifications
from server.storage.engine.database import Database
from tests.moderator import moderator

SETTINGS = read({"LIVETHREAD_SECRET": "a-secret-of-the-tests", "LIVETHREAD_LIMITS": "off"})
HOLDING = read({"LIVETHREAD_SECRET": "a-secret-of-the-tests", "LIVETHREAD_LIMITS": "off", "LIVETHREAD_HOLD": "all"})
OFF = Limits(is_on=False)


async def made(database: Database, name: str) -> Account:
    account = await sign_in.create_account(database, name, await passwords.hashed("a long password"), "reader")
    assert account is not None, name
    return account


async def say(database: Database, author: Account, body: str, nonce: str, *, held: bool = False) -> Comment:
    comment, _ = await post_comment(
        database, OFF, HOLDING if held else SETTINGS, author, Post("t", body, nonce, None, "")
    )
    return comment


async def named(database: Database, name: str) -> int | None:
    found = await database.read(lambda sql: accounts.by_name(sql, name))
    return found and found[0].id


@pytest.mark.parametrize("taken", ["Ana", "ANA", "Аnа", "A.na", "Αna"])
async def test_what_looks_like_a_name_that_was_had_is_nobodys_else(database: Database, taken: str) -> None:
    ana, bo, eve = await made(database, "Ana"), await made(database, "Bo"), await made(database, "Eve")
    assert await sign_in.create_account(database, taken, None, "reader") is None
    assert await operator_accounts.rename(database, "Ana", "Maria") == "Maria"
    assert await sign_in.create_account(database, taken, None, "reader") is None
    with pytest.raises(Conflict):
        await operator_accounts.rename(database, "Eve", "Ana")
    await close_account.close_account(database, SETTINGS, Account(ana.id, "Maria", "reader"), "a long password", "keep")
    for name in (taken, "Maria", "rnaria"):
        assert await sign_in.create_account(database, name, None, "reader") is None
    assert [await named(database, name) for name in ("Ana", "Maria", "Bo", "Eve")] == [None, None, bo.id, eve.id]


async def test_a_former_name_leads_to_its_account_which_may_take_it_back(database: Database) -> None:
    ana = await made(database, "Ana")
    for name in ("Maria", "Mary", "Ana", "Maria", "ANA"):
        assert await operator_accounts.rename(database, "Ana", name) == name
        assert {await named(database, one) for one in ("Ana", "Maria", name)} == {ana.id}
    (left,) = await database.read(lambda sql: sql.execute("SELECT count(*) FROM former_names").fetchone())
    assert left == 2


async def test_nothing_of_the_names_of_a_closed_account_can_be_read(database: Database) -> None:
    ana = await made(database, "Flibbertigibbet")
    await operator_accounts.rename(database, "Flibbertigibbet", "Gobbledygook")
    await close_account.close_account(
        database, SETTINGS, Account(ana.id, "Gobbledygook", "reader"), "a long password", "keep"
    )
    dump = "\n".join(await database.read(lambda sql: list(sql.iterdump()))).lower()
    assert "flibber" not in dump
    assert "gobbledy" not in dump


async def test_an_old_mention_leads_to_the_person_whatever_they_are_called(database: Database) -> None:
    ana, bo = await made(database, "Ana"), await made(database, "Bo")
    comment = await say(database, bo, "@ana, hello", "n" * 16)
    link = '<a class="mention" href="/u/Ana">@Ana</a>'
    assert link in str(comment.html)
    await operator_accounts.rename(database, "Ana", "Maria")
    assert await named(database, "Ana") == ana.id
    edited = await edit_comment(database, OFF, SETTINGS, bo, comment.id, "@ana, hello again", 1)
    assert edited.html == '<p><a class="mention" href="/u/Maria">@ana</a>, hello again</p>'


@pytest.mark.parametrize("name", ["रमा", "だいき", "می\u200cخواهم", "A & B", "Ńø", "한"])
async def test_a_mention_in_any_script_is_the_whole_name(database: Database, name: str) -> None:
    person, bo = await made(database, name), await made(database, "Bo")
    given = f'@"{name}"' if " " in name else f"@{name}"
    comment = await say(database, bo, f"{given}, hello", "n" * 16)
    html = str(comment.html)
    assert html.count("<a ") == 1
    assert f">@{name.replace('&', '&amp;')}</a>, hello" in html
    assert await database.read(lambda sql: notifications.unread(sql, person.id)) == 1


async def test_who_a_held_comment_mentions_is_told_when_it_is_approved(database: Database) -> None:
    ana, bo = await made(database, "Ana"), await made(database, "Bo")
    comment = await say(database, bo, "@Ana, hello", "n" * 16, held=True)
    assert comment.state == "pending"
    await operator_accounts.rename(database, "Ana", "Maria")
    assert await database.read(lambda sql: notifications.unread(sql, ana.id)) == 0
    await set_state(database, await moderator(database), comment.id, "visible")
    assert await database.read(lambda sql: notifications.unread(sql, ana.id)) == 1


async def test_a_file_gets_names_that_nobody_has(database: Database) -> None:
    await made(database, "Arne")

    async def free(name: str) -> str:
        return await database.read(lambda sql: accounts.free_variant(sql, name))

    for number in range(1, 8):
        name = await free("Ame")
        assert name == ("Ame (imported)" if number == 1 else f"Ame (imported {number})")
        await made(database, name)
    assert await free("Anonymous") == "Anonymous (imported)"
    assert await free("x" * 40) == "x" * 40
    await made(database, "x" * 40)
    assert await free("x" * 40) == "x" * 29 + " (imported)"


async def test_accounts_of_before_keep_names_that_would_be_refused_now(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    before = ["Anonymous", "Ana (imported)", "a/b", "Boss", "Воss", "Kilo\u1160", "closed 9", "राम", "ADMIN", "5"]
    with sqlite3.connect(path) as old:
        old.executescript((Path(__file__).parent / "upgrades" / "006.sql").read_text(encoding="utf-8"))
        for number, name in enumerate(before):
            old.execute(
                "INSERT INTO accounts (name, skeleton, created) VALUES (?, ?, 0)", (name, f"{name.casefold()} {number}")
            )
        old.execute("INSERT INTO accounts (name, skeleton, state, created) VALUES ('', 'closed 9', 'closed', 0)")
    old.close()
    async with Database.opened(path) as database:
        found = [await database.read(partial(accounts.by_name, name=name)) for name in before]
        assert [one and one[0].name for one in found] == before
        assert await named(database, "") is None
        for name in ("Boss", "B0ss", "Anonym0us", "admin"):
            assert await sign_in.create_account(database, name, None, "reader") is None
        assert await sign_in.create_account(database, "रमा", None, "reader") is not None
