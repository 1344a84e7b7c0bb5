"""Links between comments, in files: imported wherever, they lead to the comments that they led to, and to no others."""

from __future__ import annotations

import itertools
import sqlite3
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from server.actions.delete import delete_comment
from server.actions.edit import edit_comment
from server.actions.moderate import set_state
from server.actions.post import Post, post_comment
from server.actions.sign_in import create_account
from server.importing.formats import jsonl
from server.importing.import_command import import_records
from server.model import Account
from server.operator_commands import Desk
from server.rate_limits import Limits
from server.settings import read
from server.storage.comments import comments, votes
from server.storage.engine.database import Database
from server.storage.import_export import export
from server.storage.jobs import erasure
from server.text import links
from tests.moderator import moderator
from tests.server.test_porting import write

SETTINGS = read({"LIVETHREAD_SECRET": "a-secret-of-the-tests", "LIVETHREAD_LIMITS": "off"})
NAMES = {7: "lt-7", 12: "c1"}
_nonces = itertools.count(10**16)


@pytest.mark.parametrize(
    ("text", "in_file", "linked"),
    [
        ("> x\n>\n> — [Ana](/t/a.b/c/7)", "> x\n>\n> — [Ana](/t/*/c/0)", {"0": "lt-7"}),
        ("[a](/t/a.b/c/12) [b](</t/a.b/c/7>) /t/a.b/c/12", "[a](/t/*/c/0) [b](</t/*/c/1>) /t/*/c/0",
         {"0": "c1", "1": "lt-7"}),
        ('<a href="/t/a.b/c/7">x</a>', '<a href="/t/*/c/0">x</a>', {"0": "lt-7"}),
        ("of another (/t/a-b/c/7)", "of another (/t/a-b/c/7)", {}),
        ("https://example.org/t/a.b/c/7", "https://example.org/t/a.b/c/7", {}),
        ("(/t/a.b/c/7x)", "(/t/a.b/c/7x)", {}),
        ("never was (/t/a.b/c/99), is (/t/a.b/c/7)", "never was (/t/*/c/0), is (/t/*/c/1)", {"1": "lt-7"}),
        ("said: /t/*/c/0, linked: (/t/a.b/c/7)", "said: /t/*/c/0, linked: (/t/*/c/1)", {"1": "lt-7"}),
    ],
)  # fmt: skip
def test_a_file_says_for_each_link_which_of_its_comments_is_meant(
    text: str, in_file: str, linked: dict[str, str]
) -> None:
    assert links.to_file([text], "a.b", NAMES) == ([in_file], linked)
    again = links.from_file(in_file, "other", linked, {"lt-7": 3, "c1": 4})
    assert links.to_file([again], "other", {3: "lt-7", 4: "c1"}) == ([in_file], linked)


def test_a_number_that_links_does_not_name_leads_nowhere() -> None:
    # 5 and 6 are ids of the file and of the database: a number in a text is neither.
    ids = {"5": 3, "6": 4}
    text = "(/t/*/c/0) (/t/*/c/5) (/t/*/c/6)"
    assert links.from_file(text, "k", {"0": "5"}, ids) == "(/t/k/c/3) (/t/*/c/5) (/t/*/c/6)"
    assert links.from_file(text, "k", {"0": "never imported"}, ids) == text
    assert links.from_file(text, "k", {}, ids) == text


def test_all_texts_of_a_comment_count_their_links_together() -> None:
    texts = ["(/t/k/c/7)", "(/t/k/c/12) (/t/k/c/7)"]
    assert links.to_file(texts, "k", NAMES) == (["(/t/*/c/0)", "(/t/*/c/1) (/t/*/c/0)"], {"0": "lt-7", "1": "c1"})


async def load(database: Database, key: str, path: Path) -> dict[str, Any]:
    report = await import_records(Desk(database, SETTINGS), key, "jsonl", jsonl.read(path), lambda done: None)
    return {"imported": report.imported, "skipped": dict(report.skipped)}


async def say(database: Database, author: Account, key: str, body: str) -> int:
    post = Post(key, body, str(next(_nonces)), None, "")
    comment, _ = await post_comment(database, Limits(is_on=False), SETTINGS, author, post)
    return int(comment.id)


async def account(database: Database, name: str) -> Account:
    made = await create_account(database, name, None, "reader")
    assert made is not None
    return made


