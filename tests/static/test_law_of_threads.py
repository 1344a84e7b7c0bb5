"""The law, of everything that can happen to comments, accounts and threads, over three threads and three stores."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from channels.messages import Change
from server.actions import moderate, operator_accounts, passwords, sign_in
from server.actions.close_account import close_account
from server.actions.delete import delete_comment
from server.actions.describe_thread import set_description
from server.actions.edit import edit_comment
from server.actions.post import Post, post_comment
from server.errors import DomainError, Unavailable
from server.model import ROLES, Account, State
from server.rate_limits import Limits
from server.storage.comments import comments, votes
from server.storage.engine.database import Database
from tests.moderator import moderator
from tests.static.histories import (
    LIMITS,
    SETTINGS,
    History,
    assert_equal_to_fresh,
    catch_up,
    deliver_badly,
    node,
    vote,
)

HOLDING = replace(SETTINGS, hold="all")
PASSWORD = "a long password"
THREADS = 3
SEEDS = range(8)


class World:
    """Some people who talk in several threads, while things happen to their comments and to them."""

    def __init__(self, database: Database, seed: int) -> None:
        self.database = database
        self.chance = random.Random(seed)
        self.people: list[Account] = []
        self.histories = [History(database, self.chance, self.people, f"thread-{number}") for number in range(THREADS)]
        self.ids: list[tuple[int, Account]] = []
        self._numbers = iter(range(10**6))
        self._hash = ""
        database.on_commit = self._tell

    def _tell(self, change: Change) -> None:
        next(one for one in self.histories if one.key == change.thread).told.append(change)

    async def enter(self) -> None:
        """Somebody more takes part."""
        self._hash = self._hash or await passwords.hashed(PASSWORD)
        name = f"teller number {next(self._numbers)}"
        person = await sign_in.create_account(self.database, name, self._hash, "reader")
        assert person is not None
        self.people.append(person)

    async def happen(self) -> None:
        """One thing, of any kind; what is not allowed just now does not happen."""
        often = (
            [self.post] * 6
            + [self.moderate] * 4
            + [self.edit] * 2
            + [self.vote] * 3
            + [self.delete, self.approve, self.load]
        )
        step = self.chance.choice(often if self.chance.random() < 0.93 else self.rare)
        try:
            await step()
        except Unavailable:
            raise
        except DomainError:
            pass

    @property
    def rare(self) -> list[Callable[[], Awaitable[None]]]:
        return [self.rename, self.close, self.promote, self.describe]

    async def post(self) -> None:
        history, author = self.chance.choice(self.histories), self.chance.choice(self.people)
        number = next(self._numbers)
        parent = self.chance.choice(history.ids)[0] if history.ids and self.chance.random() < 0.7 else None
        body = f"words of {number}"
        if self.ids and self.chance.random() < 0.4:
            quoted, _ = self.chance.choice(self.ids)
            key = next(one.key for one in self.histories if any(quoted == id_ for id_, _ in one.ids))
            body = f"> words of somebody\n>\n> — [Somebody](/t/{key}/c/{quoted})\n\n{body}"
        settings = HOLDING if self.chance.random() < 0.3 else SETTINGS
        wanted = Post(history.key, body, f"nonce-{number:016d}", parent, "")
        comment, _ = await post_comment(self.database, LIMITS, settings, await self._present(author), wanted)
        history.ids.append((comment.id, author))
        self.ids.append((comment.id, author))

    async def load(self) -> None:
        """Old comments come into a thread that lives."""
        history = self.chance.choice(self.histories)
        await history.load()
        self.ids += [one for one in history.ids if one not in self.ids]

    def _some(self) -> tuple[int, Account]:
        return self.chance.choice(self.ids or [(0, self.people[0])])

    async def edit(self) -> None:
        id_, author = self._some()
        stored = await self.database.read(lambda sql: comments.by_id(sql, id_))
        revision = stored.revision if stored else 1
        await edit_comment(
            self.database,
            Limits(is_on=False),
            SETTINGS,
            await self._present(author),
            id_,
            f"edit {next(self._numbers)}",
            revision,
        )

    async def delete(self) -> None:
        id_, author = self._some()
        await delete_comment(self.database, await self._present(author), id_)

    async def vote(self) -> None:
        id_, author = self._some()
        voter = self.chance.choice([one for one in self.people if one.id != author.id])
        if id_:
            value = self.chance.choice((-1, 0, 1))
            thread = await self.database.write(lambda write: vote(write, id_, voter.id, value))
            if self.chance.random() < 0.4:
                await self.database.write(lambda write: votes.fold(write, thread))

    async def moderate(self) -> None:
        """Remove, hold, or let be seen."""
        state: State = self.chance.choice(("visible", "visible", "removed", "pending"))
        await moderate.set_state(self.database, await moderator(self.database), self._some()[0], state)

    async def approve(self) -> None:
        """Decide about one that was never shown: it is approved, refused, or taken back by its author."""
        chief = await moderator(self.database)
        waiting = await self.database.read(lambda sql: comments.pending(sql, chief, 100))
        if waiting:
            id_ = self.chance.choice(waiting).comment.id
            author = next((author for one, author in self.ids if one == id_), None)
            if author is not None and self.chance.random() < 0.3:
                await delete_comment(self.database, await self._present(author), id_)
            else:
                await moderate.set_state(self.database, chief, id_, self.chance.choice(("visible", "removed")))

    async def _present(self, person: Account) -> Account:
        name, role = await self.database.read(
            lambda sql: sql.execute("SELECT name, role FROM accounts WHERE id = ?", (person.id,)).fetchone()
        )
        return Account(person.id, name, role)

    async def rename(self) -> None:
        name = (await self._present(self.chance.choice(self.people))).name
        await operator_accounts.rename(self.database, name, f"teller again {next(self._numbers)}")

    async def promote(self) -> None:
        """Badges change, by a role or by the thread's author."""
        name = (await self._present(self.chance.choice(self.people))).name
        await operator_accounts.set_role(self.database, name, self.chance.choice(ROLES))

    async def describe(self) -> None:
        name = (await self._present(self.chance.choice(self.people))).name
        key = self.chance.choice(self.histories).key
        await set_description(self.database, key, title=f"title {next(self._numbers)}", author=name)

    async def close(self) -> None:
        if len(self.people) < 4:
            await self.enter()
            await self.enter()
        person = self.people.pop(self.chance.randrange(len(self.people)))
        # The last with powers would not be let go.
        if (present := await self._present(person)).role == "staff":
            present = await operator_accounts.set_role(self.database, present.name, "reader")
        kept: Any = self.chance.choice(("keep", "erase"))
        await close_account(self.database, SETTINGS, present, PASSWORD, kept)


