"""Every way in, by name: proxies, paths, HTTP/1.1 and HTTP/2, ports and Unix sockets; gateways restart and die."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import random
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx2

from tests.deploy.proxies import FILES, Certificate, Upstream, proxied
from tests.ports import free_port
from tests.processes import Server, Valkey, valkey
from tests.torture.clients import Posters, Served, following, until_equal, until_live
from tests.torture.findings import Finding, Plan

BASE = "/talk"
READERS = 12
AT_ONCE = 10
ACCOUNTS = 4
BACK_SECONDS = 60


@dataclass(frozen=True)
class Way:
    """`kind`: a proxy of deploy/, or "direct"."""

    kind: str
    base: str
    is_http2: bool
    is_unix: bool

    def __str__(self) -> str:
        path, protocol = self.base or "root", "HTTP/2" if self.is_http2 else "HTTP/1.1"
        return f"{self.kind}, {path}, {protocol}, {'Unix sockets' if self.is_unix else 'ports'}"


DIRECT = [Way("direct", base, is_http2=False, is_unix=False) for base in ("", BASE)]
ALL = [
    Way(kind, base, is_http2, is_unix)
    for base, is_unix, kind, is_http2 in itertools.product(("", BASE), (False, True), FILES, (False, True))
]
# Each proxy, each base, each protocol and each kind of socket at least once.
SOME = [
    Way("nginx", BASE, is_http2=True, is_unix=True),
    Way("caddy", BASE, is_http2=True, is_unix=True),
    Way("haproxy", "", is_http2=True, is_unix=False),
    Way("apache2", "", is_http2=False, is_unix=False),
]


async def proxies(plan: Plan) -> list[Finding]:
    ways = SOME if plan.is_quick else [*DIRECT, *ALL]
    posts = plan.either(60, 10_000 // len(ways) + 1)
    findings: list[Finding] = []
    tls = Certificate.made(plan.folder)
    with valkey(plan.folder) as store, _trusted(tls.certificate):
        # Ways that differ in their proxy alone share the processes behind it.
        for _, some in itertools.groupby(ways, lambda way: (way.base, way.is_unix, way.kind == "direct")):
            findings += await _of_one_house(plan, store, tls, list(some), posts)
            plan.progress(len(findings), len(ways))
    return findings


async def _of_one_house(plan: Plan, store: Valkey, tls: Certificate, ways: list[Way], posts: int) -> list[Finding]:
    port, first = free_port(), ways[0]
    is_direct = first.kind == "direct"
    findings: list[Finding] = []
    with ExitStack() as house:
        public = "" if is_direct else f"https://127.0.0.1:{port}{first.base}"
        servers = [house.enter_context(one) for one in _servers(plan.folder, store, first, public)]
        where: dict[int, Upstream] = {
            8000 + number: Path(server.settings["LIVETHREAD_SOCKET"]) if first.is_unix else server.port
            for number, server in enumerate(servers)
        }
        for way in ways:
            if is_direct:
                findings.append(await _tried(way, _Direct(servers[0], servers[1]), servers, posts))
                continue
            with proxied(way.kind, plan.folder, where, port, way.base, tls=tls) as proxy:
                findings.append(await _tried(way, proxy, servers, posts))
    return findings


def _servers(folder: Path, store: Valkey, way: Way, public: str) -> Iterator[Server]:
    """The app and two gateways."""
    shared = {"LIVETHREAD_REDIS_URL": store.url}
    if public or way.base:
        shared["LIVETHREAD_ORIGIN"] = public or f"http://127.0.0.1{way.base}"
    sockets = [folder / f"{name}.sock" for name in ("app", "one", "two")]
    at = [{"LIVETHREAD_SOCKET": str(one)} if way.is_unix else {} for one in sockets]
    app = Server(folder, **shared, **at[0])
    yield app
    reached = f"unix:{sockets[0]}" if way.is_unix else app.origin + way.base
    for own in at[1:]:
        yield Server(folder, "gateway", LIVETHREAD_APP_URL=reached, **shared, **own)


@dataclass
class _Direct:
    """Nothing before them: pages and posts at the app, sockets at a gateway."""

    app: Server
    gateway: Server

    @property
    def origin(self) -> str:
        return self.app.origin + _base(self.app)

    @property
    def live_url(self) -> str:
        return f"ws://127.0.0.1:{self.gateway.port}{_base(self.app)}/live"


def _base(server: Server) -> str:
    return BASE if server.settings.get("LIVETHREAD_ORIGIN", "").endswith(BASE) else ""


async def _tried(way: Way, served: Served, servers: list[Server], count: int) -> Finding:
    """Post while one gateway is killed and the other restarted; then compare each reader with a fresh page."""
    key = f"thread-{random.randrange(10**9):09d}"
    posters = Posters(served.origin, key, [], is_http2=way.is_http2)
    posters.tokens = [await _token(posters.client) for _ in range(ACCOUNTS)]
    page = await _page(posters.client, key, way)
    async with following([served], key, READERS) as followers:
        posting = asyncio.create_task(posters.post_many(count, AT_ONCE))
        _, one, two = servers
        await asyncio.to_thread(one.kill)
        await asyncio.to_thread(one.start)
        await until_live(followers, BACK_SECONDS)
        stopped = await asyncio.to_thread(two.stop)
        await asyncio.to_thread(two.start)
        await posting
        await until_live(followers, BACK_SECONDS)
        differing, _ = await until_equal(followers, served, key, BACK_SECONDS)
        lost, doubled = await posters.lost_and_doubled()
    await posters.client.aclose()
    harm = [posters.sent_again, lost, doubled, differing]
    return Finding(
        f"{way}: of {count} posts refused, lost, doubled; of {READERS} readers not whole; {page or 'page whole'}",
        ", ".join(map(str, harm)),
        not any(harm) and not page and stopped == 0,
    )


async def _token(client: httpx2.AsyncClient) -> str:
    account = {"name": f"Speaker {random.randrange(10**9)}", "password": "a long password", "token": True}
    answer = await client.post("/api/accounts", json=account)
    answer.raise_for_status()
    # A browser that registers once more leaves its first session.
    client.cookies.clear()
    return str(answer.json()["token"])


async def _page(client: httpx2.AsyncClient, key: str, way: Way) -> str:
    """Read the thread's page with all that it loads; return what is wrong with it."""
    page = await client.get(f"/t/{key}")
    parts = re.findall(r'(?:href|src)="([^"]*/static/[^"]*)"', page.text)
    origin = str(client.base_url).rstrip("/").removesuffix(way.base)
    answers = [await client.get(part if "://" in part else origin + part) for part in dict.fromkeys(parts)]
    wrong = [f"{one.url}: {one.status_code}" for one in (page, *answers) if one.status_code != 200]
    spoken = "HTTP/2" if way.is_http2 else "HTTP/1.1"
    wrong += [f"{one.url} by {one.http_version}" for one in (page, *answers) if one.http_version != spoken]
    return "; ".join(wrong) if parts else "a page without its parts"


@contextlib.contextmanager
def _trusted(certificate: Path) -> Iterator[None]:
    before = os.environ.get("SSL_CERT_FILE")
    os.environ["SSL_CERT_FILE"] = str(certificate)
    try:
        yield
    finally:
        del os.environ["SSL_CERT_FILE"]
        if before is not None:
            os.environ["SSL_CERT_FILE"] = before
