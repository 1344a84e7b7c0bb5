"""Promise 15: who can write to Redis can delay comments, and nothing else."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter

from redis.asyncio import Redis

from tests.processes import Server, valkey
from tests.torture.clients import Follower, Posters, following, tokens, until_equal
from tests.torture.findings import Finding, Plan, nothing

KEY = "forged"
MAX_WHOLE_SECONDS = 5.0
FORGED_HTML = "<meta http-equiv=refresh content='0;url=https://example.com'>"


async def forged(plan: Plan) -> list[Finding]:
    sent: Counter[str] = Counter()
    with valkey(plan.folder) as store:
        settings = {"LIVETHREAD_REDIS_URL": store.url}
        with (
            Server(plan.folder, **settings) as app,
            Server(plan.folder, "gateway", LIVETHREAD_ORIGIN=app.origin, **settings) as gateway,
        ):
            posters = Posters(app.origin, KEY, await asyncio.to_thread(tokens, app, 5))
            await posters.post()
            async with following([app, gateway], KEY, 6) as followers, asyncio.TaskGroup() as tasks:
                over = asyncio.Event()
                tasks.create_task(_attack(store.url, followers, sent, over))
                began = time.monotonic()
                await posters.post_for(plan.either(5, 60), 10)
                over.set()
                differing, whole = await until_equal(followers, app, KEY)
                seconds = time.monotonic() - began
                typed = sum(follower.frames["typing"] for follower in followers)
                resets = sum(follower.frames["reset"] for follower in followers)
    return [
        *(Finding(f"messages that were {how}", f"{count:,}", count > 20) for how, count in sorted(sent.items())),
        nothing("screens that differ from a fresh page", differing),
        plan.in_time("every screen whole after the end", whole, MAX_WHOLE_SECONDS),
        nothing("frames that say somebody writes, while nobody did", typed),
        nothing("readers sent to fetch the thread again", resets),
        Finding("comments posted meanwhile", f"{len(posters.acknowledged):,} in {seconds:.0f} s", True),
    ]


async def _attack(url: str, followers: list[Follower], sent: Counter[str], over: asyncio.Event) -> None:
    """Hear all that goes over Redis, and send it again as it was, altered, elsewhere, or as one's own."""
    chance = random.Random(15)
    heard: list[tuple[bytes, bytes]] = []
    async with Redis.from_url(url) as redis, redis.pubsub() as everything:
        await everything.psubscribe("*")
        own: set[bytes] = set()
        while not over.is_set():
            message = await everything.get_message(ignore_subscribe_messages=True, timeout=0.01)
            if message is not None and message["data"] not in own and len(heard) < 2_000:
                heard.append((message["channel"], message["data"]))
            for _ in range(5 if heard else 0):
                how, channel, content = _made_of(heard, followers[0], chance)
                own.add(content)
                sent[how] += 1
                await redis.publish(channel, content)


def _made_of(heard: list[tuple[bytes, bytes]], reader: Follower, chance: random.Random) -> tuple[str, bytes, bytes]:
    channel, content = chance.choice(heard)
    how = chance.choice(("replayed", "mutated", "moved to another channel", "forged", "forged without a seal"))
    if how == "replayed":
        return how, channel, content
    if how == "moved to another channel":
        return how, chance.choice(heard)[0], content
    if how == "mutated":
        altered = bytearray(content)
        for _ in range(chance.randrange(1, 4)):
            altered[chance.randrange(len(altered))] = chance.randrange(256)
        return how, channel, bytes(altered)
    version = chance.choice((reader.version + 1, 2**53 - 1, 2**53, 2**63))
    comment = {
        "id": 1, "version": version, "parent": None, "revision": 1, "state": "visible", "html": FORGED_HTML,
        "author": {"name": "Boss", "avatar": "/avatars/x", "badge": "staff"}, "score": 0, "replies": 0,
        "created": "2026-01-01T00:00:00.000Z", "edited": None,
    }  # fmt: skip
    change = {
        "type": "changes", "thread": KEY, "epoch": reader.epoch, "after": reader.version, "version": version,
        "comments": [comment], "info": {"comments": 1_000},
    }  # fmt: skip
    typing = {"type": "typing", "thread": KEY, "parent": None, "names": ["Boss"]}
    frame = json.dumps([time.time(), chance.choice((change, typing, {"type": "ring"}))]).encode()
    return how, f"livethread:{reader.epoch}:thread:{KEY}".encode(), frame if "without" in how else content[:32] + frame