async def kept(database: Database, key: str) -> dict[str, tuple[int, str, str]]:
    """What is kept of the thread's imported comments: (id, body, html), by their ids in the file."""
    found = await database.read(
        lambda sql: sql.execute(
            "SELECT c.source, c.id, c.body, c.html FROM comments c JOIN threads t ON t.id = c.thread WHERE t.key = ?",
            (key,),
        ).fetchall()
    )
    return {source.partition(":")[2]: (id_, body, html) for source, id_, body, html in found if source}


def thread_ids(sql: sqlite3.Connection) -> list[tuple[int]]:
    """Return the ids of the comments, those of the thread "elsewhere" left out."""
    return sql.execute(
        "SELECT c.id FROM comments c JOIN threads t ON t.id = c.thread WHERE t.key <> 'elsewhere'"
    ).fetchall()


async def quoted(database: Database) -> set[tuple[int, int]]:
    return set(await database.read(lambda sql: sql.execute("SELECT comment, source FROM quotes").fetchall()))


def exported(database: Database, key: str) -> bytes:
    return b"".join(jsonl.write(export.comments(database.path, key)))


def line(id_: str, body: str, **more: Any) -> dict[str, Any]:
    return {"id": id_, "author": "Ana", "created": 1_700_000_000, "body_md": body, **more}


QUOTE = "> {}\n>\n> — [Ana](/t/*/c/0)\n\nOwn."


async def test_links_lead_to_the_imported_comments_and_quotes_go_with_those_alone(
    database: Database, tmp_path: Path
) -> None:
    bo = await account(database, "Bo")
    others = [await say(database, bo, key, f"flibbertigibbet of {key}") for key in ("used", "used", "elsewhere")]
    file = write(
        tmp_path / "x.jsonl",
        [
            line("early", QUOTE.format("words to come"), links={"0": "late"}),
            line("first", "flibbertigibbet"),
            line("second", QUOTE.format("flibbertigibbet"), links={"0": "first"}),
            line("lost", QUOTE.format("flibbertigibbet"), links={"0": "nowhere"}),
            line("old", f"> flibbertigibbet\n>\n> — [Bo](/t/used/c/{others[0]})\n\nOwn."),
            line("far", f"> flibbertigibbet\n>\n> — [Bo](/t/elsewhere/c/{others[2]})\n\nOwn."),
            line("late", QUOTE.format("flibbertigibbet") + " And words to come", links={"0": "second"}),
        ],
    )
    assert (await load(database, "used", file))["skipped"] == {}
    found = await kept(database, "used")
    id_of = {name: id_ for name, (id_, *_) in found.items()}
    assert f"(/t/used/c/{id_of['late']})" in found["early"][1]
    assert f'href="/t/used/c/{id_of["first"]}"' in found["second"][2]
    assert "href" not in found["lost"][2]
    assert f'href="/t/used/c/{others[0]}"' in found["old"][2]
    # "late" repeats what "second" quotes of "first".
    assert await quoted(database) == {
        (id_of[one], id_of[source])
        for one, source in (("early", "late"), ("second", "first"), ("late", "second"), ("late", "first"))
    }
    for id_ in others:
        await delete_comment(database, bo, id_)
    while await database.write(erasure.lost_quotes):
        pass
    assert {name: text for name, (_, text, _) in (await kept(database, "used")).items()} == {
        name: text for name, (_, text, _) in found.items()
    }
    ana = (await database.read(lambda sql: sql.execute("SELECT id FROM accounts WHERE name = 'Ana'").fetchone()))[0]
    await delete_comment(database, Account(ana, "Ana", "reader"), id_of["first"])
    while await database.write(erasure.lost_quotes):
        pass
    texts = {name: text for name, (_, text, _) in (await kept(database, "used")).items()}
    assert "flibbertigibbet" not in texts["second"] + texts["late"]
    assert "flibbertigibbet" in texts["old"]


