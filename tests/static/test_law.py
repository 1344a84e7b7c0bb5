"""The law: a snapshot at A, plus the changes after A, equals a fresh snapshot. Through the real store.js, in Node."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from channels.change import Change, merge
from server.actions.delete import delete_comment
from server.actions.edit import edit_comment
from server.actions.moderate import set_state
from server.actions.post import Post, post_comment
from server.actions.sign_in import create_account, rename
from server.errors import Conflict, Forbidden, Invalid
from server.limits import Limits
from server.model import Account, State
from server.settings import read
from server.storage import comments, snapshot, votes
from server.storage.database import Database
from server.storage.write import Write

MODERATOR = Account(10**6, "moderator", "moderator")
DRIVER = Path(__file__).with_name("law.mjs")
SETTINGS = read({"LIVETHREAD_SECRET": "a-secret-of-the-tests", "LIVETHREAD_LIMITS": "off"})
LIMITS = Limits(is_on=False)
SEEDS = range(12)


def vote(write: Write, comment: int, account: int, value: int) -> int:
    votes.put(write, comment, account, value)
    stored = comments.by_id(write.sql, comment)
    assert stored is not None
    return stored.thread


class Stores:
    """The stores of some clients, living in one Node process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def ask(self, command: str, **arguments: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        line = msgspec.json.encode({"command": command, **arguments})
        self._process.stdin.write(line + b"\n")
        return json.loads(await self._process.stdout.readline())


@asynccontextmanager
async def node() -> AsyncIterator[Stores]:
    path = shutil.which("node")
    if path is None:
        if os.environ.get("CI") == "true":
            pytest.fail("no node: the client's store was not tested", pytrace=False)
        pytest.skip("no node: the client's store was not tested")
    process = await asyncio.create_subprocess_exec(
        path, str(DRIVER), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=2**24
    )
    try:
        yield Stores(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


class History:
    """A thread to which random things happen, and the changes that it told of."""

    def __init__(self, database: Database, chance: random.Random, accounts: list[Account], key: str) -> None:
        self.database = database
        self.chance = chance
        self.accounts = accounts
        self.key = key
        self.told: list[Change] = []
        self.ids: list[tuple[int, Account]] = []
        self._posts = 0

    async def happen(self) -> None:
        if self.ids and self.chance.random() < 0.6:
            with contextlib.suppress(Forbidden, Conflict):
                await self.happen_to(*self.chance.choice(self.ids))
            return
        author = self.chance.choice(self.accounts)
        parent = self.chance.choice(self.ids)[0] if self.ids and self.chance.random() < 0.7 else None
        self._posts += 1
        body = f"number {self._posts} " + "x" * self.chance.randrange(200)
        if self.ids and self.chance.random() < 0.3:
            body = f"> quoted\n>\n> — [somebody](/t/{self.key}/c/{self.chance.choice(self.ids)[0]})\n\n{body}"
        post = Post(self.key, body, f"{self.key}-{self._posts:016d}", parent, "")
        try:
            comment, _ = await post_comment(self.database, LIMITS, SETTINGS, author, post)
            self.ids.append((comment.id, author))
        except Invalid as error:
            if error.field != "parent":
                raise

    async def happen_to(self, id_: int, author: Account) -> None:
        """Edit, delete, remove, restore, hold or vote on a comment, or rename its author."""
        self._posts += 1
        chance = self.chance.random()
        if chance < 0.2:
            await delete_comment(self.database, author, id_)
        elif chance < 0.4:
            stored = await self.database.read(lambda sql: comments.by_id(sql, id_))
            assert stored is not None
            await edit_comment(self.database, SETTINGS, author, id_, f"edit {self._posts}", stored.revision)
        elif chance < 0.7:
            state: State = self.chance.choice(("visible", "visible", "removed", "pending"))
            await set_state(self.database, MODERATOR, id_, state)
        elif chance < 0.95:
            voter = self.chance.choice([one for one in self.accounts if one != author])
            thread = await self.database.write(lambda write: vote(write, id_, voter.id, self.chance.choice((-1, 0, 1))))
            if self.chance.random() < 0.5:
                await self.database.write(lambda write: votes.fold(write, thread))
        else:
            (name,) = await self.database.read(
                lambda sql: sql.execute("SELECT name FROM accounts WHERE id = ?", (author.id,)).fetchone()
            )
            await rename(self.database, name, f"teller {author.id} of {self._posts}")

    async def page(self, cursor: str = "", limit: int = 200) -> dict[str, Any]:
        found = await self.database.read(lambda sql: snapshot.page(sql, self.key, cursor, limit))
        page = {
            "epoch": found.epoch,
            "version": found.thread.version,
            "info": found.info,
            "comments": found.comments,
            "next": found.next or None,
        }
        return msgspec.to_builtins(page)  # type: ignore[no-any-return]

    async def diff(self, after: int) -> Any:
        return msgspec.to_builtins(await self.database.read(lambda sql: snapshot.changes(sql, self.key, after, None)))

    async def fresh(self, stores: Stores, frontier: str) -> dict[str, Any]:
        """What a page loaded now, and continued until the same frontier, would draw."""
        await stores.ask("open", name="fresh", snapshot=await self.page(limit=1000))
        everything = await stores.ask("state", name="fresh")
        if not frontier:
            return dict(everything)
        paths = {one["id"]: one for one in await self._skeleton()}

        def path(id_: int) -> list[int]:
            above = paths[id_]["parent"]
            return [*(path(above) if above else []), id_]

        inside = [one for one in everything["drawn"] if path(one["id"]) <= path(int(frontier))]
        # A tombstone is drawn for what is visible below it: on a cut page, for what of that is on the page.
        ancestors = {above for one in inside if one["state"] == "visible" for above in path(one["id"])}
        return everything | {"drawn": [one for one in inside if one["id"] in ancestors]}

    async def _skeleton(self) -> list[dict[str, Any]]:
        found = await self.database.read(lambda sql: sql.execute("SELECT id, parent FROM comments").fetchall())
        return [{"id": id_, "parent": parent} for id_, parent in found]


async def assert_equal_to_fresh(history: History, stores: Stores, name: str) -> None:
    state = await stores.ask("state", name=name)
    fresh = await history.fresh(stores, state["next"])
    assert state["drawn"] == fresh["drawn"]
    assert state["count"] == fresh["count"]
    assert state["version"] == fresh["version"]


async def catch_up(history: History, stores: Stores, name: str) -> None:
    version = (await stores.ask("state", name=name))["version"]
    assert await stores.ask("apply", name=name, change=await history.diff(version)) == "applied"


@asynccontextmanager
async def histories(database: Database, seed: int, count: int) -> AsyncIterator[list[History]]:
    chance = random.Random(seed)
    accounts = [await create_account(database, f"teller {letter}", None, "reader") for letter in "abcd"]
    made = [History(database, chance, [one for one in accounts if one], f"thread-{number}") for number in range(count)]

    def tell(change: Change) -> None:
        next(one for one in made if one.key == change.thread).told.append(change)

    database.on_commit = tell
    yield made


@pytest.mark.parametrize("seed", SEEDS)
async def test_changes_lost_doubled_reordered_and_merged_end_equal_to_a_fresh_snapshot(
    database: Database, seed: int
) -> None:
    chance = random.Random(seed)
    async with histories(database, seed, 2) as (history, other), node() as stores:
        for _ in range(20):
            await history.happen()
        await stores.ask("open", name="client", snapshot=await history.page())
        history.told.clear()
        for _ in range(12):
            for _ in range(chance.randrange(1, 8)):
                await history.happen()
                await other.happen()
            await deliver_badly(history, stores, chance)
        await catch_up(history, stores, "client")
        await assert_equal_to_fresh(history, stores, "client")


async def deliver_badly(history: History, stores: Stores, chance: random.Random) -> None:
    told, history.told[:] = list(history.told), []
    if len(told) > 1 and chance.random() < 0.5:
        cut = chance.randrange(1, len(told))
        merged = told[0]
        for change in told[1 : cut + 1]:
            merged = merge(merged, change)
        told = [merged, *told[cut + 1 :]]
    told = [change for change in told for _ in range(chance.choice((0, 1, 1, 1, 2)))]
    if chance.random() < 0.4:
        chance.shuffle(told)
    for change in told:
        frame = json.loads(change.frame)
        if await stores.ask("apply", name="client", change=frame) == "gap":
            await catch_up(history, stores, "client")


@pytest.mark.parametrize("seed", SEEDS)
async def test_paging_while_comments_arrive_and_go_ends_equal_to_a_fresh_snapshot(
    database: Database, seed: int
) -> None:
    chance = random.Random(seed)
    async with histories(database, seed, 1) as (history,), node() as stores:
        for _ in range(40):
            await history.happen()
        limit = chance.choice((1, 3, 7, 15))
        await stores.ask("open", name="client", snapshot=await history.page(limit=limit))
        history.told.clear()
        for _ in range(200):
            for _ in range(chance.randrange(3) if len(history.ids) < 120 else 0):
                await history.happen()
            state = await stores.ask("state", name="client")
            if not state["next"]:
                break
            # Built before the next things happen, and taken after: the page may be older than the position.
            page = await history.page(state["next"], limit)
            if chance.random() < 0.5:
                await history.happen()
            await deliver_badly(history, stores, chance)
            kind = await stores.ask("page", name="client", page=page, cursor=state["next"])
            assert kind in ("applied", "stale")
            if kind == "stale":
                assert await stores.ask("apply", name="client", change=await history.diff(page["version"])) == "applied"
            if chance.random() < 0.3:
                await catch_up(history, stores, "client")
                await assert_equal_to_fresh(history, stores, "client")
        await catch_up(history, stores, "client")
        state = await stores.ask("state", name="client")
        assert state["next"] == ""
        assert state["behind"] == 0
        await assert_equal_to_fresh(history, stores, "client")


async def test_another_epoch_resets_and_a_reset_equals_a_fresh_snapshot(database: Database) -> None:
    async with histories(database, 1, 1) as (history,), node() as stores:
        for _ in range(30):
            await history.happen()
        await stores.ask("open", name="client", snapshot=await history.page(limit=5) | {"epoch": "of before"})
        assert await stores.ask("apply", name="client", change=await history.diff(0)) == "reset"
        await stores.ask("reset", name="client", snapshot=await history.page())
        await assert_equal_to_fresh(history, stores, "client")


async def test_the_answer_to_an_own_post_and_its_echo_are_one_comment_in_either_order(database: Database) -> None:
    async with histories(database, 2, 1) as (history,), node() as stores:
        await stores.ask("open", name="answer first", snapshot=await history.page())
        await stores.ask("open", name="echo first", snapshot=await history.page())
        await history.happen()
        echo = json.loads(history.told[0].frame)
        comment = echo["comments"][0]
        await stores.ask("answer", name="answer first", comment=comment)
        assert (await stores.ask("state", name="answer first"))["version"] == 0
        for name in ("answer first", "echo first"):
            assert await stores.ask("apply", name=name, change=echo) == "applied"
        await stores.ask("answer", name="echo first", comment=comment)
        for name in ("answer first", "echo first"):
            await assert_equal_to_fresh(history, stores, name)
