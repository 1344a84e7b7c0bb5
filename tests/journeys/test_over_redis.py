"""An app, a gateway and a real Valkey: what one process took, every browser shows."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.async_api import expect
from redis.asyncio import Redis
from websockets.asyncio.client import ClientConnection, connect

from channels.brokers.authentication import Seal
from channels.messages import MAX_VERSION, Change
from tests.journeys.articles import Site
from tests.journeys.places import IN_BOTH_PLACES, UNDER_AN_ARTICLE, Article, Place
from tests.processes import ROOT, SECRET, Server, Valkey, eventually, valkey

REPLAYED = 400
FIXTURE = ROOT.parent / "shared" / "fixtures" / "threads" / "thread-1428.jsonl"


@contextmanager
def sending_browsers_to_a_gateway(app: Server, **settings: str) -> Iterator[Server]:
    """Start a gateway, and the app anew so that its pages send their browsers there."""
    with Server(app.folder, "gateway", LIVETHREAD_ORIGIN=app.origin, **settings) as gateway:
        app.stop()
        app.settings["LIVETHREAD_LIVE_URL"] = gateway.live_url
        app.start()
        yield gateway


@pytest.fixture
def house(tmp_path: Path) -> Iterator[tuple[Server, Server, Valkey]]:
    """(app, gateway, valkey)"""
    (tmp_path / "v").mkdir()
    with (
        valkey(tmp_path / "v") as redis,
        Server(tmp_path, LIVETHREAD_REDIS_URL=redis.url) as app,
        sending_browsers_to_a_gateway(app, LIVETHREAD_REDIS_URL=redis.url) as gateway,
    ):
        yield app, gateway, redis


def placed(where: str, app: Server, site: Site, key: str) -> Place:
    if where != UNDER_AN_ARTICLE:
        return Place(app, key)
    app.run("site", "add", site.origin)
    site.server = app.origin
    return Article(app, site, key)


@pytest.fixture
def place(request: pytest.FixtureRequest, house: tuple[Server, Server, Valkey], site: Site) -> Place:
    """By `IN_BOTH_PLACES`: on the server's own page, or under an article of another host name."""
    return placed(request.param, house[0], site, "replayed")


async def at_the_app(visitor: Any, app: Server) -> Any:
    """Make this browser connect to the app itself."""
    await visitor.page.add_init_script(
        f"""const Own = WebSocket; window.WebSocket = class extends Own {{
        constructor() {{ super("{app.live_url}"); }} }};"""
    )
    return visitor


def write_discussion(path: Path, count: int) -> None:
    """A discussion with long branches, removed comments and comments whose authors are gone."""
    chance = random.Random(7)
    records: list[dict[str, Any]] = []
    for number in range(count):
        parent = chance.choice(records)["id"] if records and chance.random() < 0.55 else None
        is_removed = chance.random() < 0.04
        author = None if is_removed or chance.random() < 0.1 else f"speaker {chance.choice('abcdefghijklmnop')}"
        records.append(
            {
                "id": f"r{number}",
                "parent": parent,
                "author": author,
                "created": 1_700_000_000 + number * 3,
                "edited": None,
                "score": 0,
                "removed": is_removed,
                "body_md": "" if is_removed else f"Record **{number}** says\n\n> {'so ' * chance.randrange(1, 30)}",
            }
        )
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")


async def replay(place: Place, path: Path, speed: str, during: Any = None) -> str:
    """Run the command and return what it said."""
    running = asyncio.create_task(
        asyncio.to_thread(place.app.run, "replay", str(path), "--thread", place.key, "--speed", speed, check=False)
    )
    if during is not None:
        await during()
    done = await running
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


async def assert_painted_as_fresh(place: Place, visit: Any, *visitors: Any) -> int:
    """Every visitor's painted thread equals that of a page loaded now; returns how many comments that is."""
    fresh = await visit()
    await place.read(fresh)
    painted = await fresh.painted()
    head = httpx2.get(f"{place.app.origin}/api/threads/{place.key}/changes", trust_env=False).json()
    for visitor in visitors:
        await eventually(lambda visitor=visitor: visitor.version >= head["version"])
        assert await visitor.painted() == painted
        assert await visitor.count() == await fresh.count() == str(head["info"]["comments"])
    return len(painted)


