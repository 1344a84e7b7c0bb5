"""What is erased at its source is erased wherever it was quoted, and what is hidden there is hidden."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from channels.messages import Change
from channels.tasks import Health, Tasks
from server.actions import close_account, passwords, sign_in
from server.actions.delete import delete_comment
from server.actions.edit import edit_comment
from server.actions.moderate import set_state
from server.actions.post import Post, post_comment
from server.actions.sessions import begin_session
from server.actions.vote import Votes
from server.errors import Invalid, NotSignedIn
from server.model import Account
from server.rate_limits import Limits
from server.settings import read
from server.storage import search
from server.storage.accounts import accounts
from server.storage.comments import comments
from server.storage.engine.database import Database
from server.storage.engine.write import Write
from server.storage.jobs import erasure
from tests.moderator import moderator
from tests.upkept import finish

SETTINGS = read({"LIVETHREAD_SECRET": "a-secret-of-the-tests", "LIVETHREAD_LIMITS": "off"})
GONE = "> What was quoted here is gone."
_nonces = itertools.count(10**16)
Say = Callable[..., Any]


@pytest.fixture
async def people(database: Database) -> list[Account]:
    made = [await sign_in.create_account(database, name, None, "reader") for name in ("Ana", "Bo", "Cy", "Dee")]
    return [one for one in made if one is not None]


async def say(database: Database, author: Account, body: str) -> int:
    post = Post("t", body, str(next(_nonces)), None, "")
    comment, _ = await post_comment(database, Limits(is_on=False), SETTINGS, author, post)
    return int(comment.id)


def quote(words: str, source: int, name: str = "Ana") -> str:
    lines = "\n".join(f"> {line}" for line in words.split("\n"))
    return f"{lines}\n>\n> — [{name}](/t/t/c/{source})\n\n"


async def said_again(database: Database, people: list[Account]) -> tuple[int, int, int]:
    """Ana's comment, Bo's that quotes it, and Cy's, which has Ana's words from Bo and links to his alone."""
    ana, bo, cy, _ = people
    source = await say(database, ana, "flibbertigibbet is what I said")
    bos = await say(database, bo, quote("flibbertigibbet is what I said", source) + "Bo's own words")
    return source, bos, await say(database, cy, quote("flibbertigibbet is what", bos, "Bo") + "Cy's words")


async def body_of(database: Database, id_: int) -> str:
    return str(
        await database.read(lambda sql: sql.execute("SELECT body FROM comments WHERE id = ?", (id_,)).fetchone()[0])
    )


async def editable(database: Database, id_: int) -> tuple[str, int]:
    """Return the text as its author's editor has it, and its revision."""

    def read_it(sql: Any) -> tuple[str, int]:
        stored = comments.by_id(sql, id_)
        assert stored is not None
        return comments.text(sql, stored), stored.revision

    return await database.read(read_it)


async def everything(database: Database) -> str:
    """Every text that the database holds, by whatever way."""

    def read_all(sql: Any) -> str:
        tables = ("comments", "revisions", "searched", "notices")
        return "\n".join(str(row) for table in tables for row in sql.execute(f"SELECT * FROM {table}"))

    return await database.read(read_all)


async def shown(database: Database, id_: int) -> str:
    return str((await database.read(lambda sql: comments.seen_by(sql, None, id_)[1])).html)


async def found(database: Database, words: str) -> list[int]:
    while await database.write(search.index_some):
        pass
    hits = await database.read(lambda sql: search.find(sql, words, thread=None, limit=20))
    return [one.comment.id for one in hits]


