"""Threads to which random things happen, and clients of them: the real store.js, in Node."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from channels.messages import Change, merge
from server.actions.delete import delete_comment
from server.actions.edit import edit_comment
from server.actions.moderate import set_state
from server.actions.operator_accounts import rename
from server.actions.post import Post, post_comment
from server.actions.sign_in import create_account
from server.errors import Conflict, Forbidden, Invalid
from server.importing.loading import Batch, load_batch
from server.importing.record import Record
from server.model import Account, State
from server.rate_limits import Limits
from server.settings import read
from server.storage.comments import comments, imported, votes
from server.storage.engine.database import Database
from server.storage.engine.write import Write
from server.storage.threads import changes, paging
from server.storage.threads.orders import BEYOND_ALL, Key, Rankings
from tests.moderator import moderator
from tests.programs import path_of

DRIVER = Path(__file__).with_name("law.mjs")
SETTINGS = read({"LIVETHREAD_SECRET": "a-secret-of-the-tests", "LIVETHREAD_LIMITS": "off"})
LIMITS = Limits(is_on=False)


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
    path = path_of(("node",), "no node: the client's store was not tested")
    process = await asyncio.create_subprocess_exec(
        path, str(DRIVER), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=2**24
    )
    try:
        yield Stores(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


class Clock:
    """The clock of the machine, which may jump."""

    shift_ms = 0

    def __init__(self) -> None:
        self._real = time.time_ns

    def time_ns(self) -> int:
        return self._real() + self.shift_ms * 1_000_000


class History:
    """A thread to which random things happen, and the changes that it told of."""

    def __init__(self, database: Database, chance: random.Random, accounts: list[Account], key: str) -> None:
        self.database = database
        self.chance = chance
        self.accounts = accounts
        self.key = key
        self.clock = Clock()
        self.told: list[Change] = []
        self.ids: list[tuple[int, Account]] = []
        self.rankings = Rankings()
        # The roots that the client's pages have brought: in the order top, that is theirs.
        self.brought: list[int] = []
        # What was imported: by its id there.
        self.old: list[tuple[str, Account]] = []
        self._posts = 0

    async def happen(self) -> None:
        if self.chance.random() < 0.03:
            self.clock.shift_ms = self.chance.choice((-86_400_000, -3_600_000, 0, 3_600_000, 86_400_000))
        if self.ids and self.chance.random() < 0.6:
            with contextlib.suppress(Forbidden, Conflict):
                await self.happen_to(*self.chance.choice(self.ids))
            return
        if self.chance.random() < 0.25:
            await self.load()
            return
        await self.post(self.chance.choice(self.ids)[0] if self.ids and self.chance.random() < 0.7 else None)

    async def load(self) -> None:
        """Old comments come in from elsewhere, some in an answer to what is there already, some to one another."""
        records = []
        for _ in range(self.chance.randrange(1, 4)):
            self._posts += 1
            number = f"old {self._posts}"
            parent = self.chance.choice(self.old)[0] if self.old and self.chance.random() < 0.6 else None
            self.old.append((number, self.chance.choice(self.accounts)))
            # Few times, so that some are equal; and some are of yesterday, amid what was posted since.
            created = self.chance.choice((0, 1_000, 10**12, time.time_ns() // 10**6 - self.chance.randrange(3_000)))
            removed = self.chance.random() < 0.2
            records.append(Record(line=1, id=number, parent=parent, created=created, removed=removed, body=number))
        await load_batch(self.database, Batch(thread=self.key, origin="old", records=records))
        known = await self.database.read(lambda sql: imported.ids(sql, self.key, "old"))
        there = {id_ for id_, _ in self.ids}
        self.ids += [(known[one], author) for one, author in self.old if one in known and known[one] not in there]

    async def post(self, parent: int | None) -> None:
        author = self.chance.choice(self.accounts)
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
            await edit_comment(
                self.database, Limits(is_on=False), SETTINGS, author, id_, f"edit {self._posts}", stored.revision
            )
        elif chance < 0.7:
            state: State = self.chance.choice(("visible", "visible", "removed", "pending"))
            await set_state(self.database, await moderator(self.database), id_, state)
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

    async def page(
        self, cursor: str = "", limit: int = 200, *, sort: str = "oldest", replies: int = 0, branch: int = 0
    ) -> dict[str, Any]:
        found = await self.database.read(
            lambda sql: (
                paging.page_of_branch(sql, self.key, branch, cursor, limit, sort, self.rankings)
                if branch
                else paging.page(sql, self.key, cursor, limit, sort, self.rankings, replies)
            )
        )
        page = {
            "sort": sort,
            "cuts": {str(root): cut for root, cut in found.cuts.items()},
            "epoch": found.epoch,
            "version": found.thread.version,
            "info": found.info,
            "comments": found.comments,
            "context": found.context,
            "start": ".".join(f"{placed}-{id_}" for placed, id_ in found.start),
            "next": found.next or None,
        }
        return msgspec.to_builtins(page)  # type: ignore[no-any-return]

    async def diff(self, after: int) -> Any:
        return msgspec.to_builtins(await self.database.read(lambda sql: changes.diff(sql, self.key, after, None)))

    async def fresh(self, stores: Stores, frontier: str, cuts: dict[int, int], sort: str = "oldest") -> dict[str, Any]:
        """What a page loaded now, and continued until the same frontier, would draw; each branch until its cut."""
        await stores.ask("open", name="fresh", snapshot=await self.page(limit=1000, sort=sort))
        everything: dict[str, Any] = await stores.ask("state", name="fresh")
        path, line = await self.paths(sort), await self.paths()

        def root(id_: int) -> int:
            return line(id_)[0][1]

        last = frontier.rpartition(".")[2]
        end = path(int(last.rstrip("~"))) + [BEYOND_ALL] * last.endswith("~") if last else [BEYOND_ALL]
        everything["drawn"].sort(key=lambda one: path(one["id"]))
        within = [one for one in everything["drawn"] if path(one["id"]) <= end]
        inside = [
            one for one in within if root(one["id"]) not in cuts or path(one["id"]) <= path(cuts[root(one["id"])])
        ]
        kept = {one["id"] for one in inside}
        behind = [root(one["id"]) for one in within if one["id"] not in kept and one["state"] == "visible"]
        # A tombstone is drawn for what is visible below it: on a cut page, for what of that is on the page. The link to
        # the rest stands below the root.
        ancestors = {above for one in inside if one["state"] == "visible" for _, above in line(one["id"])}
        return everything | {
            "drawn": [one for one in inside if one["id"] in ancestors or one["id"] in behind],
            "hidden": {one: behind.count(one) for one in cuts},
            "behind": sum(one["state"] == "visible" for one in everything["drawn"])
            - sum(one["state"] == "visible" for one in within),
        }

    async def paths(self, sort: str = "oldest") -> Callable[[int], list[Key]]:
        """Return what gives a comment's place in the order of reading."""
        rows = await self.database.read(lambda sql: sql.execute("SELECT id, parent, placed FROM comments").fetchall())
        parents = {id_: parent for id_, parent, _ in rows}
        keys = {id_: (placed, id_) for id_, _, placed in rows}

        def key(root: int) -> Key:
            placed, _ = keys[root]
            if sort == "top" and root in self.brought:
                return (self.brought.index(root) - 2**40, root)
            return (-placed, -root) if sort == "newest" else (placed, root)

        def path(id_: int) -> list[Key]:
            above = None if sort == "flat" else parents[id_]
            return [*path(above), keys[id_]] if above else [key(id_)]

        return path


