"""A host burns: app and Litestream are killed at one moment, the folder is lost, and another host takes over."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import shutil
import sqlite3
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from tests.processes import Server, eventually, valkey
from tests.torture.clients import Follower, Posters, following, read_all, tokens, until_equal
from tests.torture.findings import Finding, Plan, nothing
from tests.torture.replication import Address, Litestream, program

KEY = "failover"
POSTS_A_SECOND = 30
MAX_LOST_SECONDS = 2.0
MAX_SILENT_SECONDS = 1.0
WHOLE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Site:
    """Where readers come in: pages by the address, changes by the gateway."""

    origin: str
    live_url: str


@dataclass
class Posting:
    """Comments at a steady rate, each with the time of its acknowledgement."""

    posters: Posters
    acknowledged: dict[str, float] = field(default_factory=dict)
    is_paused: bool = False
    count: int = 0

    async def go_on(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            while True:
                if not self.is_paused:
                    tasks.create_task(self._post())
                await asyncio.sleep(1 / POSTS_A_SECOND)

    async def _post(self) -> None:
        body, _ = await self.posters.post()
        self.acknowledged[body] = time.monotonic()
        self.count += 1

    async def delete_one(self) -> None:
        """Have an author delete a comment: what is erased must leave the log, which Litestream reads."""
        body = random.choice(list(self.acknowledged))
        token = self.posters.tokens[int(body.split()[1]) % len(self.posters.tokens)]
        id_ = self.posters.acknowledged[body]
        # Its text will be gone, and that is no loss.
        del self.acknowledged[body]
        answer = await self.posters.client.delete(f"/api/comments/{id_}", headers={"authorization": f"Bearer {token}"})
        assert answer.status_code in (200, 204, 404, 409), answer.text


@dataclass(frozen=True, slots=True)
class Loss:
    """What one host's end cost."""

    comments: int
    seconds: float
    restored_seconds: float
    answered_seconds: float
    whole_seconds: float
    differing: int
    is_sound: bool
    has_new_epoch: bool
    is_by_hand: bool


async def failover(plan: Plan) -> list[Finding]:
    program()
    count = plan.either(2, 20)
    address, losses, silent = Address(), [], 0.0
    with valkey(plan.folder) as store:
        async with address.served():
            settings = {"LIVETHREAD_REDIS_URL": store.url, "LIVETHREAD_ORIGIN": address.origin}
            host = Host(plan.folder, 0, settings)
            await asyncio.to_thread(host.start)
            address.leads_to = host.app.port
            try:
                with Server(plan.folder, "gateway", **settings) as gateway:
                    site = Site(address.origin, gateway.live_url)
                    process = gateway.process
                    posting = Posting(Posters(address.origin, KEY, await asyncio.to_thread(tokens, host.app, 10)))
                    async with following([site], KEY, plan.either(12, 20)) as followers:
                        going_on = asyncio.create_task(posting.go_on())
                        for number in range(1, count + 1):
                            plan.progress(number - 1, count)
                            gap = await posting_for(random.uniform(4, plan.either(6, 12)), posting)
                            silent = max(silent, gap)
                            host, loss = await lose(host, number, address, posting, followers, site)
                            losses.append(loss)
                            tell(number, loss)
                        going_on.cancel()
                        await asyncio.wait([going_on])
                        differing, _ = await until_equal(followers, site, KEY, WHOLE_SECONDS)
                        snapshot = await read_all(posting.posters.client, KEY)
                        connections = sum(follower.connections for follower in followers)
                    is_same = process is not None and gateway.process is process and process.poll() is None
            finally:
                host.burn()
    bodies = [one["html"] for one in snapshot["comments"].values() if one["html"]]
    return [
        *found(plan, losses),
        Finding("acknowledged comments in all", f"{posting.count:,}", posting.count > count),
        nothing("comments doubled", len(bodies) - len(set(bodies))),
        nothing("readers that differ from a fresh page at the end", differing),
        nothing("sockets of readers that a lost host closed", connections - len(followers)),
        Finding("the gateway was not restarted", "yes" if is_same else "no", is_same),
        plan.in_time("longest time without an acknowledged comment while a host was up", silent, MAX_SILENT_SECONDS),
    ]


async def posting_for(seconds: float, posting: Posting) -> float:
    """Return the longest time without an acknowledgement."""
    began = time.monotonic()
    await asyncio.sleep(seconds / 2)
    await posting.delete_one()
    await asyncio.sleep(seconds / 2)
    heard = sorted([began, *(at for at in posting.acknowledged.values() if at > began), time.monotonic()])
    return max(later - at for at, later in itertools.pairwise(heard))


