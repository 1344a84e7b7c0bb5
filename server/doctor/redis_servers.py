"""Each Redis: whether it answers, lets us publish and subscribe, and keeps strangers out."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import time
from typing import Any
from urllib.parse import urlsplit

from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError

from channels.brokers.redis_topology import places, split
from server.doctor.finding import Finding, fault, fine, warning
from server.settings import Settings

SECONDS = 3.0
MAX_SKEW_SECONDS = 30


async def look(settings: Settings) -> list[Finding]:
    """Return what is wrong with each Redis of the settings."""
    if not settings.redis_urls:
        return [fine("Redis", "none is set: changes reach gateways by polling, up to a second late")]
    looks = [_one(url, settings.redis_prefix) for url in settings.redis_urls]
    return [finding for found in await asyncio.gather(*looks) for finding in found]


async def _one(url: str, prefix: str) -> list[Finding]:
    name = f"Redis at {_shown(url)}"
    try:
        found = []
        # Each node of a cluster, however many lanes lead to it.
        asked: set[object] = set()
        for place in places(url):
            connection = await place.connection()
            node = getattr(connection, "host", ""), getattr(connection, "port", 0)
            if node not in asked:
                asked.add(node)
                async with asyncio.timeout(SECONDS):
                    found += await _asked(connection, place.tag, name, prefix)
    except (AuthenticationError, NoPermissionError) as error:
        return [fault(name, f"does not accept the user and password of LIVETHREAD_REDIS_URL: {error}.")]
    except (RedisError, OSError, TimeoutError) as error:
        return [fault(name, f"does not answer: {error}. Changes reach gateways by polling until it does.")]
    return [*dict.fromkeys(found), *await _open(url, name)]


async def _asked(connection: AbstractConnection, tag: str, name: str, prefix: str) -> list[Finding]:
    channel = f"{prefix}:{{{tag}}}:doctor" if tag else f"{prefix}:doctor"
    sharded = "S" if tag else ""
    found = []
    try:
        await connection.connect()
        await _say(connection, "PING")
        try:
            await _say(connection, f"{sharded}PUBLISH", channel, "?")
        except NoPermissionError as error:
            found.append(_lacking(name, prefix, error))
        try:
            seconds, _ = await _say(connection, "TIME")
        except RedisError:
            seconds = None
        if seconds is not None and abs(int(seconds) - time.time()) > MAX_SKEW_SECONDS:
            ahead = int(seconds) - time.time()
            found.append(warning("clock", f"{name} has another time: {ahead:+.0f} s. Run NTP on both."))
        try:
            await _say(connection, f"{sharded}SUBSCRIBE", channel)
        except NoPermissionError as error:
            found.append(_lacking(name, prefix, error))
    finally:
        await connection.disconnect(nowait=True)
    return found or [fine(name, "answers, and lets us publish and subscribe")]


async def _say(connection: AbstractConnection, *command: str) -> Any:
    await connection.send_command(*command)
    return await connection.read_response()


def _lacking(name: str, prefix: str, error: RedisError) -> Finding:
    return fault(
        name,
        f"the user lacks a permission: {error}. It needs PING, PUBLISH, SUBSCRIBE and UNSUBSCRIBE (in a cluster "
        f"SPUBLISH, SSUBSCRIBE, SUNSUBSCRIBE and CLUSTER SLOTS), on the channels {prefix}:*.",
    )


async def _open(url: str, name: str) -> list[Finding]:
    """Ask without a password: what answers then answers everybody who can reach it."""
    if not url.startswith("redis://"):
        return []
    parts = urlsplit(url)
    has_password = bool(parts.password or "password=" in parts.query)
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()
    if not has_password and not _is_public(parts.hostname or ""):
        return []
    client = Redis.from_url(bare, protocol=2, driver_info=None, socket_connect_timeout=SECONDS, socket_timeout=SECONDS)
    try:
        await client.execute_command("PING")
    except (RedisError, OSError, TimeoutError):
        return []
    finally:
        await client.aclose()
    return [
        fault(
            name,
            "answers without a password too, so everybody who can reach it can use it. Give the default user a "
            "password (requirepass), or turn it off (ACL SETUSER default off).",
        )
    ]


def _is_public(host: str) -> bool:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return any(ipaddress.ip_address(one[4][0]).is_global for one in found)


def _shown(url: str) -> str:
    """Return the place without what is secret in the address."""
    parts = split(url)
    return parts.netloc.rpartition("@")[2] or parts.path
