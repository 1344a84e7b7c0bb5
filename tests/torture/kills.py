"""Promises 1 and 4: the app is killed with -9 at named points, again and again, while 20 accounts post."""

from __future__ import annotations

import asyncio
import random
import sys
from collections import Counter

from tests.processes import Server, valkey
from tests.torture import dying
from tests.torture.clients import Posters, following, tokens, until_equal
from tests.torture.findings import Finding, Plan, nothing

POSTS_A_KILL = 250
POSTS_AT_ONCE = 200


async def kills(plan: Plan) -> list[Finding]:
    count = plan.either(3, 200)
    points: Counter[str] = Counter()
    with valkey(plan.folder) as redis:
        settings = {"LIVETHREAD_REDIS_URL": redis.url}
        with (
            Server(plan.folder, **settings) as app,
            Server(plan.folder, "gateway", LIVETHREAD_ORIGIN=app.origin, **settings) as gateway,
        ):
            posters = Posters(app.origin, "kills", await asyncio.to_thread(tokens, app, 20))
            plain = app.program
            async with following([app, gateway], "kills", 6) as followers:
                await asyncio.to_thread(app.stop)
                posting = asyncio.create_task(asyncio.sleep(0))
                for number in range(count):
                    point = dying.POINTS[number % len(dying.POINTS)]
                    # A group holds about eight posts; a settling or a publishing is one.
                    due = random.randint(5, 60) if point == "before commit" else random.randint(50, 450)
                    app.program = (sys.executable, "-m", "tests.torture.dying", point, str(due))
                    await asyncio.to_thread(app.start)
                    while not app.died():
                        if posting.done():
                            posting = asyncio.create_task(posters.post_many(POSTS_AT_ONCE))
                        await asyncio.sleep(0.01)
                    points[point] += 1
                    plan.progress(number, count)
                app.program = plain
                await asyncio.to_thread(app.start)
                await posting
                await posters.post_many(max(0, count * POSTS_A_KILL - len(posters.acknowledged)))
                lost, doubled = await posters.lost_and_doubled()
                differing, _ = await until_equal(followers, app, "kills", 60)
    said = ", ".join(f"{times} {point}" for point, times in points.items())
    return [
        Finding("kills with -9", f"{sum(points.values())} ({said})", sum(points.values()) == count),
        Finding(
            "acknowledged posts", f"{len(posters.acknowledged):,}", len(posters.acknowledged) >= count * POSTS_A_KILL
        ),
        nothing("acknowledged and lost", lost),
        nothing("doubled", doubled),
        nothing("followers that differ from a fresh page", differing),
    ]
