"""Promise 5: everything that can befall Redis, while somebody posts ten comments a second."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Awaitable, Callable

import httpx2

from tests.processes import Server, Valkey, eventually, valkey
from tests.torture.clients import Follower, Posters, following, tokens, until_equal
from tests.torture.findings import Finding, Plan, nothing

MAX_LATE_SECONDS = 3.0
MAX_WHOLE_SECONDS = 5.0
# The author of a comment waits for the disk and a busy machine, never for Redis.
MAX_POST_SECONDS = 1.0
POSTS_A_SECOND = 10


async def redis(plan: Plan) -> list[Finding]:
    frozen = plan.either(6, 30)
    findings = []
    with valkey(plan.folder) as store:
        settings = {"LIVETHREAD_REDIS_URL": store.url}
        with (
            Server(plan.folder, **settings) as app,
            Server(plan.folder, "gateway", LIVETHREAD_ORIGIN=app.origin, **settings) as gateway,
        ):
            given = await asyncio.to_thread(tokens, app, 5)

            async def kill() -> None:
                store.kill()
                await asyncio.sleep(frozen / 2)
                store.start()

            async def freeze() -> None:
                store.signal(signal.SIGSTOP)
                await asyncio.sleep(frozen)
                store.signal(signal.SIGCONT)

            async def pause() -> None:
                store.say("CLIENT", "PAUSE", str(frozen * 500), "ALL")
                await asyncio.sleep(frozen / 2)

            async def cut() -> None:
                for _ in range(5):
                    store.say("CLIENT", "KILL", "TYPE", "pubsub")
                    store.say("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
                    await asyncio.sleep(0.7)

            async def empty() -> None:
                store.kill()
                store.start()
                await asyncio.sleep(1)

            for name, damage in (
                ("killed, and started later", kill),
                (f"frozen for {frozen} s", freeze),
                (f"paused for {frozen / 2:g} s", pause),
                ("its clients killed five times", cut),
                ("restarted at once, empty", empty),
            ):
                findings += await _during(plan, name, damage, app, gateway, given)
            findings += await _overflow(plan, store, app, gateway, given)
    return findings


async def _during(
    plan: Plan, name: str, damage: Callable[[], Awaitable[None]], app: Server, gateway: Server, given: list[str]
) -> list[Finding]:
    key = f"redis-{abs(hash(name))}"
    posters = Posters(app.origin, key, given)
    posted_at: dict[int, float] = {}

    async def post() -> None:
        _, id_ = await posters.post()
        posted_at[id_] = time.monotonic()

    async with following([app, gateway], key, 4) as followers:
        async with asyncio.TaskGroup() as tasks:
            damaging = tasks.create_task(_after_a_second(damage))
            while not damaging.done():
                tasks.create_task(post())
                await asyncio.sleep(1 / POSTS_A_SECOND)
        differing, whole = await until_equal(followers, app, key)
    late = max(_lateness(follower, posted_at) for follower in followers)
    return [
        nothing(f"{name}: comments missing on a screen", differing),
        nothing(f"{name}: posts that failed or were sent again", posters.sent_again),
        plan.in_time(f"{name}: slowest post", posters.slowest_seconds, MAX_POST_SECONDS),
        plan.in_time(f"{name}: latest on a screen after its acknowledgement", late, MAX_LATE_SECONDS),
        plan.in_time(f"{name}: every screen whole after its end", whole, MAX_WHOLE_SECONDS),
    ]


async def _after_a_second(damage: Callable[[], Awaitable[None]]) -> None:
    await asyncio.sleep(1)
    await damage()
    await asyncio.sleep(1)


def _lateness(follower: Follower, posted_at: dict[int, float]) -> float:
    return max(follower.heard_at.get(id_, float("inf")) - at for id_, at in posted_at.items())


async def _overflow(plan: Plan, store: Valkey, app: Server, gateway: Server, given: list[str]) -> list[Finding]:
    """Redis drops a subscriber that lets its output pile up: here a gateway that is held still."""
    name = "its output buffer overflows"
    store.say("CONFIG", "SET", "client-output-buffer-limit", "pubsub 65536 0 0")
    before = _dropped(store)
    posters = Posters(app.origin, "redis-overflow", given)
    async with following([app, gateway], "redis-overflow", 4) as followers:
        # After all that was done before, it may just be waiting to connect again.
        await eventually(lambda: "redis_connected 1.0" in httpx2.get(f"{gateway.origin}/metrics", trust_env=False).text)
        # A process subscribes to a thread once it has a comment.
        await posters.post()
        await until_equal(followers, app, "redis-overflow")
        assert gateway.process is not None
        os.kill(gateway.process.pid, signal.SIGSTOP)
        for _ in range(120):
            await posters.post(padding=" " + "x" * 9_000)
        # Redis counts it in its own time.
        with contextlib.suppress(TimeoutError):
            await eventually(lambda: _dropped(store) > before, 5)
        dropped = _dropped(store) - before
        os.kill(gateway.process.pid, signal.SIGCONT)
        differing, whole = await until_equal(followers, app, "redis-overflow")
    return [
        Finding(f"{name}: subscribers dropped by Redis", f"{dropped}", dropped > 0),
        nothing(f"{name}: comments missing on a screen", differing),
        # More than a diff may hold: a reset, which sends the readers back over five seconds.
        plan.in_time(f"{name}: every screen whole after its end", whole, 2 * MAX_WHOLE_SECONDS),
    ]


def _dropped(store: Valkey) -> int:
    for line in store.say("INFO", "stats").decode(errors="replace").splitlines():
        if line.startswith("client_output_buffer_limit_disconnections"):
            return int(line.split(":")[1])
    return 0
