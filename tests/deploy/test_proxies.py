"""Behind each proxy as deploy/ configures it: readers, posts, and a rolling restart of the gateways."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from pathlib import Path

import httpx2
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from server.pictures import MAX_BYTES
from tests.deploy.proxies import FILES, proxied
from tests.processes import Server, valkey
from tests.torture.clients import Posters, following, tokens, until_equal, until_live

READERS = 40
HANDSHAKES = 100
IDLE = 20
WAVES = 4


@pytest.mark.parametrize("kind", FILES)
async def test_a_rolling_restart_loses_no_comment_and_locks_nobody_out(kind: str, tmp_path: Path) -> None:
    with valkey(tmp_path) as store:
        settings = {"LIVETHREAD_REDIS_URL": store.url}
        with Server(tmp_path, **settings) as app:
            gateway = {"LIVETHREAD_APP_URL": app.origin, **settings}
            with (
                Server(tmp_path, "gateway", **gateway) as one,
                Server(tmp_path, "gateway", **gateway) as two,
                proxied(kind, tmp_path, {8000: app.port, 8001: one.port, 8002: two.port}) as proxy,
            ):
                posters = Posters(proxy.origin, "rolling", await asyncio.to_thread(tokens, app, 3))
                await posters.post()
                async with following([proxy], "rolling", READERS) as followers:
                    posting = asyncio.create_task(posters.post_for(600, 5))
                    refused = 0
                    for server in (one, two):
                        assert await asyncio.to_thread(server.stop) == 0
                        began = time.monotonic()
                        await asyncio.to_thread(server.start)
                        await asyncio.to_thread(_until_ready, server)
                        refused += await _refused_handshakes(proxy.live_url)
                        assert await until_live(followers, 60) < 60
                        assert time.monotonic() > began
                    posting.cancel()
                    await asyncio.wait([posting])
                    differing, _ = await until_equal(followers, app, "rolling", 30)
                    assert await posters.lost_and_doubled() == (0, 0)
                await posters.client.aclose()
    assert (refused, differing) == (0, 0)
    assert posters.sent_again == 0


@pytest.mark.parametrize("kind", FILES)
async def test_a_crowd_of_readers_closes_no_visitors_idle_connection(kind: str, tmp_path: Path) -> None:
    with (
        Server(tmp_path) as app,
        proxied(kind, tmp_path, {8000: app.port, 8001: app.port, 8002: app.port}) as proxy,
        contextlib.ExitStack() as visitors,
    ):
        address = ("127.0.0.1", proxy.port)
        idle = [visitors.enter_context(socket.create_connection(address, timeout=10)) for _ in range(IDLE)]
        for _ in range(WAVES):
            for visitor in idle:
                visitor.sendall(b"GET /health HTTP/1.1\r\nHost: comments.example\r\n\r\n")
                assert await asyncio.to_thread(visitor.recv, 65536)
            assert await _refused_handshakes(proxy.live_url) == 0


@pytest.mark.parametrize("kind", FILES)
def test_what_is_not_for_visitors_is_not_found(kind: str, tmp_path: Path) -> None:
    with (
        Server(tmp_path) as app,
        proxied(kind, tmp_path, {8000: app.port, 8001: app.port, 8002: app.port}) as proxy,
        httpx2.Client(base_url=proxy.origin, trust_env=False) as visitor,
    ):
        assert visitor.get("/t/some-thread").status_code == 200
        for path in ("/metrics", "/internal/poll", "/internal/anything"):
            assert visitor.get(path).status_code == 404, path


@pytest.mark.parametrize("kind", FILES)
def test_a_picture_of_five_megabytes_comes_through(kind: str, tmp_path: Path) -> None:
    with (
        Server(tmp_path) as app,
        proxied(kind, tmp_path, {8000: app.port, 8001: app.port, 8002: app.port}) as proxy,
        httpx2.Client(base_url=proxy.origin, trust_env=False, timeout=30) as visitor,
    ):
        visitor.headers["authorization"] = f"Bearer {app.token('Ana')}"
        answer = visitor.put("/api/me/picture", content=bytes(MAX_BYTES))
        # Of the app: it has read it.
        assert (answer.status_code, answer.json()["error"]["field"]) == (422, "picture")


def _until_ready(server: Server) -> None:
    with httpx2.Client(base_url=server.origin, trust_env=False) as client:
        while client.get("/ready").status_code != 200:
            time.sleep(0.02)


async def _refused_handshakes(live_url: str) -> int:
    """Open as many sockets as there are readers, and more; return how many were not let in."""

    async def is_refused() -> bool:
        try:
            async with connect(live_url, proxy=None):
                return False
        except (InvalidStatus, OSError):
            return True

    return sum(await asyncio.gather(*(is_refused() for _ in range(HANDSHAKES))))