@pytest.mark.parametrize("seed", SEEDS)
async def test_three_stores_end_equal_to_fresh_snapshots_whatever_happens_meanwhile(
    database: Database, seed: int
) -> None:
    world = World(database, seed)
    for _ in range(5):
        await world.enter()
    async with contextlib.AsyncExitStack() as stack:
        stores = await stack.enter_async_context(node())
        for _ in range(30):
            await world.happen()
        for history in world.histories:
            await stores.ask("open", name=history.key, snapshot=await history.page(limit=1000))
            history.told.clear()
        for step in world.chance.sample(world.rare, len(world.rare)):
            await step()
        for round_ in range(14):
            # At once, so that what takes several writes is met by others in between.
            await asyncio.gather(*(world.happen() for _ in range(world.chance.randrange(1, 12))))
            for history in world.histories:
                await deliver_badly(history, stores, world.chance, history.key)
            if round_ % 5 == 4:
                for history in world.histories:
                    await catch_up(history, stores, history.key)
                    await assert_equal_to_fresh(history, stores, history.key)
        for history in world.histories:
            await catch_up(history, stores, history.key)
            await assert_equal_to_fresh(history, stores, history.key)
    await assert_counts_are_exact(database)


async def assert_counts_are_exact(database: Database) -> None:
    """What is counted where it changes is what a count of everything finds."""
    wrong = await database.read(
        lambda sql: sql.execute(
            "SELECT t.key FROM threads t WHERE t.comments <>"
            " (SELECT count(*) FROM comments c WHERE c.thread = t.id AND c.state = 'visible')"
            " UNION ALL SELECT c.id FROM comments c WHERE c.replies <>"
            " (SELECT count(*) FROM comments r WHERE r.parent = c.id AND r.state = 'visible')"
        ).fetchall()
    )
    assert wrong == []
