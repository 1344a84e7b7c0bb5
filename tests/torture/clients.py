"""Posters and followers as strangers would write them from docs/protocol.md: they share no code with the server."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import ssl
import time
from collections import Counter, deque
from collections.abc import Sequence
from typing import Any, Protocol

import httpx2
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from tests.processes import Server

SHOWN = ("parent", "state", "author", "html", "revision", "score", "replies")
LONGEST_PAUSE_SECONDS = 3.0


class Served(Protocol):
    """Where readers come in: a server, or a proxy before several."""

    @property
    def origin(self) -> str: ...

    @property
    def live_url(self) -> str: ...


async def read_all(client: httpx2.AsyncClient, key: str) -> dict[str, Any]:
    """Every page of the thread: {epoch, version (of the first page), count, comments by id}."""
    first: dict[str, Any] = {}
    comments: dict[int, dict[str, Any]] = {}
    cursor: str | None = ""
    while cursor is not None:
        answer = await client.get(f"/api/threads/{key}", params={"cursor": cursor, "limit": "200"})
        answer.raise_for_status()
        page = answer.json()
        first = first or page
        for comment in page["comments"]:
            comments[comment["id"]] = comment
        cursor = page["next"]
    return {
        "epoch": first["epoch"],
        "version": first["version"],
        "count": first["info"]["comments"],
        "comments": comments,
    }


def api(origin: str, *, is_http2: bool = False) -> httpx2.AsyncClient:
    """A client that trusts what the environment's SSL_CERT_FILE holds."""
    # Shorter than what any server keeps an idle connection for (Apache: 5 s), so that none closes one as it is used.
    limits = httpx2.Limits(max_connections=200, max_keepalive_connections=200, keepalive_expiry=3)
    trusted = ssl.create_default_context() if origin.startswith("https:") else True
    return httpx2.AsyncClient(
        base_url=origin, timeout=20, trust_env=False, limits=limits, verify=trusted, http1=not is_http2, http2=is_http2
    )


class Posters:
    """Several accounts that post until each post is acknowledged, the same nonce again and again."""

    def __init__(self, origin: str, key: str, tokens: list[str], *, is_http2: bool = False) -> None:
        self.client = api(origin, is_http2=is_http2)
        self.key = key
        self.tokens = tokens
        self.acknowledged: dict[str, int] = {}
        self.sent_again = 0
        self.refused = 0
        self.slowest_seconds = 0.0
        self._number = 0
        # Whom replies answer: the latest, so that no branch grows without end.
        self._roots: deque[int] = deque(maxlen=5)
        self._nonces = f"{random.randrange(10**10):010d}"

    async def post(self, *, parent: int | None = None, padding: str = "") -> tuple[str, int]:
        """Post one more; return its body and id."""
        self._number += 1
        number = self._number
        body = f"post {number}{padding}"
        token = self.tokens[number % len(self.tokens)]
        message = {"body": body, "parent": parent, "nonce": f"{self._nonces}-{number:012d}"}
        began = time.monotonic()
        while True:
            try:
                answer = await self.client.post(
                    f"/api/threads/{self.key}/comments", json=message, headers={"authorization": f"Bearer {token}"}
                )
            except httpx2.TransportError:
                self.sent_again += 1
                await asyncio.sleep(random.uniform(0.02, 0.1))
                continue
            if answer.status_code == 503:
                self.refused += 1
                self.sent_again += 1
                await asyncio.sleep(random.uniform(0.02, 0.1))
                continue
            assert answer.status_code in (200, 201), answer.text
            self.slowest_seconds = max(self.slowest_seconds, time.monotonic() - began)
            self.acknowledged[body] = int(answer.json()["comment"]["id"])
            if parent is None:
                self._roots.append(self.acknowledged[body])
            return body, self.acknowledged[body]

    async def post_many(self, count: int, at_once: int = 20) -> None:
        left = iter(range(count))

        async def work() -> None:
            for _ in left:
                await self.post(parent=random.choice([None, *self._roots]))

        await asyncio.gather(*(work() for _ in range(at_once)))

    async def post_for(self, seconds: float, per_second: float) -> None:
        until = time.monotonic() + seconds
        async with asyncio.TaskGroup() as tasks:
            while time.monotonic() < until:
                tasks.create_task(self.post())
                await asyncio.sleep(1 / per_second)

    async def lost_and_doubled(self) -> tuple[int, int]:
        """Compare what was acknowledged with what is there."""
        there = (await read_all(self.client, self.key))["comments"]
        bodies = [comment["html"].removeprefix("<p>").removesuffix("</p>") for comment in there.values()]
        ids = {comment["id"] for comment in there.values()}
        lost = sum(body not in set(bodies) or id_ not in ids for body, id_ in self.acknowledged.items())
        return lost, len(bodies) - len(set(bodies))


