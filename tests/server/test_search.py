"""Comments are found by their words, the newest first, and not once they are gone; old databases are indexed again."""

from __future__ import annotations

import itertools
import sqlite3
import unicodedata
from functools import partial
from pathlib import Path

import pytest

from server.actions.delete import delete_comment
from server.actions.edit import edit_comment
from server.actions.moderate import set_state
from server.actions.post import Post, post_comment
from server.actions.sign_in import create_account
from server.errors import Invalid
from server.importing.loading import Batch, load_batch
from server.importing.record import Record
from server.model import Account
from server.rate_limits import Limits
from server.settings import read
from server.storage import search
from server.storage.engine.database import Database
from server.storage.engine.write import Write
from tests.moderator import moderator
from tests.upkept import finish

SETTINGS = read({"LIVETHREAD_SECRET": "a-secret-of-the-tests", "LIVETHREAD_LIMITS": "off"})
_nonces = itertools.count()


@pytest.fixture
async def ana(database: Database) -> Account:
    account = await create_account(database, "Ana", None, "reader")
    assert account is not None
    return account


async def post(database: Database, author: Account, body: str, parent: int | None = None, key: str = "t") -> int:
    wanted = Post(key, body, f"nonce-{next(_nonces):016d}", parent, "")
    comment, _ = await post_comment(database, Limits(is_on=False), SETTINGS, author, wanted)
    return comment.id


async def load(database: Database, *bodies: str, created: int = 0, html: bool = False) -> None:
    records = [
        Record(line=1, id=f"{next(_nonces)}", created=created + place, body=body, format="html" if html else "markdown")
        for place, body in enumerate(bodies)
    ]
    report = await load_batch(database, Batch(thread="t", origin="old", records=records))
    assert report["imported"] == len(bodies)


async def index(database: Database) -> None:
    while await database.write(search.index_some):
        pass


async def find(database: Database, text: str, *, thread: str | None = None, limit: int = 100) -> list[int]:
    """Return the ids that are found, page by page."""
    await index(database)
    ids: list[int] = []
    while True:
        before = ids[-1] if ids else 0
        ask = partial(search.find, text=text, thread=thread, before=before, limit=limit)
        found = await database.read(ask)
        ids += [one.comment.id for one in found]
        if len(found) < limit:
            return ids


async def test_words_of_any_script_and_length_are_found(database: Database, ana: Account) -> None:
    chinese = await post(database, ana, "我会说**中文**。")
    cafe = await post(database, ana, "Ein Café in der Straße")
    short = await post(database, ana, "C is a language, Go as well")
    hindi = await post(database, ana, "राम और कमला")
    await post(database, ana, "रमा और कमल")
    for text, wanted in (
        ("中文", chinese), ("说", chinese), ("cafe", cafe), ("strasse", cafe), ("STRASSE cafe", cafe), ("c", short),
        ("go", short), ("राम", hindi), ("कमला", hindi),
    ):  # fmt: skip
        assert await find(database, text) == [wanted], text
    assert await find(database, "中 cafe") == []


async def test_what_is_found_comes_by_time_whatever_the_size_of_a_page(database: Database, ana: Account) -> None:
    first = await post(database, ana, "a kingfisher")
    await load(database, "old kingfisher", "older than most kingfishers")
    await load(database, *["a kingfisher of the same moment"] * 3, created=7_000)
    elsewhere = await post(database, ana, "kingfisher", key="elsewhere")
    by_time = await find(database, "kingfisher")
    assert by_time == [elsewhere, first, first + 5, first + 4, first + 3, first + 2, first + 1]
    for limit in (1, 2, 3):
        assert await find(database, "kingfisher", limit=limit) == by_time
    assert await find(database, "kingfisher", thread="elsewhere") == [elsewhere]
    assert await find(database, "kingfisher", thread="nowhere") == []


async def test_a_search_in_one_thread_reads_nothing_of_the_others(database: Database, ana: Account) -> None:
    mine = await post(database, ana, "a kingfisher", key="small")
    await load(database, *["another kingfisher"] * 2_000, created=2**41)
    await index(database)
    steps = 0

    def count_steps() -> None:
        nonlocal steps
        steps += 1

    def search_counted(sql: sqlite3.Connection) -> list[int]:
        sql.set_progress_handler(count_steps, 10)
        try:
            return [one.comment.id for one in search.find(sql, "kingfisher", thread="small", limit=5)]
        finally:
            sql.set_progress_handler(None, 0)

    assert await database.read(search_counted) == [mine]
    assert steps < 100


