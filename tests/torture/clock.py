"""Promise 9: the host's clock jumps by an hour and by a day, both ways, under a running app and its gateway."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import httpx2
from websockets.asyncio.client import connect

from tests.processes import Server
from tests.torture.clients import Posters, following, read_all, tokens, until_equal
from tests.torture.findings import Finding, Plan, Skipped, nothing

JUMPS = ("+0", "+3600s", "-3600s", "+86400s", "-86400s", "+0")
LIBRARY = "faketime/libfaketimeMT.so.1"


async def clock(plan: Plan) -> list[Finding]:
    found = next(iter(Path("/usr/lib").glob(f"*/{LIBRARY}")), None)
    if found is None:
        raise Skipped("libfaketime is not installed")
    offset = plan.folder / "offset"
    offset.write_text(JUMPS[0])
    faked = {
        "LD_PRELOAD": str(found),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_NO_CACHE": "1",
        # The kernel's monotonic clock does not jump when somebody sets the time.
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }
    with (
        Server(plan.folder, **faked) as app,
        Server(plan.folder, "gateway", LIVETHREAD_ORIGIN=app.origin) as gateway,
    ):
        posters = Posters(app.origin, "clock", await asyncio.to_thread(tokens, app, 5))
        password = {"name": "long here", "password": "a long password"}
        order: list[int] = []
        ended = unsigned = wrong = 0
        slowest = 0.0
        with httpx2.Client(base_url=app.origin, trust_env=False) as browser:
            browser.post("/api/accounts", json=password).raise_for_status()
            async with following([app, gateway], "clock", 6) as followers:
                for jump in JUMPS:
                    offset.write_text(jump)
                    order += [(await posters.post())[1] for _ in range(10)]
                    ended += browser.get("/api/session").json()["account"] is None
                    ticket = browser.post("/api/ticket", headers={"origin": app.origin}).json()["ticket"]
                    async with connect(app.live_url, proxy=None) as socket:
                        await socket.send(json.dumps({"type": "hello", "ticket": ticket}))
                        await socket.send('{"type":"ping"}')
                        unsigned += json.loads(await socket.recv())["type"] != "pong"
                    differing, whole = await until_equal(followers, app, "clock", 30)
                    slowest, wrong = max(slowest, whole), wrong + differing
                    await asyncio.sleep(plan.either(0, 5))
                there = await read_all(posters.client, "clock")
        times = [comment["created"] for comment in there["comments"].values()]
    return [
        # It must have jumped, else nothing was tried.
        Finding(
            "jumps seen in the comments' times",
            f"{times[0]} … {max(times)}",
            max(times) > min(times[:10]) and times != sorted(times),
        ),
        nothing(
            "comments out of the order of their posting",
            sum(a != b for a, b in zip(order, list(there["comments"]), strict=True)),
        ),
        nothing("sessions that ended", ended),
        nothing("sockets that could not be signed in", unsigned),
        nothing("followers that differ from a fresh page, on a host whose clock did not jump too", wrong),
        plan.in_time("every screen whole after each jump", slowest, 5),
    ]