async def assert_equal_to_fresh(history: History, stores: Stores, name: str, sort: str = "oldest") -> None:
    state = await stores.ask("state", name=name)
    cuts = {cut["root"]: int(cut["cursor"]) for cut in state["cuts"]}
    fresh = await history.fresh(stores, state["next"], cuts, sort)
    assert state["drawn"] == fresh["drawn"]
    assert {cut["root"]: cut["hidden"] for cut in state["cuts"]} == fresh["hidden"]
    assert state["behind"] == fresh["behind"]
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
    clock = Clock()
    for one in made:
        one.clock = clock
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time_ns", clock.time_ns)
        yield made


async def deliver_badly(history: History, stores: Stores, chance: random.Random, name: str = "client") -> None:
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
        if await stores.ask("apply", name=name, change=frame) == "gap":
            await catch_up(history, stores, name)


async def take_page(
    history: History,
    stores: Stores,
    page: dict[str, Any],
    cursor: str,
    *,
    root: int | None = None,
    sort: str = "oldest",
) -> None:
    """Let the client take a page that may be older than its position, and often hold it to the law."""
    kind = await stores.ask("page", name="client", page=page, cursor=cursor, root=root)
    assert kind in ("applied", "stale")
    if kind == "stale":
        assert await stores.ask("apply", name="client", change=await history.diff(page["version"])) == "applied"
    if history.chance.random() < 0.5:
        await catch_up(history, stores, "client")
        await assert_equal_to_fresh(history, stores, "client", sort)
