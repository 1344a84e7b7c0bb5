"""Long branches: cut where a page would be filled by one, and whole over all of their links."""

from __future__ import annotations

import asyncio
import itertools
import random
from functools import partial
from typing import Any

import pytest

from channels.messages import Change, merge
from server.actions.delete import delete_comment
from server.actions.post import Post, post_comment
from server.actions.sign_in import create_account
from server.errors import Invalid, NotFound
from server.model import Account
from server.rate_limits import Limits
from server.settings import read
from server.storage.engine.database import Database
from server.storage.threads import changes, paging, threads
from server.storage.threads.branches import SPARED, Cut, path_of
from server.storage.threads.orders import Rankings
from server.storage.threads.paging import Page

SETTINGS = read({"LIVETHREAD_SECRET": "a-secret-of-the-tests", "LIVETHREAD_LIMITS": "off"})
SORTS = ("oldest", "newest", "top")
_nonces = itertools.count()


@pytest.fixture
async def ana(database: Database) -> Account:
    account = await create_account(database, "Ana", None, "reader")
    assert account is not None
    return account


async def post(database: Database, author: Account, parent: int | None = None) -> int:
    wanted = Post("t", "a comment", f"nonce-{next(_nonces):016d}", parent, "")
    comment, _ = await post_comment(database, Limits(is_on=False), SETTINGS, author, wanted)
    return comment.id


class Reader:
    """Follows the links of pages, as somebody without JavaScript would."""

    def __init__(self, database: Database, sort: str, replies: int, limit: int = 20) -> None:
        self.database = database
        self.sort = sort
        self.replies = replies
        self.limit = limit
        self.rankings = Rankings()

    async def page(self, cursor: str = "") -> Page:
        return await self.database.read(
            lambda sql: paging.page(sql, "t", cursor, self.limit, self.sort, self.rankings, self.replies)
        )

    async def part(self, root: int, cursor: str, limit: int = 7) -> Page:
        return await self.database.read(
            lambda sql: paging.page_of_branch(sql, "t", root, cursor, limit, self.sort, self.rankings)
        )


async def a_thread_with_long_branches(database: Database, ana: Account, count: int, chance: random.Random) -> list[int]:
    ids = [await post(database, ana) for _ in range(4)]
    while len(ids) < count:
        some = [post(database, ana, chance.choice(ids)) for _ in range(20)]
        ids += [one for one in await asyncio.gather(*some, return_exceptions=True) if isinstance(one, int)]
    for gone in ids[::5]:
        await delete_comment(database, ana, gone)
    return ids


async def drawn(database: Database, sort: str = "oldest") -> list[Any]:
    return list((await database.read(lambda sql: paging.page(sql, "t", "", 10**6, sort))).comments)


async def path(database: Database, id_: int) -> tuple[int, ...]:
    found = await database.read(lambda sql: path_of(sql, threads.by_key(sql, "t"), id_))
    return tuple(one for _, one in found)


@pytest.mark.parametrize("sort", SORTS)
async def test_all_links_together_visit_every_comment_once_while_1000_arrive(
    database: Database, ana: Account, sort: str
) -> None:
    chance = random.Random(sort)
    ids = await a_thread_with_long_branches(database, ana, 600, chance)
    expected = {comment.id for comment in await drawn(database)}
    reader = Reader(database, sort, replies=10)
    visited: list[int] = []
    doors: list[tuple[int, str]] = [(0, "")]
    posted = steps = 0
    while doors:
        steps += 1
        root, cursor = doors.pop(chance.randrange(len(doors)))
        page = await (reader.part(root, cursor) if root else reader.page(cursor))
        assert page.comments[-1].state == "visible"
        visited += [comment.id for comment in page.comments]
        doors += [(one, cut.cursor) for one, cut in page.cuts.items()]
        if page.next and not root:
            doors.append((0, page.next))
        if posted < 1000:
            some = [post(database, ana, chance.choice([*ids, None])) for _ in range(50)]
            posted += sum(isinstance(one, int) for one in await asyncio.gather(*some, return_exceptions=True))
    assert posted >= 1000
    assert steps > 40
    assert len(visited) == len(set(visited))
    assert expected <= set(visited)