@IN_BOTH_PLACES
async def test_a_replay_is_painted_alike_by_app_and_gateway_and_a_fresh_page(
    house: tuple[Server, Server, Valkey], place: Place, visit: Any, tmp_path: Path
) -> None:
    app, _, _ = house
    path = tmp_path / "discussion.jsonl"
    write_discussion(path, REPLAYED)
    if FIXTURE.exists():
        lines = FIXTURE.read_text(encoding="utf-8").splitlines(keepends=True)
        path.write_text("".join(lines[:REPLAYED]), encoding="utf-8")
    here, there = await at_the_app(await visit(), app), await visit()
    await place.read(here)
    await place.read(there)
    said = await replay(place, path, "1000000")
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert f"{len(records):,} posted" in said
    drawn = await assert_painted_as_fresh(place, visit, here, there)
    assert drawn >= sum(not record["removed"] for record in records)


@IN_BOTH_PLACES
async def test_redis_killed_and_started_again_during_a_replay_loses_and_doubles_nothing(
    house: tuple[Server, Server, Valkey], place: Place, visit: Any, tmp_path: Path
) -> None:
    _, _, redis = house
    path = tmp_path / "discussion.jsonl"
    write_discussion(path, 300)
    reader = await visit()
    await place.read(reader)

    async def damage() -> None:
        await expect(reader.page.locator(".count")).not_to_have_text("0")
        redis.kill()
        known = int(await reader.count())
        # The poll carries them now.
        await eventually(lambda: _count_above(reader, known + 20))
        redis.start()

    said = await replay(place, path, "100", damage)
    assert "0 could not be posted" in said
    await assert_painted_as_fresh(place, visit, reader)


@pytest.mark.parametrize("where", ["own page", UNDER_AN_ARTICLE])
async def test_a_gateway_alone_without_redis_is_whole_by_the_poll(
    where: str, site: Site, tmp_path: Path, visit: Any
) -> None:
    path = tmp_path / "discussion.jsonl"
    write_discussion(path, 80)
    with Server(tmp_path) as app, sending_browsers_to_a_gateway(app):
        place = placed(where, app, site, "replayed")
        reader = await visit()
        await place.read(reader)
        await replay(place, path, "1000")
        await assert_painted_as_fresh(place, visit, reader)


async def test_readers_are_counted_over_all_processes(house: tuple[Server, Server, Valkey], visit: Any) -> None:
    app, _, _ = house
    here, there = await at_the_app(await visit(), app), await visit()
    with app.commenter("First") as client:
        client.post("/api/threads/shared/comments", json={"body": "One", "nonce": "n" * 20})
    await there.read(f"{app.origin}/t/shared")
    await asyncio.sleep(1.5)  # one poll tells the app of the gateway's readers
    await here.read(f"{app.origin}/t/shared")
    await expect(here.page.locator(".connection")).to_have_text("● Live · 2 here")


async def test_metrics_count_what_was_done_and_are_not_for_everybody(house: tuple[Server, Server, Valkey]) -> None:
    app, gateway, _ = house
    async with connect(gateway.live_url, proxy=None) as socket:
        await socket.send('{"type":"join","thread":"counted"}')
        assert json.loads(await socket.recv())["type"] == "joined"
        with app.commenter("counted") as client:
            client.post("/api/threads/counted/comments", json={"body": "One", "nonce": "n" * 20})
        assert json.loads(await socket.recv())["type"] == "changes"
        told = {where: httpx2.get(f"{where}/metrics", trust_env=False).text for where in (app.origin, gateway.origin)}
    assert float(told[app.origin].partition("\nlivethread_group_size_sum ")[2].split()[0]) >= 3
    assert "livethread_readers 1.0" in told[gateway.origin]
    assert "livethread_deliveries_total 1.0" in told[gateway.origin]
    assert "livethread_redis_connected 1.0" in told[gateway.origin]
    proxied = httpx2.get(f"{app.origin}/metrics", headers={"x-forwarded-for": "192.0.2.1"}, trust_env=False)
    assert proxied.status_code == 403


async def heard(reader: ClientConnection) -> Any:
    """Return the next frame that is not about how many are here, which is told every ten seconds."""
    while (frame := json.loads(await reader.recv()))["type"] == "readers":
        pass
    return frame