class Host:
    """A machine with the app and Litestream on it, and a folder of its own."""

    def __init__(self, folder: Path, number: int, settings: dict[str, str]) -> None:
        self.outside = folder
        self.settings = settings
        self.folder = folder / f"host-{number}"
        self.folder.mkdir()
        database = self.folder / "test.db"
        self.app = Server(self.folder, **settings)
        # What is told of it must outlive it.
        self.app.log = folder / f"app-{number}.log"
        self.litestream = Litestream(database, folder / "replica", folder / f"litestream-{number}.log")

    def start(self) -> None:
        self.app.start()
        self.litestream.start()

    def burn(self) -> None:
        """End everything on it at once. Litestream goes first: not a moment more for it than for the app."""
        self.litestream.kill()
        if self.app.process is not None:
            self.app.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


async def lose(
    host: Host, number: int, address: Address, posting: Posting, followers: list[Follower], site: Site
) -> tuple[Host, Loss]:
    """Burn the host and start another from the replica; every second one without the operator's `restore`."""
    epoch = await _epoch(posting.posters.client)
    lost_at = time.monotonic()
    host.burn()
    other, is_by_hand = Host(host.outside, number, host.settings), number % 2 == 1
    await asyncio.to_thread(other.litestream.restore)
    restored = time.monotonic() - lost_at
    is_sound, there = await asyncio.to_thread(_look, other.folder / "test.db")
    if is_by_hand:
        await asyncio.to_thread(other.app.run, "restore", str(other.folder / "test.db"))
    # With what the host had answered and was still on the way; from now on another one answers.
    acknowledged = dict(posting.acknowledged)
    await asyncio.to_thread(other.start)
    address.leads_to = other.app.port
    known = posting.count
    await eventually(lambda: posting.count > known)
    answered = time.monotonic() - lost_at
    renewed = await _epoch(posting.posters.client)
    with contextlib.suppress(TimeoutError):
        await eventually(lambda: all(one.is_live and one.epoch == renewed for one in followers), WHOLE_SECONDS)
    whole = time.monotonic() - lost_at
    posting.is_paused = True
    differing, _ = await until_equal(followers, site, KEY, WHOLE_SECONDS)
    posting.is_paused = False
    lost = {body: at for body, at in acknowledged.items() if body not in there}
    for body in lost:
        # Its id is another comment's by now.
        del posting.acknowledged[body]
    return other, Loss(
        comments=len(lost),
        seconds=max(0.0, lost_at - min(lost.values(), default=lost_at)),
        restored_seconds=restored,
        answered_seconds=answered,
        whole_seconds=whole,
        differing=differing,
        is_sound=is_sound,
        has_new_epoch=renewed != epoch,
        is_by_hand=is_by_hand,
    )


async def _epoch(client: httpx2.AsyncClient) -> str:
    return str((await client.get(f"/api/threads/{KEY}?limit=1")).json()["epoch"])


def _look(database: Path) -> tuple[bool, set[str]]:
    """Return whether it is sound, and the texts that it was ever given."""
    with contextlib.closing(sqlite3.connect(database)) as sql:
        is_sound = sql.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return is_sound, {body for (body,) in sql.execute("SELECT body FROM comments")}


def tell(number: int, loss: Loss) -> None:
    print(
        f"    host {number:2}: {loss.comments:3} comments of {loss.seconds:4.2f} s lost; restored after "
        f"{loss.restored_seconds:5.2f} s, posts answered after {loss.answered_seconds:5.2f}, readers whole after "
        f"{loss.whole_seconds:5.2f}{'' if loss.is_by_hand else '; `restore` was forgotten'}",
        flush=True,
    )


def found(plan: Plan, losses: list[Loss]) -> list[Finding]:
    comments = [loss.comments for loss in losses]
    answered = [loss.answered_seconds for loss in losses]
    return [
        Finding("hosts lost", f"{len(losses)}", True),
        nothing("restored databases that fail their integrity check", sum(not loss.is_sound for loss in losses)),
        nothing("restored databases that kept their epoch", sum(not loss.has_new_epoch for loss in losses)),
        plan.in_time(
            "comments lost with a host, at most those of", max(one.seconds for one in losses), MAX_LOST_SECONDS
        ),
        Finding(
            "comments lost with a host, median and most", f"{statistics.median(comments):g}, {max(comments)}", True
        ),
        Finding(
            "posts answered again after, median and most",
            f"{statistics.median(answered):.2f} s, {max(answered):.2f} s",
            True,
        ),
        Finding("every reader whole again after, at most", f"{max(one.whole_seconds for one in losses):.2f} s", True),
        nothing("readers that differ from a fresh page after a loss", sum(loss.differing for loss in losses)),
    ]