async def test_a_deletion_erases_its_words_from_every_text_that_quotes_them(
    database: Database, people: list[Account]
) -> None:
    ana, bo, cy, _ = people
    source = await say(database, ana, "flibbertigibbet and more")
    quoting = await say(database, bo, quote("flibbertigibbet and more", source) + "Bo's first words")
    await edit_comment(
        database, Limits(is_on=False), SETTINGS, bo, quoting, quote("flibbertigibbet", source) + "Bo's second words", 1
    )
    await edit_comment(database, Limits(is_on=False), SETTINGS, bo, quoting, "Bo's third words", 2)
    other = await say(database, cy, "Mine. \n\n" + quote("and more", source) + "Cy's words")
    assert await found(database, "more") == [other, source]
    await delete_comment(database, ana, source)
    await finish(database)
    kept = await everything(database)
    assert "flibbertigibbet" not in kept
    assert "and more" not in kept
    assert [await body_of(database, id_) for id_ in (quoting, other)] == [
        "Bo's third words",
        f"Mine. \n\n{GONE}\n\nCy's words",
    ]
    texts = await database.read(lambda sql: comments.revisions(sql, quoting))
    assert [text.body for text in texts] == [
        f"{GONE}\n\nBo's first words", f"{GONE}\n\nBo's second words", "Bo's third words",
    ]  # fmt: skip
    assert await found(database, "more") == []
    assert await found(database, "Cy's words") == [other]


async def test_a_quote_of_a_quote_goes_with_whose_words_it_holds(database: Database, people: list[Account]) -> None:
    ana, bo, cy, dee = people
    source = await say(database, ana, "flibbertigibbet is what I said")
    bos = await say(database, bo, quote("flibbertigibbet is what I said", source) + "Bo's own words")
    # As the page quotes a selection: the lines of the inner quote are lines of the outer one.
    both = await say(database, cy, quote("flibbertigibbet is\n— Ana\nBo's own words", bos, "Bo") + "Cy's words")
    only_bo = await say(database, cy, quote("Bo's own words", bos, "Bo") + "Agreed.")
    nested = await say(database, dee, "> " + quote("flibbertigibbet", source).strip().replace("\n", "\n> ")
                       + f"\n>\n> Bo's own words [Bo](/t/t/c/{bos})\n\nDee's words")  # fmt: skip
    third = await say(database, dee, quote("gibbet is", both, "Cy") + "Dee again")
    await delete_comment(database, ana, source)
    await finish(database)
    assert "gibbet" not in await everything(database)
    assert await body_of(database, both) == f"{GONE}\n\nCy's words"
    assert await body_of(database, third) == f"{GONE}\n\nDee again"
    assert "Bo's own words" in await body_of(database, only_bo)
    assert (await body_of(database, nested)).startswith(f"> {GONE}\n>\n> Bo's own words")
    await delete_comment(database, bo, bos)
    await finish(database)
    assert "Bo's own" not in await everything(database)
    assert await body_of(database, nested) == f"{GONE}\n\nDee's words"


async def test_what_is_removed_is_hidden_in_quotes_and_erased_there_after_30_days(
    database: Database, people: list[Account]
) -> None:
    _, bo, cy, _ = people
    source, bos, cys = await said_again(database, people)
    before = [await body_of(database, id_) for id_ in (bos, cys)]
    await set_state(database, await moderator(database), source, "removed")
    for id_, author in ((bos, bo), (cys, cy)):
        assert "gibbet" not in await shown(database, id_)
        assert "gibbet" not in (await editable(database, id_))[0]
        mine = await database.read(partial(accounts.everything, account=author.id))
        assert "gibbet" not in str(mine)
    assert await found(database, "flibbertigibbet") == []
    assert await found(database, "words") == [cys, bos]
    await set_state(database, await moderator(database), source, "visible")
    assert [await body_of(database, id_) for id_ in (bos, cys)] == before
    assert "gibbet" in await shown(database, cys)
    await set_state(database, await moderator(database), source, "removed")
    public = await shown(database, bos)
    head = await database.read(lambda sql: sql.execute("SELECT version FROM threads").fetchone())

    def a_month_ago(write: Write) -> None:
        write.sql.execute("UPDATE comments SET ended = ended - ? WHERE id = ?", (erasure.REMOVED_KEPT_MS + 1, source))

    assert not await database.write(erasure.lost_quotes)
    await database.write(a_month_ago)
    while await database.write(erasure.forget_some):
        pass
    await finish(database)
    assert "gibbet" not in await everything(database)
    # It was hidden before: nothing changed for anybody.
    assert await shown(database, bos) == public
    assert await database.read(lambda sql: sql.execute("SELECT version FROM threads").fetchone()) == head


