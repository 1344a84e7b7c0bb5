"""Promise 13: an error is thrown into each background task in turn, in app and gateway, once and again and again."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from tests.processes import Server, eventually, valkey
from tests.torture.clients import Posters, following, tokens, until_equal
from tests.torture.failing import DAMAGE, ERRORS, JOB, SERVICE
from tests.torture.findings import Finding, Plan, nothing

MAX_SECONDS = 5.0
# After that it is called dead.
PATIENCE_SECONDS = 30.0
# More often than a service may die.
FOR_EVER = 1_000
VITAL = ("writer", "poll")
KEY = "tasks"


@dataclass
class Found:
    thrown: int = 0
    ended: int = 0
    broken: list[str] = field(default_factory=list)
    slowest_seconds: float = 0.0
    names: set[str] = field(default_factory=set)


async def tasks(plan: Plan) -> list[Finding]:
    found = Found()
    folders = [plan.folder / name for name in ("app", "gateway")]
    with valkey(plan.folder) as store:
        settings = {"LIVETHREAD_REDIS_URL": store.url}
        app, gateway = Server(plan.folder, **settings), Server(plan.folder, "gateway", **settings)
        for server, folder in zip((app, gateway), folders, strict=True):
            folder.mkdir()
            server.program = (sys.executable, "-m", "tests.torture.failing", str(folder))
        with app:
            gateway.settings["LIVETHREAD_ORIGIN"] = app.origin
            with gateway:
                posters = Posters(app.origin, KEY, await asyncio.to_thread(tokens, app, 4))
                async with following([app, gateway], KEY, 4) as followers:
                    await do_everything(app, gateway, posters)
                    for server, folder in zip((app, gateway), folders, strict=True):
                        for name, error, times in damages(folder, is_quick=plan.is_quick):
                            await throw(server, folder, name, error, times, posters, found)
                            found.names.add(name)
                    differing, _ = await until_equal(followers, app, KEY, 30)
                    lost, doubled = await posters.lost_and_doubled()
                status = await ends_while_dying(app, folders[0])
    for why in found.broken:
        print(f"    {why}")
    return [
        Finding("errors thrown", f"{found.thrown} into {len(found.names)} kinds", found.thrown > 0),
        Finding("of them ended the process, status ≠ 0", f"{found.ended}", found.ended > 0),
        plan.in_time("posts and joins again after", found.slowest_seconds, MAX_SECONDS),
        nothing("that left a dead server", len(found.broken)),
        nothing("acknowledged and lost", lost),
        nothing("doubled", doubled),
        nothing("followers that differ from a fresh page", differing),
        Finding("SIGTERM while a task dies: status", str(status), status is not None),
    ]


def damages(folder: Path, *, is_quick: bool) -> Iterator[tuple[str, str, int]]:
    """Yield (name, error, times) for everything that was seen to run in the process."""
    errors = itertools.cycle(ERRORS)
    for name, kind in json.loads((folder / "names.json").read_text()).items():
        for error in [next(errors)] if is_quick or kind == DAMAGE else list(ERRORS):
            yield name, error, 1
        if name in VITAL or (kind == SERVICE and not is_quick):
            yield name, next(errors), FOR_EVER
        elif kind == JOB and not is_quick:
            yield name, next(errors), 3


async def throw(
    server: Server, folder: Path, name: str, error: str, times: int, posters: Posters, found: Found
) -> None:
    """Throw, and wait until all works again; a process that ended is started by its supervisor, which is us."""
    assert server.process is not None
    process = server.process
    (folder / "throw.json").write_text(json.dumps({"name": name, "error": error, "times": times}))
    began = time.monotonic()
    os.kill(process.pid, signal.SIGUSR1)
    found.thrown += 1
    what = f"{server.command or 'app'}: {error} in {name}" + (" for ever" if times == FOR_EVER else "")
    is_back = False
    while not is_back and process.poll() is None and time.monotonic() - began < PATIENCE_SECONDS:
        with contextlib.suppress(httpx2.HTTPError, OSError, WebSocketException, TimeoutError):
            async with asyncio.timeout(MAX_SECONDS):
                is_back = not (folder / "throw.json").exists() and await works(server, posters)
                # What dies again and again may end the process a moment later.
                if is_back and times == FOR_EVER and time.monotonic() - began < MAX_SECONDS / 2:
                    is_back = False
        await asyncio.sleep(0.02)
    seconds = time.monotonic() - began
    found.slowest_seconds = max(found.slowest_seconds, seconds)
    if (status := process.poll()) is not None:
        found.ended += 1
        if status == 0:
            found.broken.append(f"{what}: exit status 0")
        server.ended()
        await asyncio.to_thread(server.start)
    elif not is_back:
        found.broken.append(f"{what}: neither works nor ends after {seconds:.1f} s")
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)


async def works(server: Server, posters: Posters) -> bool:
    """Say whether a comment can be posted, and a newcomer's join answered by `server`."""
    answer = await posters.client.post(
        f"/api/threads/{KEY}/comments",
        json={"body": f"It works {os.urandom(6).hex()}", "nonce": os.urandom(12).hex()},
        headers={"authorization": f"Bearer {posters.tokens[0]}"},
        timeout=MAX_SECONDS / 2,
    )
    if answer.status_code != 201:
        return False
    async with connect(server.live_url, proxy=None, open_timeout=MAX_SECONDS / 2) as socket:
        await socket.send(json.dumps({"type": "join", "thread": KEY, "epoch": None, "after": None}))
        return '"joined"' in str(await socket.recv())


async def do_everything(app: Server, gateway: Server, posters: Posters) -> None:
    """Let every kind of background task run once, so that its name is known."""
    await posters.post_many(5)
    headers = [{"authorization": f"Bearer {token}"} for token in posters.tokens]
    comments = (await posters.client.get(f"/api/threads/{KEY}")).json()["comments"]
    for one in headers * 2:
        for comment in comments[:2]:
            await posters.client.put(f"/api/comments/{comment['id']}/vote", json={"value": 1}, headers=one)
    await posters.client.get("/", headers=headers[0])
    await posters.client.get(f"/search?q=post&thread={KEY}")
    await asyncio.to_thread(app.run, "account", "create", "Operator", "--role", "staff", stdin="a long password\n")
    ticket = (await posters.client.post("/api/ticket", headers=headers[0])).json()["ticket"]
    for server in (app, gateway):
        async with connect(server.live_url, proxy=None) as socket:
            await socket.send(json.dumps({"type": "hello", "ticket": ticket}))
            await socket.send(json.dumps({"type": "join", "thread": KEY, "epoch": None, "after": None}))
            await socket.recv()
            await socket.send(json.dumps({"type": "typing", "thread": KEY, "parent": None}))
            await posters.post_many(3)
    await posters.post_many(20)


async def ends_while_dying(app: Server, folder: Path) -> int | None:
    """Return the exit status of an app that is told to end while its writer dies for ever; None: it never ended."""
    process = app.process
    assert process is not None
    (folder / "throw.json").write_text(json.dumps({"name": "writer", "error": "RuntimeError", "times": FOR_EVER}))
    os.kill(process.pid, signal.SIGUSR1)
    await eventually(lambda: not (folder / "throw.json").exists())
    process.terminate()
    with contextlib.suppress(TimeoutError):
        await eventually(lambda: process.poll() is not None, PATIENCE_SECONDS)
    if (status := process.poll()) is None:
        await asyncio.to_thread(app.kill)
        return None
    app.ended()
    return status