@pytest.mark.parametrize("sort", SORTS)
async def test_a_cut_counts_exactly_what_is_visible_behind_it(database: Database, ana: Account, sort: str) -> None:
    await a_thread_with_long_branches(database, ana, 300, random.Random(1))
    everything = [comment for comment in await drawn(database, sort) if comment.state == "visible"]
    roots = {comment.id: (await path(database, comment.id))[0] for comment in everything}
    reader = Reader(database, sort, replies=12, limit=1000)
    page = await reader.page()
    assert len(page.cuts) > 2
    assert page.remaining == 0
    for root in page.cuts:
        cut: Cut | None = page.cuts[root]
        branch = [comment.id for comment in everything if roots[comment.id] == root]
        while cut is not None:
            assert cut.count == len(branch) - branch.index(int(cut.cursor)) - 1 >= SPARED
            assert cut.below == sum(id_ != root for id_ in branch)
            part = await reader.part(root, cut.cursor)
            assert 0 < len(part.comments) <= 7 + SPARED + 32
            cut = part.cuts.get(root)
        assert part.comments[-1].id == branch[-1]


async def test_a_branch_is_not_cut_for_a_few(database: Database, ana: Account) -> None:
    root = await post(database, ana)
    for _ in range(10 + SPARED - 1):
        await post(database, ana, root)
    reader = Reader(database, "oldest", replies=10)
    assert (await reader.page()).cuts == {}
    await post(database, ana, root)
    assert (await reader.page()).cuts[root].count == SPARED


async def test_a_page_ends_with_a_branch_and_the_next_begins_with_one(database: Database, ana: Account) -> None:
    roots = [await post(database, ana) for _ in range(3)]
    for _ in range(30):
        await post(database, ana, roots[0])
    reader = Reader(database, "oldest", replies=10, limit=5)
    first = await reader.page()
    assert (len(first.comments), first.next, first.remaining) == (11, f"{roots[0]}~", 2)
    assert [comment.id for comment in (await reader.page(first.next)).comments] == roots[1:]
    part = await reader.part(roots[0], first.cuts[roots[0]].cursor, 100)
    assert (len(part.comments), part.next) == (20, first.next)
    assert [comment.id for comment in part.context] == roots[:1]


async def test_the_page_around_a_comment_holds_it_wherever_its_branch_is_cut(database: Database, ana: Account) -> None:
    ids = await a_thread_with_long_branches(database, ana, 400, random.Random(2))
    there = {comment.id for comment in await drawn(database)}
    for id_ in ids[::7]:
        found = database.read(partial(paging.page_holding, key="t", comment=id_, limit=20, replies=5))
        if id_ not in there:
            with pytest.raises(NotFound):
                await found
            continue
        page = await found
        shown = [comment.id for comment in (*page.context, *page.comments)]
        assert id_ in [comment.id for comment in page.comments]
        assert set(await path(database, id_)) <= set(shown)
        assert len(page.comments) <= 20 + 5 + SPARED + 32


async def test_what_names_no_branch_is_refused_with_its_field(database: Database, ana: Account) -> None:
    root, other = await post(database, ana), await post(database, ana)
    reply = await post(database, ana, root)
    reader = Reader(database, "oldest", replies=10)
    for branch, cursor, field in (
        (reply, "", "branch"),
        (999, "", "branch"),
        (root, str(other), "cursor"),
        (root, "x", "cursor"),
        (root, "~", "cursor"),
    ):
        with pytest.raises(Invalid) as refused:
            await reader.part(branch, cursor)
        assert refused.value.field == field
    flat = Reader(database, "flat", replies=10)
    with pytest.raises(Invalid):
        await flat.part(root, "")
    with pytest.raises(Invalid):
        await flat.page(f"{root}~")


async def test_a_change_tells_the_counts_of_the_branches_that_it_touches(database: Database, ana: Account) -> None:
    told: list[Change] = []
    database.on_commit = told.append
    root = await post(database, ana)
    reply = await post(database, ana, root)
    deep = await post(database, ana, reply)
    await post(database, ana)
    await delete_comment(database, ana, deep)
    assert [change.branches or {} for change in told] == [{}, {root: 1}, {root: 2}, {}, {root: 1}]
    assert b"branches" not in told[0].frame
    whole = told[0]
    for change in told[1:]:
        whole = merge(whole, change)
    assert whole.branches == {root: 1}
    diff = await database.read(lambda sql: changes.diff(sql, "t", 0, None))
    assert isinstance(diff, Change)
    assert diff.branches == {root: 1}
