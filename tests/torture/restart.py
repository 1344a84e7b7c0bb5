"""Promise 8: every gateway and the app are restarted in turn; everybody comes back, in order and without a storm."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time

from tests.processes import ROOT, Server, valkey
from tests.torture.clients import Posters, following, tokens, until_equal, until_live
from tests.torture.findings import Finding, Plan, nothing

MAX_BACK_SECONDS = 60
# Far below what one process can do: the limit itself is what is tested.
HANDSHAKES_A_SECOND = 60


async def restart(plan: Plan) -> list[Finding]:
    count = plan.either(200, 2_000)
    with valkey(plan.folder) as store:
        settings = {
            "LIVETHREAD_REDIS_URL": store.url,
            "LIVETHREAD_LIMITS": "on",
            "LIVETHREAD_LIMIT_HANDSHAKES": f"{HANDSHAKES_A_SECOND}/1",
            "LIVETHREAD_LIMIT_POSTS_ACCOUNT": "9999/1",
            "LIVETHREAD_LIMIT_POSTS_ADDRESS": "9999/1",
        }
        with (
            Server(plan.folder, **settings) as app,
            Server(plan.folder, "gateway", LIVETHREAD_ORIGIN=app.origin, **settings) as one,
            Server(plan.folder, "gateway", LIVETHREAD_ORIGIN=app.origin, **settings) as two,
            Server(plan.folder, "gateway", LIVETHREAD_ORIGIN=app.origin, **settings) as three,
        ):
            servers = [app, one, two, three]
            posters = Posters(app.origin, "restart", await asyncio.to_thread(tokens, app, 5))
            async with following(servers, "restart", count) as followers:
                posting = asyncio.create_task(posters.post_for(10**6, 3))
                sampler = subprocess.Popen(
                    [sys.executable, "-m", "tests.torture.sampler", "livethread_handshakes"]
                    + [f"{server.origin}/metrics" for server in servers],
                    cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                )  # fmt: skip
                statuses, slowest = [], 0.0
                for server in (one, two, three, app):
                    began = time.monotonic()
                    statuses.append(await asyncio.to_thread(server.stop))
                    await asyncio.to_thread(server.start)
                    gone = [one for one in followers if one.live_url == server.live_url]
                    # Live again, and not: still live from before.
                    while not all(one.is_live and one.joined_at > began for one in gone):
                        if time.monotonic() - began > 2 * MAX_BACK_SECONDS:
                            break
                        await asyncio.sleep(0.05)
                    slowest = max(slowest, time.monotonic() - began)
                posting.cancel()
                await asyncio.wait([posting])
                await until_live(followers, 60)
                differing, _ = await until_equal(followers, app, "restart", 30)
                lost, doubled = await posters.lost_and_doubled()
                told, _ = await asyncio.to_thread(sampler.communicate)
                busiest, admitted = int(told), sum(follower.connections for follower in followers)
    return [
        Finding("processes restarted, each with exit status 0", f"{statuses}", statuses == [0, 0, 0, 0]),
        plan.in_time(f"of {count:,} readers, the last of a process back after", slowest, MAX_BACK_SECONDS),
        Finding(
            f"handshakes in the busiest second of a process ({HANDSHAKES_A_SECOND} are admitted)",
            f"{busiest}",
            0 < busiest <= HANDSHAKES_A_SECOND,
        ),
        Finding("connections that readers made in all", f"{admitted:,}", admitted >= 2 * count),
        nothing("acknowledged and lost, or doubled", lost + doubled),
        nothing("followers that differ from a fresh page", differing),
    ]
