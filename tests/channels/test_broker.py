"""One suite for every broker."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from channels.broker import Broker
from channels.broker_memory import MemoryBroker
from channels.broker_redis import redis_broker
from channels.change import Change, Ring, Typing
from tests.processes import Valkey, eventually, valkey

Open = Callable[..., object]


def change(thread: str, version: int) -> Change:
    return Change(thread=thread, epoch="e", after=version - 1, version=version)


@asynccontextmanager
async def running(broker: Broker) -> AsyncIterator[Broker]:
    task = asyncio.create_task(broker.run())
    try:
        await eventually(lambda: broker.state == "connected" or task.done(), 10)
        yield broker
    finally:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()


@pytest.fixture(params=["memory", "redis", "two redis"])
async def broker(
    request: pytest.FixtureRequest, redis_server: Valkey, key: str
) -> AsyncIterator[tuple[Broker, list[Change]]]:
    heard: list[Change] = []
    if request.param == "memory":
        made: Broker = MemoryBroker(heard.append)
    else:
        urls = (redis_server.url,) if request.param == "redis" else (redis_server.url, redis_server.url + "?db=1")
        made = redis_broker(urls, f"test-{key}", heard.append)
    async with running(made):
        yield made, heard


async def test_what_is_published_on_a_subscribed_thread_arrives_in_order(broker: tuple[Broker, list[Change]]) -> None:
    made, heard = broker
    assert await made.subscribe("a")
    for version in range(1, 101):
        made.publish(change("a", version))
    await eventually(lambda: len(heard) == 100)
    assert [one.version for one in heard] == list(range(1, 101))


async def test_a_thread_that_is_not_subscribed_is_not_heard(broker: tuple[Broker, list[Change]]) -> None:
    made, heard = broker
    await made.subscribe("a")
    await made.subscribe("b")
    made.unsubscribe("a")
    await asyncio.sleep(0.05)
    made.publish(change("a", 1))
    made.publish(change("b", 2))
    await eventually(lambda: heard)
    assert [one.thread for one in heard] == ["b"]


async def test_who_types_is_heard_on_the_thread_and_a_ring_by_everybody(redis_server: Valkey, key: str) -> None:
    rung, heard = [], []
    sender = redis_broker((redis_server.url,), f"test-{key}")
    hearer = redis_broker((redis_server.url,), f"test-{key}", heard.append, lambda: rung.append(1))
    async with running(sender), running(hearer):
        await hearer.subscribe("a")
        typing = Typing(thread="a", parent=None, names=("Ana",))
        sender.publish(typing)
        await eventually(lambda: heard == [typing])
        before = len(rung)
        sender.publish(Ring())
        await eventually(lambda: len(rung) == before + 1)


async def test_a_change_travels_with_the_moment_of_its_commit(redis_server: Valkey, key: str) -> None:
    heard: list[Change] = []
    broker = redis_broker((redis_server.url,), f"test-{key}", heard.append)
    async with running(broker):
        await broker.subscribe("a")
        sent = change("a", 1)
        sent.__dict__["committed"] = 1234.5
        broker.publish(sent)
        await eventually(lambda: heard)
        assert heard[0].committed == 1234.5


async def test_a_thread_can_be_left_and_joined_again(broker: tuple[Broker, list[Change]]) -> None:
    made, heard = broker
    await made.subscribe("a")
    made.unsubscribe("a")
    await asyncio.sleep(0.05)
    assert await made.subscribe("a")
    made.publish(change("a", 1))
    await eventually(lambda: heard)


async def test_many_threads_are_subscribed_at_once(broker: tuple[Broker, list[Change]]) -> None:
    made, heard = broker
    assert all(await asyncio.gather(*(made.subscribe(f"t{number}") for number in range(700))))
    for number in range(700):
        made.publish(change(f"t{number}", 1))
    await eventually(lambda: len(heard) == 700)


async def test_a_redis_that_is_killed_and_started_again_is_found_again_and_rings(tmp_path: Path) -> None:
    heard: list[Change] = []
    rings: list[None] = []
    with valkey(tmp_path) as server:
        async with running(redis_broker((server.url,), "p", heard.append, lambda: rings.append(None))) as made:
            await made.subscribe("a")
            server.kill()
            await eventually(lambda: rings)
            made.publish(change("a", 1))
            await eventually(lambda: made.state == "degraded")
            rings.clear()
            server.start()
            await eventually(lambda: made.state == "connected" and rings)
            await eventually(lambda: made.publish(change("a", 2)) or heard)


async def test_a_frozen_redis_is_noticed_and_nothing_waits_for_it(tmp_path: Path) -> None:
    with valkey(tmp_path) as server:
        async with running(redis_broker((server.url,), "p")) as made:
            server.signal(signal.SIGSTOP)
            await eventually(lambda: made.state == "degraded")
            assert await made.subscribe("a") is False
            for version in range(5000):
                made.publish(change("a", version))
            server.signal(signal.SIGCONT)
            await eventually(lambda: made.state == "connected")


async def test_a_redis_that_is_absent_at_the_start_degrades_and_nothing_else(tmp_path: Path) -> None:
    made = redis_broker((f"unix://{tmp_path}/nothing.sock",), "p")
    task = asyncio.create_task(made.run())
    made.publish(change("a", 1))
    assert await made.subscribe("a") is False
    assert made.state == "degraded"
    task.cancel()
    await asyncio.wait([task])


async def test_a_message_that_is_no_change_rings_and_is_dropped(redis_server: Valkey, key: str) -> None:
    from redis.asyncio import Redis

    heard: list[Change] = []
    rings: list[None] = []
    async with running(redis_broker((redis_server.url,), key, heard.append, lambda: rings.append(None))) as made:
        await made.subscribe("a")
        rings.clear()
        async with Redis.from_url(redis_server.url) as redis:
            await redis.publish(f"{key}:thread:a", b"\x80\x04 not json")
        await eventually(lambda: rings)
        assert heard == []


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that nobody signed but itself, and its key."""
    made = tmp_path / "certificate.pem", tmp_path / "private.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=valkey",
         "-addext", "subjectAltName=IP:127.0.0.1", "-out", made[0], "-keyout", made[1]],
        check=True, capture_output=True,
    )  # fmt: skip
    return made