async def test_the_word_by_which_a_thread_is_indexed_cannot_be_searched_for(database: Database, ana: Account) -> None:
    await post(database, ana, "a kingfisher")
    await index(database)
    ((words,),) = await database.read(lambda sql: sql.execute("SELECT words FROM searched").fetchall())
    assert words.split()[1:] == ["a", "kingfisher"]
    assert await find(database, words.split()[0]) == []


async def test_words_are_found_by_their_beginning_however_many_begin_so(database: Database, ana: Account) -> None:
    few = [await post(database, ana, word) for word in ("kingfisher", "the kingfishers", "kingfish")]
    many = [await post(database, ana, f"reed{number}") for number in range(search.MOST_ENDINGS + 2)]
    await post(database, ana, "kingdom fisher ree")
    assert sorted(await find(database, "kingfish")) == few
    assert sorted(await find(database, "kingfisher")) == few[:2]
    assert sorted(await find(database, "reed")) == many
    assert await find(database, "the-kingfish") == [few[1]]
    assert await find(database, "kingfishery") == []


async def test_an_import_is_found_by_its_words_and_not_by_its_markup(database: Database) -> None:
    await load(database, "<p>Tom &amp; Jerry <strong>un</strong>happy</p><blockquote>quoted</blockquote>", html=True)
    for text in ("tom jerry", "unhappy", "quoted"):
        assert len(await find(database, text)) == 1, text
    for text in ("amp", "strong", "blockquote"):
        assert await find(database, text) == [], text


@pytest.mark.parametrize(
    "text",
    ['"word', "word OR", "NEAR(word word)", "wo*", "word*", "^word", "body:word", "words : word", "-word", "(word",
     "word\0word", "word AND NOT", "{word}", "word + word", "' OR 1", "\u202eword", "日*", "word;--", '"word" *'],
)  # fmt: skip
async def test_no_query_is_a_program(database: Database, ana: Account, text: str) -> None:
    id_ = await post(database, ana, "the word near or not 日 and 1 body words")
    assert await find(database, text) in ([id_], [])


@pytest.mark.parametrize("text", ["", "   ", "\0", "***", '"', "x" * 101, "x " * 5_000, "日" * 10_000])
async def test_a_query_without_words_or_with_too_many_is_refused(database: Database, text: str) -> None:
    with pytest.raises(Invalid) as refused:
        await find(database, text)
    assert refused.value.field == "q"


async def test_an_edit_or_a_state_is_found_as_it_is_now(database: Database, ana: Account) -> None:
    id_ = await post(database, ana, "first wording")
    assert await find(database, "wording") == [id_]
    mod = await moderator(database)
    await edit_comment(database, Limits(is_on=False), SETTINGS, ana, id_, "second expression", 1)
    assert await find(database, "wording") == []
    assert await find(database, "expression") == [id_]
    await set_state(database, mod, id_, "removed")
    # At once, before anything is indexed.
    found = await database.read(lambda sql: search.find(sql, "expression", thread=None, limit=5))
    assert found == []
    await set_state(database, mod, id_, "visible")
    assert await find(database, "expression") == [id_]


async def test_no_byte_of_an_erased_word_stays_in_the_file_whichever_way_it_was_folded(
    database: Database, ana: Account
) -> None:
    body = "Ünmißverständlich 鱸鱺鰻 Ωλοκληρία"
    id_ = await post(database, ana, body)
    kept = await post(database, ana, "unmistakable")
    assert await find(database, "unmissverstandlich 鱸鱺 ωλο") == [id_]
    await delete_comment(database, ana, id_)
    kinds = ("Ünmißverst", "unmissverst", "鱸鱺", "鱺鰻", "Ωλοκ", "ωλοκλ")
    traces = [unicodedata.normalize(form, kind).encode() for kind in kinds for form in ("NFC", "NFD")]

    async def is_gone() -> bool:
        files = [path for path in database.path.parent.glob(database.path.name + "*") if path.is_file()]
        held = b"".join(path.read_bytes() for path in files)
        return not any(trace in held for trace in traces)

    assert not await is_gone()
    await finish(database)
    assert await is_gone()
    assert await find(database, "unmistakable") == [kept]


