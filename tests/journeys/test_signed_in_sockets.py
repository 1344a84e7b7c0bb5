"""Sockets that speak for an account: the bell, typing, and the end of a session, over all processes."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.processes import Server, eventually, valkey


@pytest.fixture(scope="module", params=["redis", "no redis"])
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server]]:
    """(app, gateway)"""
    folder = tmp_path_factory.mktemp("house")
    with valkey(folder) as redis:
        settings = {"LIVETHREAD_REDIS_URL": redis.url} if request.param == "redis" else {}
        with (
            Server(folder, **settings) as app,
            Server(folder, "gateway", LIVETHREAD_ORIGIN=app.origin, **settings) as gateway,
        ):
            yield app, gateway


@asynccontextmanager
async def signed_in(app: Server, at: Server, token: str, thread: str) -> AsyncIterator[ClientConnection]:
    ticket = httpx2.post(f"{app.origin}/api/ticket", headers={"authorization": f"Bearer {token}"}, trust_env=False)
    async with connect(at.live_url, proxy=None) as socket:
        await say(socket, type="hello", ticket=ticket.json()["ticket"])
        await say(socket, type="join", thread=thread)
        assert (await hear(socket))["type"] == "joined"
        yield socket


async def say(socket: ClientConnection, **frame: Any) -> None:
    await socket.send(json.dumps(frame))


async def hear(socket: ClientConnection, kind: str = "", seconds: float = 10) -> dict[str, Any]:
    """The next frame, or the next of this type."""
    async with asyncio.timeout(seconds):
        while True:
            frame: dict[str, Any] = json.loads(await socket.recv())
            if not kind or frame["type"] == kind:
                return frame


async def test_a_reply_rings_the_bell_of_who_is_answered_wherever_they_are(
    house: tuple[Server, Server], name: str, key: str
) -> None:
    app, gateway = house
    asked, other = app.token(name), app.token(f"{name} b")
    with httpx2.Client(base_url=app.origin, trust_env=False) as client:
        path = f"/api/threads/{key}/comments"
        first = client.post(path, json={"body": "One", "nonce": "a" * 20}, headers={"authorization": f"Bearer {asked}"})
        async with (
            signed_in(app, app, asked, key) as here,
            signed_in(app, gateway, asked, key) as there,
            signed_in(app, gateway, other, key) as answering,
        ):
            reply = {"body": "Two", "nonce": "b" * 20, "parent": first.json()["comment"]["id"]}
            version = client.post(path, json=reply, headers={"authorization": f"Bearer {other}"}).json()["comment"][
                "version"
            ]
            assert (await hear(here, "you"))["version"] == version
            assert (await hear(there, "you"))["version"] == version
            assert (await hear(answering))["type"] == "changes"
            await say(answering, type="ping")
            # Nobody rings their own bell.
            assert (await hear(answering))["type"] == "pong"


async def test_logging_out_closes_the_sockets_of_the_account_and_its_tickets_sign_nobody_in(
    house: tuple[Server, Server], name: str, key: str
) -> None:
    app, gateway = house
    token = app.token(name)
    bearer = {"authorization": f"Bearer {token}"}
    left = httpx2.post(f"{app.origin}/api/ticket", headers=bearer, trust_env=False).json()["ticket"]
    async with (
        signed_in(app, app, token, key) as here,
        signed_in(app, gateway, token, key) as there,
        connect(gateway.live_url, proxy=None) as stranger,
    ):
        httpx2.delete(f"{app.origin}/api/session", headers=bearer, trust_env=False).raise_for_status()
        for socket in (here, there):
            with pytest.raises(ConnectionClosed) as ended:
                await hear(socket, "nothing of the kind")
            assert ended.value.rcvd is not None
            assert ended.value.rcvd.code == 4001
        await say(stranger, type="hello", ticket=left)
        assert (await hear(stranger))["code"] == "bad_ticket"


@pytest.mark.parametrize("ticket", ["", ".", "x.y", "e30=.00", "W10=.é"])
async def test_a_ticket_that_is_none_is_refused_and_the_socket_goes_on(
    house: tuple[Server, Server], ticket: str
) -> None:
    async with connect(house[1].live_url, proxy=None) as socket:
        await say(socket, type="hello", ticket=ticket)
        assert (await hear(socket))["code"] == "bad_ticket"
        await say(socket, type="ping")
        assert (await hear(socket))["type"] == "pong"


async def test_who_types_is_seen_in_their_own_process(house: tuple[Server, Server], name: str, key: str) -> None:
    app, gateway = house
    async with (
        signed_in(app, gateway, app.token(name), key) as writer,
        connect(gateway.live_url, proxy=None) as reader,
    ):
        await say(reader, type="join", thread=key)
        assert (await hear(reader))["type"] == "joined"
        for _ in range(5):
            await say(writer, type="typing", thread=key, parent=None)
        assert await hear(reader) == {"type": "typing", "thread": key, "parent": None, "names": [name]}
        # Who is not signed in has no name, and five frames at once are one.
        await say(reader, type="typing", thread=key)
        await say(reader, type="ping")
        assert (await hear(reader))["type"] == "pong"


async def test_who_types_at_a_gateway_is_seen_at_the_app_through_redis(tmp_path: Path, name: str, key: str) -> None:
    with (
        valkey(tmp_path) as redis,
        Server(tmp_path, LIVETHREAD_REDIS_URL=redis.url) as app,
        Server(tmp_path, "gateway", LIVETHREAD_ORIGIN=app.origin, LIVETHREAD_REDIS_URL=redis.url) as gateway,
    ):
        token = app.token(name)
        # Only threads with a comment are subscribed to.
        posted = httpx2.post(
            f"{app.origin}/api/threads/{key}/comments",
            json={"body": "Answer this", "nonce": "n" * 20},
            headers={"authorization": f"Bearer {token}"},
            trust_env=False,
        )
        parent = posted.json()["comment"]["id"]
        async with (
            signed_in(app, gateway, token, key) as writer,
            connect(app.live_url, proxy=None) as reader,
        ):
            await say(reader, type="join", thread=key)
            assert (await hear(reader))["type"] == "joined"
            seen = asyncio.create_task(hear(reader, "typing", 30))
            while not seen.done():
                # At most once: what is said before the subscription stands is lost.
                await say(writer, type="typing", thread=key, parent=parent)
                await asyncio.wait([seen], timeout=1)
            assert seen.result()["names"] == [name]
            assert seen.result()["parent"] == parent


async def test_handshakes_are_admitted_at_no_more_than_the_rate(tmp_path: Path) -> None:
    with Server(tmp_path, LIVETHREAD_LIMITS="on", LIVETHREAD_LIMIT_HANDSHAKES="5/60") as app:
        sockets = [await connect(app.live_url, proxy=None) for _ in range(5)]
        with pytest.raises(InvalidStatus) as refused:
            await connect(app.live_url, proxy=None)
        assert refused.value.response.status_code == 503
        assert refused.value.response.headers["retry-after"] == "1"
        told = httpx2.get(f"{app.origin}/metrics", trust_env=False).text
        assert "livethread_refused_handshakes_total 1.0" in told
        for socket in sockets:
            await socket.close()


async def test_a_gateway_that_ends_in_order_takes_its_readers_out_of_the_count(tmp_path: Path, key: str) -> None:
    with Server(tmp_path) as app, Server(tmp_path, "gateway", LIVETHREAD_ORIGIN=app.origin) as gateway:
        # Gateways report no readers of threads without comments.
        with app.commenter("First") as client:
            client.post(f"/api/threads/{key}/comments", json={"body": "first", "nonce": "f" * 16})
        async with connect(gateway.live_url, proxy=None) as there:
            await say(there, type="join", thread=key)
            assert (await hear(there))["type"] == "joined"

            async def are_here(count: int) -> bool:
                async with connect(app.live_url, proxy=None) as socket:
                    await say(socket, type="join", thread=key)
                    return int((await hear(socket))["readers"]) == count

            await eventually(lambda: are_here(2))
            assert await asyncio.to_thread(gateway.stop) == 0
            assert await are_here(1)


async def test_a_gateway_whose_app_is_gone_is_not_ready_until_it_is_back(tmp_path: Path) -> None:
    with Server(tmp_path) as app, Server(tmp_path, "gateway", LIVETHREAD_ORIGIN=app.origin) as gateway:

        def says(status: int, what: str) -> bool:
            answer = httpx2.get(f"{gateway.origin}/ready", trust_env=False)
            return (answer.status_code, answer.json()["status"]) == (status, what)

        await eventually(lambda: says(200, "ready"))
        app.kill()
        # Longer than a restart takes: until then it stays ready.
        await eventually(lambda: says(503, "waiting for the app"))
        assert httpx2.get(f"{gateway.origin}/health", trust_env=False).status_code == 200
        app.start()
        await eventually(lambda: says(200, "ready"))


async def test_a_gateway_waits_for_its_app_and_outlives_it(tmp_path: Path, name: str, key: str) -> None:
    with Server(tmp_path) as app:
        app.stop()
        with Server(tmp_path, "gateway", LIVETHREAD_ORIGIN=app.origin) as gateway:
            waiting = httpx2.get(f"{gateway.origin}/ready", trust_env=False)
            assert (waiting.status_code, waiting.json()) == (503, {"status": "waiting for the app"})
            async with connect(gateway.live_url, proxy=None) as reader:
                await say(reader, type="join", thread=key)
                refused = await hear(reader)
                assert (refused["code"], refused["thread"]) == ("unavailable", key)
                app.start()
                until = time.monotonic() + 20
                while httpx2.get(f"{gateway.origin}/ready", trust_env=False).status_code != 200:
                    assert time.monotonic() < until
                    await asyncio.sleep(0.1)
                await say(reader, type="join", thread=key)
                assert (await hear(reader))["type"] == "joined"
                app.kill()
                app.start()
                with app.commenter(name) as client:
                    client.post(f"/api/threads/{key}/comments", json={"body": "After", "nonce": "n" * 20})
                assert (await hear(reader, "changes"))["comments"][0]["html"] == "<p>After</p>"


def test_logs_are_json_lines_without_query_strings_and_answers_bear_their_id(tmp_path: Path) -> None:
    with Server(tmp_path) as app:
        answered = httpx2.get(f"{app.origin}/t/x?secret=1", trust_env=False)
        assert len(answered.headers["x-request-id"]) == 16
        lines = [json.loads(line) for line in app.log.read_text(encoding="utf-8").splitlines()]
        assert any("no staff account" in line["message"] for line in lines)
        assert "secret=1" not in app.log.read_text(encoding="utf-8")