@pytest.mark.parametrize(("days", "is_kept"), [(0, True), (29, True), (31, False)])
async def test_a_removed_text_is_kept_for_30_days_in_case_it_is_shown_again(
    database: Database, people: list[Account], days: int, is_kept: bool
) -> None:
    removed, visible = await say(database, people[0], "on trial"), await say(database, people[0], "free")
    await set_state(database, await moderator(database), removed, "removed")

    def time_passes(write: Write) -> None:
        write.sql.execute("UPDATE comments SET ended = ended - ?", (days * 24 * 3600 * 1000,))

    await database.write(time_passes)
    assert not await database.write(erasure.forget_some)
    await finish(database)
    assert await body_of(database, removed) == ("on trial" if is_kept else "")
    assert ("on trial" in await everything(database)) == is_kept
    assert await body_of(database, visible) == "free"


async def test_an_edit_keeps_the_quotes_that_are_hidden_meanwhile_where_it_leaves_their_places(
    database: Database, people: list[Account]
) -> None:
    ana, bo, cy, _ = people
    source, bos, cys = await said_again(database, people)
    other = await say(database, cy, quote("flibbertigibbet", source) + "Cy's other words")
    await set_state(database, await moderator(database), source, "removed")
    for id_, author in ((bos, bo), (cys, cy)):
        for _ in range(2):
            await edit_comment(database, Limits(is_on=False), SETTINGS, author, id_, f"{GONE}\n\nOther words, @Ana", 1)
        assert await editable(database, id_) == (f"{GONE}\n\nOther words, @Ana", 2)
        assert "gibbet" not in await shown(database, id_)
    await edit_comment(database, Limits(is_on=False), SETTINGS, cy, other, "Without it", 1)
    assert await found(database, "flibbertigibbet") == []
    await set_state(database, await moderator(database), source, "visible")
    assert await body_of(database, bos) == quote("flibbertigibbet is what I said", source) + "Other words, @Ana"
    assert 'href="/u/Ana"' in await shown(database, bos)
    assert "gibbet is what" in await shown(database, cys)
    assert await body_of(database, other) == "Without it"
    await delete_comment(database, ana, source)
    await finish(database)
    assert "gibbet" not in await everything(database)
    assert await body_of(database, cys) == f"{GONE}\n\nOther words, @Ana"


async def test_words_that_were_erased_already_are_not_kept_of_a_late_quote(
    database: Database, people: list[Account]
) -> None:
    ana, bo, *_ = people
    source = await say(database, ana, "flibbertigibbet")
    await delete_comment(database, ana, source)
    await finish(database)
    late = await say(database, bo, quote("flibbertigibbet", source) + "Too late")
    assert await body_of(database, late) == f"{GONE}\n\nToo late"
    await edit_comment(database, Limits(is_on=False), SETTINGS, bo, late, quote("flibbertigibbet", source) + "Again", 1)
    assert await body_of(database, late) == f"{GONE}\n\nAgain"
    assert "gibbet" not in await everything(database)


async def test_one_comment_quotes_only_so_many_others(database: Database, people: list[Account]) -> None:
    ana, bo, *_ = people
    sources = [await say(database, ana, f"words {number}") for number in range(11)]
    await say(database, bo, "\n\n".join(quote("words", id_) for id_ in sources[:10]))
    await say(database, bo, "\n\n".join(quote("words", sources[0]) for _ in range(20)))
    with pytest.raises(Invalid, match="at most 20 quotes"):
        await say(database, bo, "\n\n".join(quote("words", id_) for id_ in sources))
    with pytest.raises(Invalid, match="from 10 comments"):
        await say(database, bo, "\n\n".join(quote("words", sources[0]) for _ in range(21)))


async def test_quotes_of_nobody_hide_none_that_has_a_source(database: Database, people: list[Account]) -> None:
    ana, bo, *_ = people
    source = await say(database, ana, "flibbertigibbet")
    quoting = await say(database, bo, "> of a book\n\nRead.\n\n" * 25 + quote("flibbertigibbet", source) + "Bo's words")
    await delete_comment(database, ana, source)
    await finish(database)
    assert "gibbet" not in await everything(database)
    assert (await body_of(database, quoting)).endswith(f"{GONE}\n\nBo's words")


