"""One suite for every broker."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from channels.brokers.authentication import Seal
from channels.brokers.broker import Broker
from channels.brokers.in_process import MemoryBroker
from channels.brokers.redis import redis_broker
from channels.messages import Change, PollNow, Typing
from channels.tasks import Health, Tasks
from tests.processes import Valkey, eventually, valkey

SECRETS = ("a-secret-of-the-tests",)


def change(thread: str, version: int) -> Change:
    return Change(thread=thread, epoch="e", after=version - 1, version=version)


@asynccontextmanager
async def running(broker: Broker) -> AsyncIterator[Broker]:
    health = Health()
    async with Tasks(health) as tasks:
        broker.start(tasks)
        await eventually(lambda: broker.state == "connected", 10)
        yield broker
    assert not health.deaths


@pytest.fixture(params=["memory", "redis", "two redis"])
async def broker(
    request: pytest.FixtureRequest, redis_server: Valkey, key: str
) -> AsyncIterator[tuple[Broker, list[Any]]]:
    heard: list[Any] = []
    if request.param == "memory":
        made: Broker = MemoryBroker(heard.append)
    else:
        urls = (redis_server.url,) if request.param == "redis" else (redis_server.url, redis_server.url + "?db=1")
        made = redis_broker(urls, f"test-{key}", SECRETS, "site", heard.append)
    async with running(made):
        yield made, heard


async def test_what_is_published_on_a_subscribed_thread_arrives_in_order(broker: tuple[Broker, list[Any]]) -> None:
    made, heard = broker
    assert await made.subscribe("a")
    for version in range(1, 101):
        made.publish(change("a", version))
    await eventually(lambda: len(heard) == 100)
    assert [one.version for one in heard] == list(range(1, 101))


async def test_a_thread_that_is_not_subscribed_is_not_heard(broker: tuple[Broker, list[Any]]) -> None:
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
    rung: list[int] = []
    heard: list[Any] = []
    sender = redis_broker((redis_server.url,), f"test-{key}", SECRETS, "site")
    hearer = redis_broker((redis_server.url,), f"test-{key}", SECRETS, "site", heard.append, lambda: rung.append(1))
    async with running(sender), running(hearer):
        await hearer.subscribe("a")
        typing = Typing(thread="a", parent=None, names=("Ana",))
        sender.publish(typing)
        await eventually(lambda: heard == [typing])
        before = len(rung)
        sender.publish(PollNow())
        await eventually(lambda: len(rung) == before + 1)


async def test_a_change_travels_with_the_moment_of_its_commit(redis_server: Valkey, key: str) -> None:
    heard: list[Any] = []
    broker = redis_broker((redis_server.url,), f"test-{key}", SECRETS, "site", heard.append)
    async with running(broker):
        await broker.subscribe("a")
        sent = change("a", 1)
        sent.__dict__["committed"] = 1234.5
        broker.publish(sent)
        await eventually(lambda: heard)
        assert heard[0].committed == 1234.5


async def test_a_thread_can_be_left_and_joined_again(broker: tuple[Broker, list[Any]]) -> None:
    made, heard = broker
    await made.subscribe("a")
    made.unsubscribe("a")
    await asyncio.sleep(0.05)
    assert await made.subscribe("a")
    made.publish(change("a", 1))
    await eventually(lambda: heard)


async def test_many_threads_are_subscribed_at_once(broker: tuple[Broker, list[Any]]) -> None:
    made, heard = broker
    assert all(await asyncio.gather(*(made.subscribe(f"t{number}") for number in range(700))))
    for number in range(700):
        made.publish(change(f"t{number}", 1))
    await eventually(lambda: len(heard) == 700)


async def test_a_redis_that_is_killed_and_started_again_is_found_again_and_rings(tmp_path: Path) -> None:
    heard: list[Any] = []
    rings: list[None] = []
    with valkey(tmp_path) as server:
        async with running(
            redis_broker((server.url,), "p", SECRETS, "site", heard.append, lambda: rings.append(None))
        ) as made:
            await made.subscribe("a")
            server.kill()
            await eventually(lambda: rings)
            made.publish(change("a", 1))
            await eventually(lambda: made.state == "degraded")
            rings.clear()
            server.start()
            await eventually(lambda: made.state == "connected" and rings)

            def arrives() -> bool:
                made.publish(change("a", 2))
                return bool(heard)

            await eventually(arrives)


async def test_a_frozen_redis_is_noticed_and_nothing_waits_for_it(tmp_path: Path) -> None:
    with valkey(tmp_path) as server:
        async with running(redis_broker((server.url,), "p", SECRETS, "site")) as made:
            server.signal(signal.SIGSTOP)
            await eventually(lambda: made.state == "degraded")
            assert await made.subscribe("a") is False
            for version in range(5000):
                made.publish(change("a", version))
            server.signal(signal.SIGCONT)
            await eventually(lambda: made.state == "connected")


async def test_a_redis_that_is_absent_at_the_start_degrades_and_nothing_else(tmp_path: Path) -> None:
    made = redis_broker((f"unix://{tmp_path}/nothing.sock",), "p", SECRETS, "site")
    async with Tasks(Health()) as tasks:
        made.start(tasks)
        made.publish(change("a", 1))
        assert await made.subscribe("a") is False
        assert made.state == "degraded"


async def test_what_is_not_sealed_with_our_secret_is_dropped_and_asks_nothing_of_anybody(
    redis_server: Valkey, key: str
) -> None:
    from redis.asyncio import Redis

    heard: list[Any] = []
    rings: list[None] = []
    broker = redis_broker((redis_server.url,), key, SECRETS, "site", heard.append, lambda: rings.append(None))
    async with running(broker) as made:
        await made.subscribe("a")
        rings.clear()
        channel = f"{key}:site:thread:a"
        forged = Seal("another-secret-of-16").close(channel.encode(), change("a", 2**53 - 1))
        async with Redis.from_url(redis_server.url) as redis:
            for content in (b"\x80\x04 not json", b"", b"[0,%s]" % change("a", 9).frame, forged, b"x" * 1_000_000):
                await redis.publish(channel, content)
        made.publish(change("a", 1))
        await eventually(lambda: heard)
        assert heard == [change("a", 1)]
        assert rings == []


async def test_two_sites_on_one_redis_with_one_prefix_do_not_hear_each_other(redis_server: Valkey, key: str) -> None:
    heard: dict[str, list[Any]] = {"one": [], "other": []}
    one, other = (
        redis_broker((redis_server.url,), key, SECRETS, site, heard[site].append) for site in ("one", "other")
    )
    async with running(one), running(other):
        assert await one.subscribe("a")
        assert await other.subscribe("a")
        one.publish(change("a", 1))
        other.publish(change("a", 2))
        await eventually(lambda: heard["one"] and heard["other"])
        # Both have been on their way over one Redis: a message more of each comes behind whatever went astray.
        one.publish(change("a", 3))
        other.publish(change("a", 4))
        await eventually(lambda: len(heard["one"]) == len(heard["other"]) == 2)
        assert [one.version for one in heard["one"]] == [1, 3]


async def test_a_site_that_is_learned_later_is_heard_from_then_on(redis_server: Valkey, key: str) -> None:
    heard: list[Any] = []
    late = redis_broker((redis_server.url,), key, SECRETS, "", heard.append)
    sender = redis_broker((redis_server.url,), key, SECRETS, "site")
    async with running(late), running(sender):
        assert await late.subscribe("a") is False
        for site in ("another", "site"):
            late.enter(site)
            assert await late.subscribe("a")
        sender.publish(change("a", 1))
        await eventually(lambda: heard)


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

    heard: list[Any] = []
    async with await asyncio.start_server(pass_on, "127.0.0.1", 0, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]
        url = f"rediss://127.0.0.1:{port}?ssl_ca_certs={certificate[0]}"
        async with running(redis_broker((url,), f"test-{key}", SECRETS, "site", heard.append)) as broker:
            assert await broker.subscribe("a")
            broker.publish(change("a", 1))
            await eventually(lambda: heard)


async def test_a_user_that_may_only_publish_subscribe_and_ping_is_enough(redis_server: Valkey, key: str) -> None:
    from redis.asyncio import Redis

    async with Redis.from_url(redis_server.url) as redis:
        await redis.execute_command(
            "ACL", "SETUSER", "narrow", "on", ">secret", "-@all", "+publish", "+subscribe", "+ping", "allchannels"
        )
    heard: list[Any] = []
    url = redis_server.url.replace("unix://", "unix://narrow:secret@")
    async with running(redis_broker((url,), key, SECRETS, "site", heard.append)) as made:
        await made.subscribe("a")
        await made.subscribe("b")
        made.unsubscribe("b")
        made.publish(change("a", 1))
        await eventually(lambda: heard)
