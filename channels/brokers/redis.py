"""The broker over Redis pub/sub: supervised for ever, probing itself, owning its connections. JSON only, sealed.

Channels are `PREFIX:SITE:thread:KEY` and `PREFIX:SITE:ring`: two sites may share a Redis and a prefix. In a cluster
`{TAG}:` follows the prefix, and the channels are sharded (Redis 7): one node carries them, not all. Pub/sub is
at-most-once: every sign that something may have been missed rings `on_trouble`, and the poll runs anyway.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import math
import random
import secrets
from functools import partial
from typing import Any

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import AskError, ClusterDownError, RedisError, ResponseError

from channels.brokers.authentication import Forged, Replayed, Seal
from channels.brokers.broker import OnMessage, OnTrouble, State
from channels.brokers.redis_topology import CONNECT_SECONDS, Place, places
from channels.messages import Message, PollNow
from channels.tasks import Health, Tasks

log = logging.getLogger("livethread.redis")

PUBLISH_SECONDS = 1.0
CONFIRM_SECONDS = 1.0
PROBE_EVERY_SECONDS = 1.0
DEAF_AFTER_SECONDS = 3.0
PUBLISH_QUEUE = 2048
BATCH = 256
MAX_PAUSE_SECONDS = 5.0
SAY_EVERY_SECONDS = 10.0
_FAILURES = (RedisError, OSError, TimeoutError, EOFError)
# A channel beside those of the threads: what everybody hears.
_EVERYBODY = ""


class RedisBroker:
    """One Redis. A full publish queue drops messages: readers learn of missed changes from the poll.

    `site` tells one database from another. While nobody knows it ("") nothing is said or heard.
    """

    def __init__(
        self,
        place: Place,
        prefix: str,
        secrets_: tuple[str, ...],
        site: str = "",
        on_message: OnMessage = lambda message: None,
        on_trouble: OnTrouble = lambda: None,
    ) -> None:
        self._place = place
        self._is_sharded = bool(place.tag)
        self._prefix = f"{prefix}:{{{place.tag}}}" if place.tag else prefix
        self._site = site
        self._seal = Seal(*secrets_)
        self._probe_channel = f"{self._prefix}:probe:{secrets.token_hex(8)}".encode()
        self._on_message = on_message
        self._on_trouble = on_trouble
        self._outgoing: asyncio.Queue[tuple[bytes, bytes]] = asyncio.Queue(PUBLISH_QUEUE)
        self._wanted = {_EVERYBODY}
        # Subscriptions requested on this connection, by thread, and whether each is confirmed.
        self._asked: dict[str, bytes] = {}
        self._confirmed: set[bytes] = set()
        self._resuming: set[bytes] = set()
        self._waiting: dict[bytes, asyncio.Event] = {}
        # Threads whose wanted subscription may differ from the requested one.
        self._changed: set[str] = set()
        self._wants_changed = asyncio.Event()
        self._heard_probe_at = -math.inf
        self._said_at: dict[str, float] = {}
        self.dropped = self.refused = 0
        self._health: Health

    @property
    def state(self) -> State:
        deaf_for = asyncio.get_running_loop().time() - self._heard_probe_at
        return "connected" if deaf_for < DEAF_AFTER_SECONDS else "degraded"

    def publish(self, message: Message) -> None:
        if not self._site:
            return
        channel = self._channel(_EVERYBODY if isinstance(message, PollNow) else message.thread)
        try:
            self._outgoing.put_nowait((channel, self._seal.close(channel, message)))
        except asyncio.QueueFull:
            self.dropped += 1
            self._say_sometimes("Redis is too slow: %d messages dropped so far", self.dropped)

    def enter(self, site: str) -> None:
        """Speak and hear as `site` from now on."""
        if site != self._site:
            self._site = site
            self._change(*self._wanted, *self._asked)

    def want(self, thread: str) -> None:
        self._wanted.add(thread)
        self._change(thread)

    async def subscribe(self, thread: str) -> bool:
        self.want(thread)
        channel = self._channel(thread)
        if channel in self._confirmed:
            return True
        if not self._site or self.state != "connected":
            return False
        waiting = self._waiting.setdefault(channel, asyncio.Event())
        try:
            async with asyncio.timeout(CONFIRM_SECONDS):
                await waiting.wait()
        except TimeoutError:
            return False
        return True

    def unsubscribe(self, thread: str) -> None:
        if thread in self._wanted:
            self._wanted.discard(thread)
            self._waiting.pop(self._channel(thread), None)
            self._change(thread)

    def _channel(self, thread: str) -> bytes:
        return f"{self._prefix}:{self._site}:{f'thread:{thread}' if thread else 'ring'}".encode()

    def _change(self, *threads: str) -> None:
        self._changed.update(threads)
        self._wants_changed.set()

    def start(self, tasks: Tasks) -> None:
        self._health = tasks.health
        tasks.keep("publishing to Redis", partial(self._keep, self._publish_all, "publishing to"))
        tasks.keep("listening to Redis", partial(self._keep, self._hear_all, "listening to"))

    async def _keep(self, session: Any, doing: str) -> None:
        """Run `session` with a connection of its own, again and again, with pauses that grow and differ."""
        pause = 0.1
        while True:
            began = asyncio.get_running_loop().time()
            connection: AbstractConnection | None = None
            try:
                async with asyncio.timeout(CONNECT_SECONDS + 1):
                    connection = await self._place.connection()
                    await connection.connect()
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(session(connection))
                    tasks.create_task(self._notice_another_server(connection))
            except* _FAILURES as failures:
                log.warning("%s Redis failed: %s", doing, _innermost(failures))
            finally:
                if connection is not None:
                    await connection.disconnect(nowait=True)
            self._on_trouble()
            if asyncio.get_running_loop().time() - began > MAX_PAUSE_SECONDS:
                pause = 0.1
            await asyncio.sleep(random.uniform(0, pause))
            pause = min(pause * 2, MAX_PAUSE_SECONDS)

    async def _publish_all(self, connection: AbstractConnection) -> None:
        """Publish the queue in batches, and a probe each second; a Redis that does not answer in time is gone."""
        loop = asyncio.get_running_loop()
        probe_at = loop.time()
        while True:
            batch: list[tuple[bytes, bytes]] = []
            try:
                async with asyncio.timeout_at(probe_at):
                    batch.append(await self._outgoing.get())
            except TimeoutError:
                batch.append((self._probe_channel, b"?"))
                probe_at = loop.time() + PROBE_EVERY_SECONDS
            while len(batch) < BATCH and not self._outgoing.empty():
                batch.append(self._outgoing.get_nowait())
            async with asyncio.timeout(PUBLISH_SECONDS):
                await connection.send_packed_command(
                    connection.pack_commands([(self._verb("PUBLISH"), channel, frame) for channel, frame in batch])
                )
                for _ in batch:
                    await connection.read_response(timeout=math.inf)

    async def _hear_all(self, connection: AbstractConnection) -> None:
        # All that was heard before is to be heard again, and may have been missed meanwhile.
        self._resuming = self._confirmed
        self._confirmed = set()
        self._asked.clear()
        self._change(*self._wanted)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read_all(connection))
            tasks.create_task(self._ask_for_wanted(connection))
            tasks.create_task(self._notice_deafness())

    async def _ask_for_wanted(self, connection: AbstractConnection) -> None:
        """The one place that subscribes on this connection, many channels at a time."""
        await connection.send_command(self._verb("SUBSCRIBE"), self._probe_channel)
        while True:
            missing, surplus = [], []
            for thread in self._changed:
                wanted = self._channel(thread) if self._site and thread in self._wanted else None
                asked = self._asked.pop(thread, None)
                if wanted is not None:
                    self._asked[thread] = wanted
                if wanted == asked:
                    continue
                if wanted is not None:
                    missing.append(wanted)
                if asked is not None:
                    surplus.append(asked)
                    self._confirmed.discard(asked)
            self._changed.clear()
            self._wants_changed.clear()
            for command, channels in (("SUBSCRIBE", missing), ("UNSUBSCRIBE", surplus)):
                for start in range(0, len(channels), BATCH):
                    await connection.send_command(self._verb(command), *channels[start : start + BATCH])
            self._resumed(*surplus)
            await self._wants_changed.wait()

    async def _read_all(self, connection: AbstractConnection) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                kind, channel, content = await connection.read_response(timeout=math.inf, disable_decoding=True)
            except (AskError, ClusterDownError):
                # The slot is elsewhere by now, or nowhere.
                raise
            except ResponseError as error:
                # A user that may not UNSUBSCRIBE hears more than it wants, which the hub drops.
                log.debug("Redis refused: %s", error)
                continue
            if channel == self._probe_channel:
                self._heard_probe_at = loop.time()
            elif kind in (b"message", b"smessage"):
                self._take(channel, content)
            elif kind == b"sunsubscribe" and channel in self._confirmed:
                raise ConnectionError("the slot moves to another node")
            elif kind in (b"subscribe", b"ssubscribe"):
                self._confirmed.add(channel)
                self._resumed(channel)
                waiting = self._waiting.pop(channel, None)
                if waiting is not None:
                    waiting.set()

    def _resumed(self, *channels: bytes) -> None:
        """Everything that was heard before the connection broke is heard again: ask for what went by meanwhile."""
        if self._resuming:
            self._resuming.difference_update(channels)
            if not self._resuming:
                self._on_trouble()

    async def _notice_deafness(self) -> None:
        """A frozen server closes nothing; only the probe that does not come back tells."""
        await asyncio.sleep(DEAF_AFTER_SECONDS)
        while self.state == "connected":  # noqa: ASYNC110 — time itself is what is waited for
            await asyncio.sleep(PROBE_EVERY_SECONDS)
        raise TimeoutError("no probe came back")

    async def _notice_another_server(self, connection: AbstractConnection) -> None:
        """After a failover the server that was the master may still answer, and nobody hears what is said there."""
        while not await self._place.has_moved(connection):  # noqa: ASYNC110 — it is to be asked again and again
            await asyncio.sleep(PROBE_EVERY_SECONDS)
        raise ConnectionError("another server is the master by now")

    def _verb(self, command: str) -> str:
        return f"S{command}" if self._is_sharded else command

    def _take(self, channel: bytes, content: bytes) -> None:
        try:
            message = self._seal.open(channel, content)
        except (Forged, Replayed) as error:
            # No reason to ask the app: a stranger on this Redis could make us ask without end. The poll runs anyway.
            self.refused += 1
            if isinstance(error, Forged):
                self._say_sometimes(
                    "dropped messages on Redis that failed authentication: %d so far (%s)", self.refused, error
                )
            return
        if isinstance(message, PollNow):
            self._on_trouble()
            return
        try:
            self._on_message(message)
        except Exception as error:  # noqa: BLE001 — the next message is another
            self._health.died("hearing a message", error)
            self._on_trouble()

    def _say_sometimes(self, what: str, *values: object) -> None:
        """Log it once in ten seconds at most: there may be thousands."""
        now = asyncio.get_running_loop().time()
        if now - self._said_at.get(what, -math.inf) > SAY_EVERY_SECONDS:
            self._said_at[what] = now
            log.warning(what, *values)


class ShardedBroker:
    """Several Redis servers that share the threads by a stable hash."""

    def __init__(self, shards: tuple[RedisBroker, ...]) -> None:
        self._shards = shards

    @property
    def state(self) -> State:
        return "connected" if all(shard.state == "connected" for shard in self._shards) else "degraded"

    @property
    def refused(self) -> int:
        return sum(shard.refused for shard in self._shards)

    def publish(self, message: Message) -> None:
        shard = self._shards[0] if isinstance(message, PollNow) else self._shard(message.thread)
        shard.publish(message)

    def enter(self, site: str) -> None:
        for shard in self._shards:
            shard.enter(site)

    def want(self, thread: str) -> None:
        self._shard(thread).want(thread)

    async def subscribe(self, thread: str) -> bool:
        return await self._shard(thread).subscribe(thread)

    def unsubscribe(self, thread: str) -> None:
        self._shard(thread).unsubscribe(thread)

    def start(self, tasks: Tasks) -> None:
        for shard in self._shards:
            shard.start(tasks)

    def _shard(self, thread: str) -> RedisBroker:
        digest = hashlib.sha256(thread.encode()).digest()
        return self._shards[int.from_bytes(digest[:8]) % len(self._shards)]


def redis_broker(
    urls: tuple[str, ...],
    prefix: str,
    secrets_: tuple[str, ...],
    site: str = "",
    on_message: OnMessage = lambda message: None,
    on_trouble: OnTrouble = lambda: None,
) -> ShardedBroker:
    """Return the broker for one or several Redis: it seals with the first of the secrets, and opens with any."""
    return ShardedBroker(
        tuple(
            RedisBroker(place, prefix, secrets_, site, on_message, on_trouble) for url in urls for place in places(url)
        )
    )


def _innermost(group: BaseException) -> BaseException:
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    return group