async def test_who_is_mentioned_is_linked_where_the_import_or_somebody_before_made_the_account(
    database: Database, tmp_path: Path
) -> None:
    await account(database, "Bo")
    file = write(
        tmp_path / "x.jsonl",
        [
            line("a", "@Bo, @Cy and @nobody", revision=2, earlier=[{"revision": 1, "body_md": "@Cy", "replaced": 1}]),
            line("b", "Here", author="Cy"),
        ],
    )
    await load(database, "t", file)
    _, _, html = (await kept(database, "t"))["a"]
    assert '<a class="mention" href="/u/Bo">@Bo</a>' in html
    assert '<a class="mention" href="/u/Cy">@Cy</a>' in html
    assert "/u/nobody" not in html
    (before,) = await database.read(lambda sql: sql.execute("SELECT html FROM revisions").fetchone())
    assert 'href="/u/Cy"' in before
    versions = await database.read(lambda sql: sql.execute("SELECT version FROM comments").fetchall())
    assert (await load(database, "t", file))["imported"] == 0
    assert await database.read(lambda sql: sql.execute("SELECT version FROM comments").fetchall()) == versions


async def a_conversation(database: Database) -> None:
    """Quotes of what was before, of what came after, in earlier texts, of what is removed, and of other threads."""
    ana, bo = await account(database, "Ana"), await account(database, "Bo")
    elsewhere = await say(database, bo, "elsewhere", "from another thread")
    first = await say(database, ana, "one", "flibbertigibbet for @Bo")
    second = await say(database, bo, "one", f"> flibbertigibbet\n>\n> — [Ana](/t/one/c/{first})\n\nOwn. @Ana")
    await say(database, ana, "one", f"> from\n>\n> — [Bo](/t/elsewhere/c/{elsewhere})\n\nSee (/t/one/c/4711) /t/*/c/0")
    third = await say(database, bo, "one", f"> flibbertigibbet\n>\n> — [Bo](/t/one/c/{second})\n\nhidden words")
    later = f"> hidden words\n>\n> — [Bo](/t/one/c/{third})\n\nEdited, of [first](/t/one/c/{first})."
    await edit_comment(database, Limits(is_on=False), SETTINGS, bo, second, later, 1)
    await edit_comment(database, Limits(is_on=False), SETTINGS, ana, first, "flibbertigibbet, edited", 1)
    await database.write(lambda write: votes.put(write, second, ana.id, 1))
    await database.write(lambda write: votes.fold(write, 2))
    await set_state(database, await moderator(database), third, "removed")


@pytest.mark.parametrize("key", ["one", "another"])
async def test_an_export_is_the_same_to_the_byte_from_a_used_database_and_under_any_key(
    database: Database, tmp_path: Path, key: str
) -> None:
    await a_conversation(database)
    first = exported(database, "one")
    (tmp_path / "first.jsonl").write_bytes(first)
    async with Database.opened(tmp_path / "second.db") as second:
        somebody = await account(second, "somebody")
        others = [await say(second, somebody, "elsewhere", f"other words {number}") for number in range(7)]
        assert (await load(second, key, tmp_path / "first.jsonl"))["skipped"] == {}
        assert exported(second, key) == first
        pairs = []
        for one in (database, second):
            ids = sorted(await one.read(thread_ids))
            found = await quoted(one)
            pairs.append({(ids.index((by,)), ids.index((of,))) for by, of in found if (of,) in ids})
            assert len(found) - len(pairs[-1]) == (one is database)
        assert pairs[0] == pairs[1] != set()
        hidden = [id_ for id_, _ in await quoted(second)]
        seen = [(await second.read(partial(comments.seen_by, viewer=None, id_=id_)))[1] for id_ in hidden]
        shown = [str(one.html) for one in seen]
        assert not any("hidden words" in html for html in shown)
        for id_ in others:
            await delete_comment(second, somebody, id_)
        while await second.write(erasure.lost_quotes):
            pass
        assert exported(second, key) == first


async def test_ids_in_a_file_are_its_own(database: Database, tmp_path: Path) -> None:
    """A database can hold ids of several files, which know nothing of each other, beside its own."""
    ana = await account(database, "Ana")
    own = await say(database, ana, "t", "Own")
    await load(database, "t", write(tmp_path / "x.jsonl", [line(f"lt-{own}", "Of a file"), line("c", "Another")]))
    records = list(jsonl.read(write(tmp_path / "y.jsonl", [line("c", "Of another form")])))
    await import_records(Desk(database, SETTINGS), "t", "demo", records, lambda done: None)
    await say(database, ana, "t", f"> Own\n>\n> — [Ana](/t/t/c/{own})")
    first = exported(database, "t")
    (tmp_path / "first.jsonl").write_bytes(first)
    async with Database.opened(tmp_path / "second.db") as second:
        assert (await load(second, "t", tmp_path / "first.jsonl"))["skipped"] == {}
        assert exported(second, "t") == first
