"""Promise 4: hundreds of followers on an app and three gateways, while all is killed, frozen and cut by turns."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections import Counter

from tests.processes import Server, valkey
from tests.torture.clients import Posters, following, tokens, until_equal, until_live
from tests.torture.findings import Finding, Plan, nothing

POSTS_A_SECOND = 6


async def mixed(plan: Plan) -> list[Finding]:
    seconds, count = plan.either(15, 600), plan.either(60, 500)
    done: Counter[str] = Counter()
    with valkey(plan.folder) as store:
        settings = {"LIVETHREAD_REDIS_URL": store.url}
        with (
            Server(plan.folder, **settings) as app,
            Server(plan.folder, "gateway", LIVETHREAD_ORIGIN=app.origin, **settings) as one,
            Server(plan.folder, "gateway", LIVETHREAD_ORIGIN=app.origin, **settings) as two,
            Server(plan.folder, "gateway", LIVETHREAD_ORIGIN=app.origin, **settings) as three,
        ):
            posters = Posters(app.origin, "mixed", await asyncio.to_thread(tokens, app, 10))
            async with following([app, one, two, three], "mixed", count) as followers:

                async def kill(server: Server) -> None:
                    await asyncio.to_thread(server.kill)
                    await asyncio.sleep(random.uniform(0, 2))
                    await asyncio.to_thread(server.start)

                async def kill_app() -> None:
                    await kill(app)

                async def kill_gateway() -> None:
                    await kill(random.choice((one, two, three)))

                async def freeze_gateway() -> None:
                    process = random.choice((one, two, three)).process
                    assert process is not None
                    os.kill(process.pid, signal.SIGSTOP)
                    await asyncio.sleep(random.uniform(1, 4))
                    os.kill(process.pid, signal.SIGCONT)

                async def kill_redis() -> None:
                    store.kill()
                    await asyncio.sleep(random.uniform(0, 3))
                    store.start()

                async def freeze_redis() -> None:
                    store.signal(signal.SIGSTOP)
                    await asyncio.sleep(random.uniform(1, 5))
                    store.signal(signal.SIGCONT)

                async def cut_subscribers() -> None:
                    store.say("CLIENT", "KILL", "TYPE", "pubsub")

                async def cut_readers() -> None:
                    for follower in random.sample(followers, count // 4):
                        if follower.socket is not None:
                            follower.socket.transport.abort()

                faults = (
                    kill_app,
                    kill_gateway,
                    freeze_gateway,
                    kill_redis,
                    freeze_redis,
                    cut_subscribers,
                    cut_readers,
                )

                async def damage() -> None:
                    until = time.monotonic() + seconds
                    while time.monotonic() < until:
                        fault = random.choice(faults)
                        await fault()
                        done[fault.__name__] += 1
                        plan.progress(seconds + time.monotonic() - until, seconds)
                        await asyncio.sleep(random.uniform(0.2, 1.5))

                await asyncio.gather(damage(), posters.post_for(seconds, POSTS_A_SECOND))
                await until_live(followers, 60)
                differing, _ = await until_equal(followers, app, "mixed", 60)
                lost, doubled = await posters.lost_and_doubled()
    said = ", ".join(f"{times} × {name.replace('_', ' ')}" for name, times in done.most_common())
    return [
        Finding(f"faults in {seconds} s ({said})", f"{sum(done.values())}", sum(done.values()) > 3),
        Finding("acknowledged posts meanwhile", f"{len(posters.acknowledged):,}", len(posters.acknowledged) > seconds),
        nothing("acknowledged and lost, or doubled", lost + doubled),
        nothing(f"of {count} followers that differ from a fresh page", differing),
    ]
