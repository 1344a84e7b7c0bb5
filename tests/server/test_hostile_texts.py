"""Texts made to be dear: full of quotes of what is hidden, edited as often as may be, or said by hundreds."""

from __future__ import annotations

import itertools
from functools import partial

import pytest

from server.actions import sign_in
from server.actions.moderate import set_state
from server.actions.post import Post, post_comment
from server.model import Account
from server.rate_limits import Limits
from server.settings import read
from server.storage import search
from server.storage.comments import comments, quotes
from server.storage.engine.database import Database
from server.text import search_words
from tests.moderator import moderator

SETTINGS = read({"LIVETHREAD_SECRET": "a-secret-of-the-tests", "LIVETHREAD_LIMITS": "off"})
_nonces = itertools.count(10**16)


@pytest.fixture
async def ana(database: Database) -> Account:
    made = await sign_in.create_account(database, "Ana", None, "reader")
    assert made is not None
    return made


async def say(database: Database, author: Account, body: str) -> int:
    post = Post("t", body, str(next(_nonces)), None, "")
    comment, _ = await post_comment(database, Limits(is_on=False), SETTINGS, author, post)
    return int(comment.id)


def quote(source: int) -> str:
    return f"> words\n>\n> — [Ana](/t/t/c/{source})\n\n"


@pytest.fixture
def cuts(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many characters were taken apart, each time."""
    taken: list[int] = []
    cut = quotes.cut

    def counted(body: str | None, html: str, places: set[int]) -> tuple[str, str]:
        if body is not None and places:
            taken.append(len(body))
        return cut(body, html, places)

    monkeypatch.setattr(quotes, "cut", counted)
    return taken


async def test_a_search_reads_a_bounded_part_of_what_quotes_the_hidden(
    database: Database, ana: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = await say(database, ana, "words")
    for number in range(40):
        await say(database, ana, quote(source) + f"flibbertigibbet {number} " + "x " * 2_000)
    plain = await say(database, ana, "flibbertigibbet alone")
    await set_state(database, await moderator(database), source, "removed")
    while await database.write(search.index_some):
        pass
    read: list[int] = []
    tokens = search_words.tokens

    def counted(text: str) -> str:
        read.append(len(text))
        return tokens(text)

    monkeypatch.setattr(search_words, "tokens", counted)
    found = await database.read(lambda sql: search.find(sql, "flibbertigibbet", thread=None, limit=20))
    assert plain in [one.comment.id for one in found]
    assert 4_000 < sum(read) <= search.MOST_CHARACTERS_READ


async def test_only_the_texts_of_one_page_of_a_history_are_taken_apart(
    database: Database, ana: Account, cuts: list[int]
) -> None:
    source = await say(database, ana, "words")
    id_ = await say(database, ana, quote(source) + "original")
    for number in range(30):
        stored = await database.read(lambda sql: comments.by_id(sql, id_))
        assert stored is not None
        html = f'<blockquote>\n<p>words</p>\n<p>— <a href="/t/t/c/{source}">Ana</a></p>\n</blockquote>\n<p>{number}</p>'
        body = quote(source) + str(number)
        await database.write(partial(comments.edit, comment=stored, body=body, html=html))
    await set_state(database, await moderator(database), source, "removed")
    cuts.clear()
    last = await database.read(lambda sql: comments.revisions(sql, id_, limit=11))
    assert [text.revision for text in last] == list(range(21, 32))
    assert len(cuts) == 11
    before = await database.read(lambda sql: comments.revisions(sql, id_, before=22, limit=11))
    assert [text.revision for text in before] == list(range(11, 22))
    assert not [text for text in (*last, *before) if "words" in text.body]
