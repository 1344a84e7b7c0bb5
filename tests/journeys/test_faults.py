"""Killed in the middle: what was acknowledged is there, once."""

from __future__ import annotations

import asyncio
import json
import random
import socket
from pathlib import Path
from typing import Any

import httpx2
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.processes import Server, eventually

CLIENTS = 20
POSTS_EACH = 30
KILLS = 5


class Poster:
    """Posts until each post is acknowledged: the same nonce again and again."""

    def __init__(self, app: Server, number: int, token: str) -> None:
        self.app = app
        self.number = number
        self.headers = {"authorization": f"Bearer {token}"}
        self.acknowledged: dict[str, int] = {}

    async def post_all(self, key: str) -> None:
        chance = random.Random(self.number)
        async with httpx2.AsyncClient(base_url=self.app.origin, timeout=10, trust_env=False) as client:
            for number in range(POSTS_EACH):
                body = f"client {self.number} post {number}"
                parent = chance.choice([None, *list(self.acknowledged.values())[:10]])
                message = {"body": body, "parent": parent, "nonce": f"c{self.number:02d}-{number:016d}"}
                self.acknowledged[body] = await self._until_acknowledged(client, key, message)

    async def _until_acknowledged(self, client: httpx2.AsyncClient, key: str, message: dict[str, Any]) -> int:
        while True:
            try:
                answer = await client.post(f"/api/threads/{key}/comments", json=message, headers=self.headers)
            except httpx2.TransportError:
                await asyncio.sleep(0.05)
                continue
            assert answer.status_code in (200, 201), answer.text
            return int(answer.json()["comment"]["id"])


def read_all(app: Server, key: str) -> list[dict[str, Any]]:
    comments: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        query = {"cursor": cursor, "limit": "200"}
        page = httpx2.get(f"{app.origin}/api/threads/{key}", params=query, trust_env=False).json()
        comments += page["comments"]
        cursor = page["next"]
    return comments


async def test_every_acknowledged_comment_is_there_once_after_five_kills(tmp_path: Path, visit: Any) -> None:
    with Server(tmp_path) as app:
        tokens = await asyncio.gather(*(asyncio.to_thread(app.token, f"poster {n:02d} x") for n in range(CLIENTS)))
        posters = [Poster(app, number, token) for number, token in enumerate(tokens)]
        reader = await visit()
        await reader.read(f"{app.origin}/t/faults")

        async def kill_again_and_again() -> None:
            for kill in range(1, KILLS + 1):
                due = kill * CLIENTS * POSTS_EACH // (KILLS + 1)
                await eventually(lambda due=due: sum(len(one.acknowledged) for one in posters) >= due, 60)
                app.kill()
                app.start()

        await asyncio.gather(kill_again_and_again(), *(poster.post_all("faults") for poster in posters))
        comments = read_all(app, "faults")
        stored = {one["html"].removeprefix("<p>").removesuffix("</p>"): one["id"] for one in comments}
        acknowledged = {body: id_ for poster in posters for body, id_ in poster.acknowledged.items()}
        assert len(acknowledged) == CLIENTS * POSTS_EACH
        assert stored == acknowledged
        assert len(comments) == len(stored)

        fresh = await visit()
        await fresh.read(f"{app.origin}/t/faults")
        await reader.page.wait_for_selector(".connection[data-state=live]", timeout=60_000)
        await eventually(lambda: _counts(reader, len(stored)))
        assert await reader.painted() == await fresh.painted()


async def _counts(reader: Any, expected: int) -> bool:
    return int(await reader.count()) == expected


async def test_sigterm_ends_the_app_with_status_0_and_a_second_owner_is_refused(tmp_path: Path) -> None:
    with Server(tmp_path) as app:
        second = Server(tmp_path).run(check=False)
        assert second.returncode == 2
        assert "run.py gateway" in second.stderr
        assert app.stop() == 0


async def test_redis_configured_but_absent_starts_and_says_degraded(tmp_path: Path) -> None:
    with Server(tmp_path, LIVETHREAD_REDIS_URL=f"unix://{tmp_path}/absent.sock") as app:
        assert httpx2.get(f"{app.origin}/ready", trust_env=False).json()["redis"] == "degraded"
        with app.commenter("somebody") as client:
            comment = {"body": "Without Redis", "nonce": "n" * 20}
            assert client.post("/api/threads/t/comments", json=comment).status_code == 201


@pytest.mark.scenario(11)
async def test_a_restart_asks_every_reader_to_come_back_later_each_at_its_own_time(tmp_path: Path) -> None:
    with Server(tmp_path) as app:
        readers = [await connect(app.live_url, proxy=None) for _ in range(30)]
        for reader in readers:
            await reader.send('{"type":"join","thread":"t"}')
            assert json.loads(await reader.recv())["type"] == "joined"
        ending = asyncio.create_task(asyncio.to_thread(app.stop))
        delays = []
        for reader in readers:
            frame = json.loads(await reader.recv())
            assert frame["type"] == "retry"
            delays.append(frame["after_ms"])
            with pytest.raises(ConnectionClosed) as ended:
                await reader.recv()
            assert ended.value.rcvd is not None
            assert ended.value.rcvd.code == 1012
        assert min(delays) >= 500
        assert len(set(delays)) > 10
        assert await ending == 0


async def test_a_reader_that_stops_reading_misses_nothing_and_the_others_notice_nothing(tmp_path: Path) -> None:
    with Server(tmp_path) as app, app.commenter("a loud one") as client:
        deaf = socket.socket()
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(("127.0.0.1", app.port))
        # Compressed, what is posted here would hardly fill anything.
        without: dict[str, Any] = {"compression": None, "max_queue": 1}
        async with connect(app.live_url, proxy=None) as other, connect(app.live_url, sock=deaf, **without) as silent:
            for one in (other, silent):
                await one.send('{"type":"join","thread":"loud","after":0}')
                assert json.loads(await one.recv())["type"] == "joined"
            silent.transport.pause_reading()
            posted: set[int] = set()

            async def post() -> None:
                answer = await asyncio.to_thread(
                    client.post,
                    "/api/threads/loud/comments",
                    json={"body": "x" * 9_900, "nonce": f"n-{len(posted):020d}"},
                )
                assert answer.status_code == 201
                posted.add(answer.json()["comment"]["id"])
                while not posted <= heard:
                    heard.update(comments_of(json.loads(await other.recv())))

            heard: set[int] = set()
            while "livethread_readers_behind 1.0" not in client.get("/metrics").text:
                await post()
            for _ in range(5):
                await post()
            silent.transport.resume_reading()
            caught_up: set[int] = set()
            while not posted <= caught_up:
                caught_up.update(comments_of(json.loads(await silent.recv())))
            assert "livethread_readers_behind 0.0" in client.get("/metrics").text
            assert "livethread_slow_readers_total 0.0" in client.get("/metrics").text


def comments_of(frame: dict[str, Any]) -> list[int]:
    assert frame["type"] in ("changes", "readers"), frame
    return [comment["id"] for comment in frame.get("comments", ())]