async def test_a_redis_behind_tls_is_reached_by_rediss(
    redis_server: Valkey, key: str, certificate: tuple[Path, Path]
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_unix_connection(redis_server.path)

        async def copy(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError):
                while data := await source.read(65536):
                    to.write(data)
            to.close()

        await asyncio.gather(copy(reader, inner_writer), copy(inner_reader, writer))

    heard: list[Change] = []
    async with await asyncio.start_server(pass_on, "127.0.0.1", 0, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]
        url = f"rediss://127.0.0.1:{port}?ssl_ca_certs={certificate[0]}"
        async with running(redis_broker((url,), f"test-{key}", heard.append)) as broker:
            assert await broker.subscribe("a")
            broker.publish(change("a", 1))
            await eventually(lambda: heard)


async def test_a_user_that_may_only_publish_subscribe_and_ping_is_enough(redis_server: Valkey, key: str) -> None:
    from redis.asyncio import Redis

    async with Redis.from_url(redis_server.url) as redis:
        await redis.execute_command(
            "ACL", "SETUSER", "narrow", "on", ">secret", "-@all", "+publish", "+subscribe", "+ping", "allchannels"
        )
    heard: list[Change] = []
    url = redis_server.url.replace("unix://", "unix://narrow:secret@")
    async with running(redis_broker((url,), key, heard.append)) as made:
        await made.subscribe("a")
        await made.subscribe("b")
        made.unsubscribe("b")
        made.publish(change("a", 1))
        await eventually(lambda: heard)