async def test_a_write_indexes_only_so_much_and_what_came_last_first(database: Database, ana: Account) -> None:
    await load(database, *[f"number {place} " + "word " * 200 for place in range(150)])

    def work(write: Write) -> list[int]:
        """Index everything again, and return how many waited before each step."""
        write.sql.execute("DELETE FROM searched")
        write.sql.execute("INSERT OR IGNORE INTO unindexed SELECT id FROM comments")
        waiting = []
        is_more = True
        while is_more:
            waiting += [count for (count,) in write.sql.execute("SELECT count(*) FROM unindexed")]
            is_more = search.index_some(write)
            assert search.find(write.sql, "149", thread=None, limit=5) != []
        return waiting

    waiting = await database.write(work)
    assert waiting[0] == 150
    steps = [one - other for one, other in itertools.pairwise(waiting)]
    assert len(steps) > 1
    assert all(search.CHARACTERS_AT_ONCE / 1_100 <= step <= search.CHARACTERS_AT_ONCE / 1_000 + 1 for step in steps)


async def test_who_owns_the_database_alone_indexes_more_in_one_write(database: Database, ana: Account) -> None:
    await load(database, *[f"number {place} " + "word " * 200 for place in range(150)])

    def waiting_after(write: Write, times: int) -> int:
        write.sql.execute("DELETE FROM searched")
        write.sql.execute("INSERT OR IGNORE INTO unindexed SELECT id FROM comments")
        search.index_some(write, times)
        return int(write.sql.execute("SELECT count(*) FROM unindexed").fetchone()[0])

    assert await database.write(lambda write: waiting_after(write, 1)) > 0
    assert await database.write(lambda write: waiting_after(write, 10)) == 0


async def test_what_is_indexed_at_once_is_one_piece_of_the_index(database: Database, ana: Account) -> None:
    await load(database, *[f"number {place}" for place in range(40)])

    def index_again(write: Write) -> None:
        write.sql.execute("INSERT INTO search (search) VALUES ('delete-all')")
        write.sql.execute("DELETE FROM searched")
        write.sql.execute("INSERT OR IGNORE INTO unindexed SELECT id FROM comments")
        assert not search.index_some(write)

    await database.write(index_again)
    assert await database.read(lambda sql: sql.execute("SELECT count(DISTINCT segid) FROM search_idx").fetchone()) == (
        1,
    )


async def test_comments_of_before_are_found_again_by_their_words(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    with sqlite3.connect(path) as old:
        old.executescript((Path(__file__).parent / "upgrades" / "010.sql").read_text(encoding="utf-8"))
        old.execute("UPDATE comments SET body = '*Café* &amp;', html = '<p><em>Café</em> &amp;</p>' WHERE id = 4")
        old.execute("INSERT OR IGNORE INTO unindexed SELECT id FROM comments WHERE state = 'visible'")
    old.close()
    async with Database.opened(path) as database:

        async def is_found() -> bool:
            found = await database.read(lambda sql: search.find(sql, "cafe", thread=None, limit=5))
            return [one.comment.id for one in found] == [4]

        await finish(database)
        assert await is_found()
        assert await find(database, "amp") == []
        check = await database.read(lambda sql: sql.execute("PRAGMA integrity_check").fetchone())
        assert check == ("ok",)


async def test_a_word_of_the_latest_comments_is_found_without_the_index(database: Database) -> None:
    await load(database, *(f"Words and quarrels {number}." for number in range(60)), "Nothing.", created=1)
    await index(database)
    asked: list[str] = []

    def find(sql: sqlite3.Connection, text: str, limit: int, before: int = 0) -> list[int]:
        asked.clear()
        sql.set_trace_callback(asked.append)
        found = search.find(sql, text, thread=None, limit=limit, before=before)
        sql.set_trace_callback(None)
        return [one.comment.id for one in found]

    for text in ("quarrel", "words and"):
        first = await database.read(partial(find, text=text, limit=20))
        assert not any("MATCH" in one for one in asked)
        further = await database.read(partial(find, text=text, limit=40, before=first[-1]))
        assert not any("MATCH" in one for one in asked)
        assert first + further == await database.read(partial(find, text=text, limit=61))
        assert any("MATCH" in one for one in asked)
        assert len(first + further) == 60