async def test_many_quotes_are_stamped_and_erased_in_writes_of_at_most_100(
    database: Database, people: list[Account]
) -> None:
    ana, bo, *_ = people
    source = await say(database, ana, "flibbertigibbet")
    quoting = [await say(database, bo, quote("flibbertigibbet", source) + str(n)) for n in range(230)]
    told: list[Change] = []
    database.on_commit = told.append
    await set_state(database, await moderator(database), source, "removed")
    assert [len(change.comments) for change in told] == [101]
    await finish(database)
    assert [len(change.comments) for change in told] == [101, 100, 30]
    await set_state(database, await moderator(database), source, "visible")
    await finish(database)
    told.clear()
    await delete_comment(database, ana, source)
    await finish(database)
    assert {one.id for change in told for one in change.comments} == {source, *quoting}
    assert max(len(change.comments) for change in told) <= 101
    assert "gibbet" not in await everything(database)


async def test_what_a_crash_left_of_an_erasure_is_found_by_the_database(
    database: Database, people: list[Account]
) -> None:
    ana, bo, *_ = people
    source = await say(database, ana, "flibbertigibbet")
    await say(database, bo, quote("flibbertigibbet", source) + "Bo's words")

    def half(write: Write) -> None:
        stored = comments.by_id(write.sql, source)
        assert stored is not None
        comments.set_state(write, stored, "deleted")

    await database.write(half)
    assert "gibbet" in await everything(database)
    while await database.write(erasure.forget_some):
        pass
    await finish(database)
    assert "gibbet" not in await everything(database)


async def test_closing_an_account_erases_its_words_from_the_quotes_of_others(
    database: Database, people: list[Account]
) -> None:
    _, bo, *_ = people
    hashed = await passwords.hashed("a long password")
    eve = await sign_in.create_account(database, "Eve", hashed, "reader")
    assert eve is not None
    sources = [await say(database, eve, f"flibbertigibbet {number}") for number in range(3)]
    quoting = [await say(database, bo, quote("flibbertigibbet", id_) + "Bo's") for id_ in sources]
    await close_account.close_account(database, SETTINGS, eve, "a long password", "erase")
    await finish(database)
    assert "gibbet" not in await everything(database)
    assert {await body_of(database, id_) for id_ in quoting} == {f"{GONE}\n\nBo's"}


async def test_what_was_on_its_way_when_its_account_ended_does_not_arrive(
    database: Database, people: list[Account]
) -> None:
    _, bo, *_ = people
    limits = Limits(is_on=False)
    eve = await sign_in.create_account(database, "Eve", await passwords.hashed("a long password"), "reader")
    assert eve is not None
    own, other = await say(database, eve, "flibbertigibbet"), await say(database, bo, "Bo's")
    await close_account.close_account(database, SETTINGS, eve, "a long password", "keep")
    async with Tasks(Health()) as tasks:
        votes = Votes(database, limits, SETTINGS, tasks)
        for late in (
            say(database, eve, "Late"),
            edit_comment(database, limits, SETTINGS, eve, own, "Late", 1),
            votes.cast(eve, other, 1),
            begin_session(database, eve),
        ):
            with pytest.raises(NotSignedIn):
                await late
    await say(database, bo, f"> x [Eve](/t/t/c/{own})\n\n@Eve")
    assert await database.read(lambda sql: sql.execute("SELECT count(*) FROM notices").fetchone()) == (0,)


async def test_long_texts_are_erased_in_several_writes(database: Database, people: list[Account]) -> None:
    ana, bo, *_ = people
    source = await say(database, ana, "flibbertigibbet")
    for _ in range(10):
        await say(database, bo, quote("flibbertigibbet", source) + "- a\n" * 2_300)

    def half(write: Write) -> None:
        stored = comments.by_id(write.sql, source)
        assert stored is not None
        comments.set_state(write, stored, "deleted")

    await database.write(half)
    writes = 1
    while await database.write(erasure.lost_quotes):
        writes += 1
    assert writes == 3
    assert "gibbet" not in await everything(database)


async def test_a_comment_of_hundreds_of_quotes_is_refused(database: Database, people: list[Account]) -> None:
    ana, *_ = people
    await say(database, ana, "> one\n\nOwn\n\n" * 200)
    with pytest.raises(Invalid, match="200"):
        await say(database, ana, "> one\n\nOwn\n\n" * 201)
    with pytest.raises(Invalid, match="200"):
        await say(database, ana, ("> " * 8 + "one\n\n") * 26)