class Follower:
    """One reader: a snapshot by HTTP, changes by the socket, resumed by version for ever."""

    def __init__(self, live_url: str, client: httpx2.AsyncClient, key: str) -> None:
        self.live_url = live_url
        self.client = client
        self.key = key
        self.epoch = ""
        self.version = 0
        self.count = 0
        self.comments: dict[int, dict[str, Any]] = {}
        self.heard_at: dict[int, float] = {}
        self.connections = 0
        self.frames: Counter[str] = Counter()
        self.joined_at = 0.0
        self.is_live = False
        self.socket: ClientConnection | None = None
        self._pause = 0.0
        self._attempts = 0

    async def follow(self) -> None:
        while True:
            self.is_live = False
            with contextlib.suppress(httpx2.HTTPError, OSError, WebSocketException, TimeoutError):
                if not self.epoch:
                    await self._fetch()
                # The library's own pings are off: hundreds of clients share one busy loop here.
                async with connect(self.live_url, proxy=None, ping_interval=None, open_timeout=15) as self.socket:
                    self.connections += 1
                    await self._join(self.socket)
                    while True:
                        await self._hear_or_ping(self.socket)
            self.socket = None
            # Full jitter, as the page does it.
            jitter = random.random() * min(LONGEST_PAUSE_SECONDS, 0.5 * 2 ** min(self._attempts, 5))
            await asyncio.sleep(self._pause or jitter)
            self._attempts += 1
            self._pause = 0.0

    async def _hear_or_ping(self, socket: ClientConnection) -> None:
        try:
            async with asyncio.timeout(5):
                heard = await socket.recv()
        except TimeoutError:
            await socket.send('{"type":"ping"}')
            async with asyncio.timeout(5):
                heard = await socket.recv()
        await self._hear(socket, json.loads(heard))

    async def _hear(self, socket: ClientConnection, frame: dict[str, Any]) -> None:
        kind = frame["type"]
        self.frames[kind] += 1
        if kind == "changes":
            if frame["epoch"] != self.epoch:
                await self._fetch()
                await self._join(socket)
            elif frame["after"] > self.version:
                await self._join(socket)
            else:
                self._take(frame["comments"])
                if frame["version"] >= self.version:
                    self.version, self.count = frame["version"], frame["info"]["comments"]
        elif kind == "joined":
            self.version = max(self.version, frame["version"])
            self.is_live, self._attempts, self.joined_at = True, 0, time.monotonic()
        elif kind == "reset":
            await asyncio.sleep(frame["after_ms"] / 1000)
            await self._fetch()
            await self._join(socket)
        elif kind == "retry":
            self._pause = frame["after_ms"] / 1000
        elif kind == "error":
            await asyncio.sleep(random.random())
            await self._join(socket)

    async def _join(self, socket: ClientConnection) -> None:
        self.is_live = False
        join = {"type": "join", "thread": self.key, "epoch": self.epoch, "after": self.version}
        await socket.send(json.dumps(join))

    async def _fetch(self) -> None:
        snapshot = await read_all(self.client, self.key)
        if snapshot["epoch"] != self.epoch:
            self.comments = {}
        self.epoch, self.version, self.count = snapshot["epoch"], snapshot["version"], snapshot["count"]
        self._take(list(snapshot["comments"].values()))

    def _take(self, comments: list[dict[str, Any]]) -> None:
        now = time.monotonic()
        for comment in comments:
            known = self.comments.get(comment["id"])
            self.heard_at.setdefault(comment["id"], now)
            if known is None and "state" in comment:
                self.comments[comment["id"]] = dict(comment)
            elif known is not None and comment["version"] >= known["version"]:
                known.update(comment)

    def differs_from(self, snapshot: dict[str, Any]) -> str:
        """Return the first difference to what a fresh reader sees, or ""."""
        if (self.epoch, self.count) != (snapshot["epoch"], snapshot["count"]):
            return f"count {self.count} instead of {snapshot['count']}"
        visible = {id_ for id_, comment in self.comments.items() if comment["state"] == "visible"}
        expected = {id_ for id_, comment in snapshot["comments"].items() if comment["state"] == "visible"}
        if visible != expected:
            return f"missing {sorted(expected - visible)[:5]}, too many {sorted(visible - expected)[:5]}"
        for id_, comment in snapshot["comments"].items():
            mine = self.comments.get(id_, {})
            for field in SHOWN:
                if mine.get(field) != comment[field]:
                    return f"comment {id_}: {field} {mine.get(field)!r} instead of {comment[field]!r}"
        return ""


@contextlib.asynccontextmanager
async def following(servers: Sequence[Served], key: str, count: int) -> Any:
    """`count` followers spread over the servers; the first server is the app. Returns when all are live."""
    app = servers[0]
    async with api(app.origin) as client, asyncio.TaskGroup() as tasks:
        followers = [Follower(servers[n % len(servers)].live_url, client, key) for n in range(count)]
        running = []
        for number, follower in enumerate(followers):
            running.append(tasks.create_task(follower.follow()))
            if number % 50 == 49:
                await asyncio.sleep(0.2)
        await until_live(followers, 120)
        try:
            yield followers
        finally:
            for task in running:
                task.cancel()


async def until_live(followers: list[Follower], seconds: float) -> float:
    """Return how long it took until all were live."""
    began = time.monotonic()
    while not all(follower.is_live for follower in followers):
        if time.monotonic() - began > seconds:
            break
        await asyncio.sleep(0.05)
    return time.monotonic() - began


async def until_equal(followers: list[Follower], app: Served, key: str, seconds: float = 30) -> tuple[int, float]:
    """Return how many followers still differ from a fresh reader at the end, and how long it took."""
    began = time.monotonic()
    async with api(app.origin) as client:
        while True:
            try:
                snapshot = await read_all(client, key)
                differing = [(one, why) for one in followers if (why := one.differs_from(snapshot))]
            except httpx2.HTTPError as error:
                differing = [(one, str(error)) for one in followers]
            waited = time.monotonic() - began
            if not differing or waited > seconds:
                for one, why in differing[:3]:
                    print(f"    {one.live_url} differs: {why}")
                return len(differing), waited
            await asyncio.sleep(0.1)


def tokens(app: Server, count: int) -> list[str]:
    return [app.token(f"speaker {number:03d} {random.randrange(10**6)}") for number in range(count)]
