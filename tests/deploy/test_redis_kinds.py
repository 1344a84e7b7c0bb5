"""Redis in every form that operators run it: messages arrive, and after a failover they arrive again."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from urllib.parse import quote

import httpx2
import pytest
from redis.crc import key_slot

from channels.brokers.redis import ShardedBroker, redis_broker
from channels.brokers.redis_topology import LANES, _tags
from channels.messages import Message, Typing
from channels.tasks import Health, Tasks
from server.doctor import redis_servers
from server.settings import read
from tests.deploy.redis_servers import Cluster, Node, Watched, certificates, debians, running
from tests.ports import free_port
from tests.processes import Server, eventually
from tests.torture.clients import Posters, following, tokens, until_equal, until_live

SECRETS = ("a-secret-of-the-tests",)
# Every character that may stand in a password, and what an address makes of some of them.
ODD = "p@ss:/?#[]!$&'()*+,;=%\"\\^`{|}~<> -_.ü€"
ACL = "+ping +publish +subscribe +unsubscribe"


@contextlib.asynccontextmanager
async def pair(url: str) -> AsyncIterator[tuple[ShardedBroker, ShardedBroker, list[Message]]]:
    """Two processes' brokers over one Redis, as the settings read its address, and what the second one hears."""
    heard: list[Message] = []
    urls = read({"LIVETHREAD_REDIS_URL": url}).redis_urls
    speaking = redis_broker(urls, "talk", SECRETS, "site")
    hearing = redis_broker(urls, "talk", SECRETS, "site", heard.append)
    async with Tasks(Health()) as tasks:
        for broker in (speaking, hearing):
            broker.start(tasks)
        await eventually(lambda: speaking.state == hearing.state == "connected")
        yield speaking, hearing, heard


async def all_arrive(url: str) -> None:
    async with pair(url) as (speaking, hearing, heard):
        await _all_arrive(speaking, hearing, heard)


async def _all_arrive(speaking: ShardedBroker, hearing: ShardedBroker, heard: list[Message]) -> None:
    """Say something in threads of every lane until all of it arrives: pub/sub itself promises nothing."""
    threads = {f"thread-{number}" for number in range(20)}
    heard.clear()
    for thread in threads:
        await eventually(partial(hearing.subscribe, thread))

    def has_arrived() -> bool:
        for thread in threads - {one.thread for one in heard if isinstance(one, Typing)}:
            speaking.publish(Typing(thread=thread, parent=None, names=("Ana",)))
        return threads == {one.thread for one in heard if isinstance(one, Typing)}

    await eventually(has_arrived)


async def test_a_password_may_have_every_character(tmp_path: Path) -> None:
    node = Node(tmp_path, "user default off", "user ops on nopass ~* &* +@all", username="ops", password="x")
    with running(node):
        node.start()
        node.client.execute_command(
            "ACL", "SETUSER", "talk@ü", "on", f">{ODD}", "resetchannels", "&talk:*", *ACL.split()
        )
        url = f"redis://{quote('talk@ü', safe='')}:{quote(ODD, safe='')}@127.0.0.1:{node.port}"
        await all_arrive(url)
        found = await redis_servers.look(read({"LIVETHREAD_REDIS_URL": url, "LIVETHREAD_REDIS_PREFIX": "talk"}))
        assert {one.grade for one in found} == {"fine"}, found


@pytest.mark.parametrize("clients", ["no", "yes"], ids=["TLS", "TLS of both sides"])
async def test_tls_by_an_authority_of_ones_own(clients: str, tmp_path: Path) -> None:
    at = certificates(tmp_path)
    own = {"ssl": True, "ssl_ca_certs": str(at / "ca.crt")}
    own |= {"ssl_certfile": str(at / "client.crt"), "ssl_keyfile": str(at / "client.key")}
    port = free_port()
    node = Node(
        tmp_path, "port 0", f"tls-port {port}", f"tls-cert-file {at}/server.crt", f"tls-key-file {at}/server.key",
        f"tls-ca-cert-file {at}/ca.crt", f"tls-auth-clients {clients}", program=debians(), port=port, **own,
    )  # fmt: skip
    with running(node):
        node.start()
        url = f"rediss://127.0.0.1:{node.port}?ssl_ca_certs={at}/ca.crt"
        certificate = f"&ssl_certfile={at}/client.crt&ssl_keyfile={at}/client.key"
        await all_arrive(url + (certificate if clients == "yes" else ""))
        # Not by an authority that nobody named, nor without a certificate where one is asked for.
        wrong = f"rediss://127.0.0.1:{node.port}" if clients == "no" else url
        found = await redis_servers.look(read({"LIVETHREAD_REDIS_URL": wrong}))
        assert [one.grade for one in found] == ["fault"]


async def test_sharded_channels_of_a_cluster_are_spread_over_its_slots() -> None:
    slots = [key_slot(f"talk:{{{tag}}}:site:thread:a".encode()) for tag in _tags()]
    assert [slot * LANES // 16384 for slot in slots] == list(range(LANES))


@pytest.mark.parametrize("kind", [Watched, Cluster])
async def test_after_a_master_froze_messages_arrive_over_the_next_one(
    kind: type[Watched] | type[Cluster], tmp_path: Path
) -> None:
    store = kind(tmp_path)
    with running(*store.nodes):
        await asyncio.to_thread(store.start)
        async with pair(store.url) as (speaking, hearing, heard):
            await _all_arrive(speaking, hearing, heard)
            store.masters[0].signal(signal.SIGSTOP)
            await eventually(store.has_failed_over)
            await _all_arrive(speaking, hearing, heard)
            # The master that was is back, and does not know yet that it is none: nobody goes on talking to it.
            store.masters[0].signal(signal.SIGCONT)
            await _all_arrive(speaking, hearing, heard)


@pytest.mark.parametrize("kind", [Watched, Cluster])
async def test_after_a_master_was_killed_readers_are_live_and_miss_nothing(
    kind: type[Watched] | type[Cluster], tmp_path: Path
) -> None:
    store = kind(tmp_path)
    with running(*store.nodes):
        await asyncio.to_thread(store.start)
        settings = {"LIVETHREAD_REDIS_URL": store.url}
        with (
            Server(tmp_path, **settings) as app,
            Server(tmp_path, "gateway", LIVETHREAD_APP_URL=app.origin, **settings) as gateway,
        ):
            posters = Posters(app.origin, "over", await asyncio.to_thread(tokens, app, 2))
            await posters.post()
            async with following([app, gateway], "over", 6) as followers:
                posting = asyncio.create_task(posters.post_for(600, 10))
                store.masters[0].kill()
                await eventually(store.has_failed_over)
                await eventually(lambda: _is_connected(gateway) and _is_connected(app))
                await posters.post()
                posting.cancel()
                await asyncio.wait([posting])
                await until_live(followers, 30)
                assert await posters.lost_and_doubled() == (0, 0)
                differing, _ = await until_equal(followers, app, "over", 30)
            await posters.client.aclose()
        assert differing == 0


def _is_connected(server: Server) -> bool:
    said = httpx2.get(f"{server.origin}/ready", trust_env=False, verify=False).json()
    return bool(said.get("redis") == "connected")
