"""Pages are put together of comments that were drawn before: only what has changed is drawn."""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence

import pytest

from channels.cache import Shared
from channels.messages import Comment
from channels.tasks import Health, Tasks
from server.actions.moderate import set_state
from server.actions.sign_in import create_account
from server.locales import texts
from server.model import Account, Head
from server.storage.engine.database import Database
from server.storage.threads import paging
from server.visibility import is_drawn, sight
from server.web.pages import editions, gzip_segments, thread_page_builder
from server.web.pages.comment_fragments import Drawing, Fragment, Personal
from server.web.pages.nesting import Place
from server.web.pages.shared_thread_page import Sheet
from server.web.pages.slots import cut
from tests.server.test_storage import post
from tests.server.test_view import TABLE, kept


@pytest.fixture
async def ana(database: Database) -> Account:
    account = await create_account(database, "Ana", None, "reader")
    assert account is not None
    return account


class Counted(Drawing):
    """Notes which comments it draws."""

    def __init__(self) -> None:
        site = {"static": "/static/x", "preloads": (), "live_url": "", "votes": "both"}
        super().__init__(editions.templates("", texts()), site)
        self.drawn: list[int] = []

    def fragments(self, drawn: Sequence[tuple[Place, Comment]], thread_key: str, *, moderates: bool) -> list[Fragment]:
        self.drawn += [comment.id for _, comment in drawn]
        return super().fragments(drawn, thread_key, moderates=moderates)


def plain(sheet: Sheet, changed: Mapping[int, bytes] | None = None) -> bytes:
    return b"".join(sheet.plain({}, changed or {}))


async def sheet_of(database: Database, shared: Shared, drawing: Drawing, *, moderates: bool = False) -> Sheet:
    return await thread_page_builder.make(
        database,
        shared,
        drawing,
        lambda sql: paging.page(sql, "t", "", 200, replies=30, read=paging.heads),
        is_flat=False,
        moderates=moderates,
        tag=lambda page: str(page.thread.version),
        shell=lambda found: f"<ol>{cut('comments')}</ol>",
        within=lambda found: {},
        after=lambda found: {},
    )


async def test_after_one_comment_more_one_comment_is_drawn(database: Database, ana: Account) -> None:
    drawing = Counted()
    for number in range(40):
        await post(database, ana, body=f"Comment {number}")
    async with Tasks(Health()) as tasks:
        shared = Shared(tasks)
        whole = await sheet_of(database, shared, drawing)
        assert len(drawing.drawn) == 40
        drawing.drawn.clear()
        fresh = await post(database, ana, body="One more")
        more = await sheet_of(database, shared, drawing)
        assert drawing.drawn == [fresh.id]
        assert len(plain(more)) > len(plain(whole))


async def test_runs_that_stayed_the_same_are_compressed_once(database: Database, ana: Account) -> None:
    drawing = Counted()
    for number in range(120):
        await post(database, ana, body=f"Comment {number} " + "of some length " * 50)
    async with Tasks(Health()) as tasks:
        shared = Shared(tasks)
        before = await sheet_of(database, shared, drawing)
        await thread_page_builder.pack(shared, before)
        await post(database, ana, body="One more")
        after = await sheet_of(database, shared, drawing)
        packed = [run.packed for run in after.runs]
        assert packed.count(None) == 1
        assert packed[:-1] == [run.packed for run in before.runs][: len(packed) - 1]
        await thread_page_builder.pack(shared, after)
        assert gzip.decompress(after.packed({}, {})) == plain(after)
        # What the other page has in common with it is not copied, and is held once.
        assert [run.plain for run in after.runs][:-1] == [run.plain for run in before.runs][: len(packed) - 1]
        assert {id(run.plain) for run in after.runs} <= {id(piece) for piece in after.plain({}, {})}


async def test_what_is_an_accounts_own_is_put_in_and_not_kept(database: Database, ana: Account) -> None:
    ids = [(await post(database, ana, body=f"Comment {number}")).id for number in range(3)]
    async with Tasks(Health()) as tasks:
        shared, drawing = Shared(tasks), Counted()
        sheet = await sheet_of(database, shared, drawing)
        everybodys = plain(sheet)
        own = sheet.changed(drawing, {ids[1]: Personal(vote=-1, score=41, is_own=True, is_fresh=True)})
        text = plain(sheet, own).decode()
        own_item = text.partition(f'<li id="c-{ids[1]}"')[2].partition("<li ")[0]
        assert own_item.count(" disabled") == text.count(" disabled") > 0
        assert text.count(">41<") == text.count(" unread since-last") == text.count('aria-pressed="true"') == 1
        assert plain(sheet) == everybodys
        assert b" disabled" not in everybodys
        await thread_page_builder.pack(shared, sheet)
        assert gzip.decompress(sheet.packed({}, own)).decode() == text
        assert gzip.decompress(sheet.packed({}, {})) == everybodys


async def test_a_moderator_reaches_what_can_be_done_with_a_removed_comment(database: Database, ana: Account) -> None:
    kept, removed = [(await post(database, ana, body=f"Comment {number}")).id for number in range(2)]
    await post(database, ana, removed)
    moderator = await create_account(database, "Mo", None, "moderator")
    assert moderator is not None
    await set_state(database, moderator, removed, "removed")
    async with Tasks(Health()) as tasks:
        shared, drawing = Shared(tasks), Counted()
        for moderates, menus in ((False, [True, False]), (True, [True, True])):
            text = plain(await sheet_of(database, shared, drawing, moderates=moderates)).decode()
            assert [f'href="/c/{id_}/more"' in text for id_ in (kept, removed)] == menus


@pytest.mark.parametrize("length", [0, 1, 127, 128, 4095, 4096, 70_000, 140_000])
def test_segments_make_one_file_of_gzip(length: int) -> None:
    text = (b"<li>%d</li>" * 30_000)[:length]
    deflated, stored = gzip_segments.deflated, gzip_segments.stored
    made = gzip_segments.gzipped([(text, deflated(text)), (b"own", stored(b"own")), (text, stored(text))])
    assert gzip.decompress(made) == text + b"own" + text


def test_what_is_not_to_be_compressed_stands_in_the_answer_as_it_is() -> None:
    secret = b"a name that is seen by one"
    assert secret in gzip_segments.gzipped([(secret, gzip_segments.stored(secret))])


@pytest.mark.parametrize("case", TABLE)
def test_a_head_is_drawn_where_everybody_sees_something(case: tuple[str, int, bool]) -> None:
    state, shown, has_text = case
    whole = kept(state, shown, has_text=has_text)
    head = Head._make(getattr(whole, field, None) for field in Head._fields)
    assert is_drawn(head) == (sight(None, whole) != "nothing")


async def test_a_head_tells_what_a_whole_comment_tells(database: Database, ana: Account) -> None:
    for number in range(3):
        await post(database, ana, body=f"Comment {number}")
    whole = (await database.read(lambda sql: paging.page(sql, "t", "", 10))).comments
    heads = (await database.read(lambda sql: paging.page(sql, "t", "", 10, read=paging.heads))).comments
    for one, head in zip(whole, heads, strict=True):
        assert (head.id, head.version, head.parent, head.state, head.score) == (
            one.id, one.version, one.parent, one.state, one.score,
        )  # fmt: skip