async def test_a_room_that_was_told_a_version_which_no_write_made_is_put_right_by_the_poll(
    house: tuple[Server, Server, Valkey],
) -> None:
    app, gateway, redis = house
    with app.commenter("Told") as client:
        client.post("/api/threads/beyond/comments", json={"body": "One", "nonce": "n" * 20})
        present = client.get("/api/threads/beyond/changes").json()
        async with connect(gateway.live_url, proxy=None) as reader, Redis.from_url(redis.url) as writer:
            await reader.send('{"type":"join","thread":"beyond"}')
            assert json.loads(await reader.recv())["type"] == "joined"
            told = Change(thread="beyond", epoch=present["epoch"], after=present["version"], version=MAX_VERSION)
            channel = f"livethread:{present['epoch']}:thread:beyond"
            sealed = Seal(SECRET).close(channel.encode(), told)
            # A gateway that has just started may let readers in before its subscription stands.
            await eventually(lambda: writer.publish(channel, sealed))
            assert (await heard(reader))["version"] == MAX_VERSION
            reset = await heard(reader)
            assert (reset["type"], reset["version"]) == ("reset", present["version"])
            await reader.send('{"type":"join","thread":"beyond"}')
            joined = await heard(reader)
            assert (joined["type"], joined["version"]) == ("joined", present["version"])
            client.post("/api/threads/beyond/comments", json={"body": "Two", "nonce": "m" * 20})
            change = await heard(reader)
            assert (change["type"], change["info"]["comments"]) == ("changes", 2)


def test_a_gateway_refuses_to_start_without_the_secret(tmp_path: Path) -> None:
    refused = Server(tmp_path, LIVETHREAD_SECRET="").run("gateway", check=False)
    assert refused.returncode == 2
    assert "LIVETHREAD_SECRET" in refused.stderr


async def test_secrets_change_without_a_gap_while_processes_know_both(tmp_path: Path) -> None:
    before, after = "the secret of before", "the secret from now on"
    (tmp_path / "v").mkdir()
    with (
        valkey(tmp_path / "v") as redis,
        Server(
            tmp_path, LIVETHREAD_REDIS_URL=redis.url, LIVETHREAD_SECRET=after, LIVETHREAD_SECRET_PREVIOUS=before
        ) as app,
        Server(
            tmp_path,
            "gateway",
            LIVETHREAD_APP_URL=app.origin,
            LIVETHREAD_REDIS_URL=redis.url,
            LIVETHREAD_SECRET=before,
            LIVETHREAD_SECRET_PREVIOUS=after,
        ) as gateway,
        app.commenter("Both") as client,
    ):
        await eventually(lambda: httpx2.get(f"{gateway.origin}/ready", trust_env=False).status_code == 200)
        ticket = client.post("/api/ticket").json()["ticket"]
        async with connect(gateway.live_url, proxy=None) as reader:
            await reader.send(json.dumps({"type": "hello", "ticket": ticket}))
            await reader.send('{"type":"join","thread":"both"}')
            # The answer to a ticket that is good is none.
            assert json.loads(await reader.recv())["type"] == "joined"
            client.post("/api/threads/both/comments", json={"body": "One", "nonce": "n" * 20})
            assert json.loads(await reader.recv())["type"] == "changes"
        told = httpx2.get(f"{gateway.origin}/metrics", trust_env=False).text
        assert "livethread_redis_refused_total 0.0" in told


def test_a_post_is_known_again_after_the_secret_was_changed(tmp_path: Path) -> None:
    with Server(tmp_path) as app, app.commenter("Again") as client:
        post = {"body": "One", "nonce": "n" * 20}
        made = client.post("/api/threads/again/comments", json=post)
        app.stop()
        app.settings |= {"LIVETHREAD_SECRET": "another secret of ours", "LIVETHREAD_SECRET_PREVIOUS": SECRET}
        app.start()
        again = client.post("/api/threads/again/comments", json=post)
        assert (made.status_code, again.status_code) == (201, 200)
        assert made.json()["comment"]["id"] == again.json()["comment"]["id"]


def test_the_poll_is_only_for_who_knows_the_secret(tmp_path: Path) -> None:
    with Server(tmp_path) as app:
        asked = {"gateway": "x", "clock": 0, "readers": {}}
        for headers in ({}, {"livethread-signature": "1.x"}, {"authorization": f"Bearer {SECRET}"}):
            answer = httpx2.post(f"{app.origin}/internal/poll", json=asked, headers=headers, trust_env=False)
            assert answer.status_code == 403, headers


async def _count_above(reader: Any, least: int) -> bool:
    return int(await reader.count()) > least
