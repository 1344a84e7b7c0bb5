"""The broker over Redis pub/sub: supervised for ever, probing itself, owning its connections. JSON only, prefixed.

Pub/sub is at-most-once: every sign that something may have been missed rings `on_trouble`, and the poll runs anyway.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import math
import random
import secrets
from typing import Any

import msgspec
from redis.asyncio import ConnectionPool
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError, ResponseError

from channels.broker import Broker, OnMessage, OnTrouble, State
from channels.change import Change, Message, Ring

log = logging.getLogger("livethread.redis")

CONNECT_SECONDS = 2.0
PUBLISH_SECONDS = 1.0
CONFIRM_SECONDS = 1.0
PROBE_EVERY_SECONDS = 1.0
DEAF_AFTER_SECONDS = 3.0
PUBLISH_QUEUE = 2048
BATCH = 256
MAX_PAUSE_SECONDS = 5.0
_FAILURES = (RedisError, OSError, TimeoutError, EOFError)
# On the wire: [when it was committed, the message].
_messages: msgspec.json.Decoder[tuple[float, Message]] = msgspec.json.Decoder(tuple[float, Message])


class RedisBroker:
    """One Redis. A full publish queue drops: whoever missed a change learns of it from the poll."""

    def __init__(
        self,
        url: str,
        prefix: str,
        on_message: OnMessage = lambda message: None,
        on_trouble: OnTrouble = lambda: None,
    ) -> None:
        # RESP2 and no library name: on connecting, nothing is sent that a user limited to pub/sub may not send.
        self._pool = ConnectionPool.from_url(
            url, protocol=2, driver_info=None, socket_connect_timeout=CONNECT_SECONDS, socket_timeout=None
        )
        self._prefix = f"{prefix}:thread:".encode()
        self._ring_channel = f"{prefix}:ring".encode()
        self._probe_channel = f"{prefix}:probe:{secrets.token_hex(8)}".encode()
        self._on_message = on_message
        self._on_trouble = on_trouble
        self._outgoing: asyncio.Queue[tuple[bytes, bytes]] = asyncio.Queue(PUBLISH_QUEUE)
        self._wanted: set[bytes] = set()
        self._asked: set[bytes] = set()
        self._resuming: set[bytes] = set()
        self._confirmed: dict[bytes, asyncio.Event] = {}
        self._wants_changed = asyncio.Event()
        self._heard_probe_at = -math.inf
        self._said_dropped_at = -math.inf
        self.dropped = 0

    @property
    def state(self) -> State:
        deaf_for = asyncio.get_running_loop().time() - self._heard_probe_at
        return "connected" if deaf_for < DEAF_AFTER_SECONDS else "degraded"

    def publish(self, message: Message) -> None:
        channel = self._ring_channel if isinstance(message, Ring) else self._prefix + message.thread.encode()
        try:
            self._outgoing.put_nowait((channel, _encode(message)))
        except asyncio.QueueFull:
            self._say_dropped()

    def want(self, thread: str) -> None:
        channel = self._prefix + thread.encode()
        self._confirmed.setdefault(channel, asyncio.Event())
        self._wanted.add(channel)
        self._wants_changed.set()

    async def subscribe(self, thread: str) -> bool:
        self.want(thread)
        confirmed = self._confirmed[self._prefix + thread.encode()]
        try:
            async with asyncio.timeout(CONFIRM_SECONDS if self.state == "connected" else 0):
                await confirmed.wait()
        except TimeoutError:
            return False
        return True

    def unsubscribe(self, thread: str) -> None:
        channel = self._prefix + thread.encode()
        self._wanted.discard(channel)
        self._confirmed.pop(channel, None)
        self._resumed(channel)
        self._wants_changed.set()

    async def run(self) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._keep(self._publish_all, "publishing to"))
                tasks.create_task(self._keep(self._hear_all, "listening to"))
        finally:
            await self._pool.aclose()

    async def _keep(self, session: Any, doing: str) -> None:
        """Run `session` with a connection of its own, again and again, with pauses that grow and differ."""
        pause = 0.1
        while True:
            began = asyncio.get_running_loop().time()
            connection = self._pool.make_connection()
            try:
                async with asyncio.timeout(CONNECT_SECONDS + 1):
                    await connection.connect()
                await session(connection)
            except* _FAILURES as failures:
                log.warning("%s Redis failed: %s", doing, _innermost(failures))
            finally:
                await connection.disconnect(nowait=True)
            self._on_trouble()
            if asyncio.get_running_loop().time() - began > MAX_PAUSE_SECONDS:
                pause = 0.1
            await asyncio.sleep(random.uniform(0, pause))
            pause = min(pause * 2, MAX_PAUSE_SECONDS)

    async def _publish_all(self, connection: AbstractConnection) -> None:
        """Publish what is queued, in batches, and a probe each second; who does not answer in time is gone."""
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
                    connection.pack_commands([("PUBLISH", channel, frame) for channel, frame in batch])
                )
                for _ in batch:
                    await connection.read_response(timeout=math.inf)

    async def _hear_all(self, connection: AbstractConnection) -> None:
        self._asked.clear()
        self._resuming = set(self._wanted)
        for confirmed in self._confirmed.values():
            confirmed.clear()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read_all(connection))
            tasks.create_task(self._ask_for_wanted(connection))
            tasks.create_task(self._notice_deafness())

    async def _ask_for_wanted(self, connection: AbstractConnection) -> None:
        """The one place that subscribes on this connection, many channels at a time."""
        await connection.send_command("SUBSCRIBE", self._probe_channel, self._ring_channel)
        while True:
            missing, surplus = list(self._wanted - self._asked), list(self._asked - self._wanted)
            for command, channels in (("SUBSCRIBE", missing), ("UNSUBSCRIBE", surplus)):
                for start in range(0, len(channels), BATCH):
                    await connection.send_command(command, *channels[start : start + BATCH])
            self._asked = set(self._wanted)
            self._wants_changed.clear()
            await self._wants_changed.wait()

    async def _read_all(self, connection: AbstractConnection) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                kind, channel, content = await connection.read_response(timeout=math.inf, disable_decoding=True)
            except ResponseError as error:
                # A user that may not UNSUBSCRIBE hears more than it wants, which the hub drops.
                log.debug("Redis refused: %s", error)
                continue
            if kind == b"message":
                if channel == self._probe_channel:
                    self._heard_probe_at = loop.time()
                else:
                    self._take(content)
            elif kind == b"subscribe":
                if channel == self._probe_channel:
                    self._heard_probe_at = loop.time()
                elif channel in self._confirmed:
                    self._confirmed[channel].set()
                    self._resumed(channel)

    def _resumed(self, channel: bytes) -> None:
        """Everything that was heard before the connection broke is heard again: ask for what went by meanwhile."""
        if channel in self._resuming:
            self._resuming.discard(channel)
            if not self._resuming:
                self._on_trouble()

    async def _notice_deafness(self) -> None:
        """A frozen server closes nothing; only the probe that does not come back tells."""
        await asyncio.sleep(DEAF_AFTER_SECONDS)
        while self.state == "connected":  # noqa: ASYNC110 — time itself is what is waited for
            await asyncio.sleep(PROBE_EVERY_SECONDS)
        raise TimeoutError("no probe came back")

    def _take(self, content: bytes) -> None:
        try:
            committed, message = _messages.decode(content)
        except (msgspec.DecodeError, RecursionError):
            log.warning("dropped a message that is none of ours")
            self._on_trouble()
            return
        if isinstance(message, Ring):
            self._on_trouble()
            return
        if isinstance(message, Change):
            message.__dict__["committed"] = committed
        self._on_message(message)

    def _say_dropped(self) -> None:
        """Once a second at most: while Redis is away there may be thousands."""
        now = asyncio.get_running_loop().time()
        self.dropped += 1
        if now - self._said_dropped_at > 1:
            self._said_dropped_at = now
            log.warning("Redis does not take messages fast enough: %d dropped so far", self.dropped)


class ShardedBroker:
    """Several Redis, each carrying the threads that a stable hash gives it: one is no ceiling."""

    def __init__(self, shards: tuple[RedisBroker, ...]) -> None:
        self._shards = shards

    @property
    def state(self) -> State:
        return "connected" if all(shard.state == "connected" for shard in self._shards) else "degraded"

    def publish(self, message: Message) -> None:
        shard = self._shards[0] if isinstance(message, Ring) else self._shard(message.thread)
        shard.publish(message)

    def want(self, thread: str) -> None:
        self._shard(thread).want(thread)

    async def subscribe(self, thread: str) -> bool:
        return await self._shard(thread).subscribe(thread)

    def unsubscribe(self, thread: str) -> None:
        self._shard(thread).unsubscribe(thread)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for shard in self._shards:
                tasks.create_task(shard.run())

    def _shard(self, thread: str) -> RedisBroker:
        digest = hashlib.sha256(thread.encode()).digest()
        return self._shards[int.from_bytes(digest[:8]) % len(self._shards)]


def redis_broker(
    urls: tuple[str, ...],
    prefix: str,
    on_message: OnMessage = lambda message: None,
    on_trouble: OnTrouble = lambda: None,
) -> Broker:
    """Return the broker for one or several Redis."""
    return ShardedBroker(tuple(RedisBroker(url, prefix, on_message, on_trouble) for url in urls))


def _encode(message: Message) -> bytes:
    if isinstance(message, Change):
        return b"[%f,%s]" % (message.committed, message.frame)
    return b"[0,%s]" % msgspec.json.encode(message)


def _innermost(group: BaseException) -> BaseException:
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    return group
