"""Where a Redis is: at one address, where its Sentinels say, or in a cluster. Makes connections; knows no message.

Addresses are as the settings have them: `redis://`, `rediss://`, `unix://`; `redis+sentinel://HOST:PORT,…/SERVICE` and
`redis+cluster://HOST:PORT,…`, with `rediss+…` under TLS.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from redis.asyncio import ConnectionPool
from redis.asyncio.connection import AbstractConnection
from redis.crc import key_slot
from redis.exceptions import ConnectionError as Unreachable
from redis.exceptions import RedisError

CONNECT_SECONDS = 2.0
# For one Sentinel, or one node that is asked who serves a slot: others are asked next.
ASK_SECONDS = 1.0
# The threads of a cluster are shared by so many fixed slots, spread over all of them, and so over the nodes.
LANES = 8
SLOTS = 16384
SENTINEL_PORT, REDIS_PORT = 26379, 6379
_FAILURES = (RedisError, OSError, TimeoutError)


class Place(Protocol):
    """`tag` is what all channels there have in their names, so that a cluster keeps them together ("": no cluster)."""

    tag: str

    async def connection(self) -> AbstractConnection:
        """Return a connection to the server that is there now, not yet connected. Raises RedisError and OSError."""

    async def has_moved(self, connection: AbstractConnection) -> bool:
        """Say whether another server is there by now. Costs a question at most; False where nobody answers it."""


def places(url: str) -> list[Place]:
    """Return the places behind an address: one, or those of a cluster."""
    scheme = url.partition("://")[0]
    if scheme.endswith("+sentinel"):
        return [Sentinels(url)]
    if scheme.endswith("+cluster"):
        nodes = Nodes(url)
        return [Lane(nodes, tag) for tag in _tags()]
    return [OneAddress(url)]


class OneAddress:
    tag = ""

    def __init__(self, url: str) -> None:
        self._pool = _pool(url)

    async def connection(self) -> AbstractConnection:
        made: AbstractConnection = self._pool.make_connection()
        return made

    async def has_moved(self, connection: AbstractConnection) -> bool:
        return False


class Sentinels:
    """The master of a service, as its Sentinels name it. They have a user and password of their own, or none."""

    tag = ""

    def __init__(self, url: str) -> None:
        parts = split(url)
        self._hosts = _hosts(parts.netloc, SENTINEL_PORT)
        self._service = unquote(parts.path.strip("/"))
        given = dict(parse_qsl(parts.query))
        own = {name: given.pop(f"sentinel_{name}", None) for name in ("username", "password")}
        user = parts.netloc.rpartition("@")[0]
        self._pool = _pool(_one(parts.scheme, user, given))
        asking = {name: value for name, value in given.items() if name not in ("db", "username", "password")}
        asking |= {name: value for name, value in own.items() if value}
        self._sentinel_pool = _pool(_one(parts.scheme, "", asking))

    async def connection(self) -> AbstractConnection:
        return _at(self._pool, *await self._master())

    async def has_moved(self, connection: AbstractConnection) -> bool:
        try:
            return await self._master() != (getattr(connection, "host", ""), getattr(connection, "port", 0))
        except _FAILURES:
            return False

    async def _master(self) -> tuple[str, int]:
        # Another one is asked next time: one that is cut off would go on naming the master that was.
        self._hosts = [*self._hosts[1:], self._hosts[0]]
        for host, port in self._hosts:
            try:
                found = await _ask(
                    _at(self._sentinel_pool, host, port), "SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._service
                )
            except _FAILURES:
                continue
            if found:
                return _text(found[0]), int(found[1])
        raise Unreachable(f"no Sentinel names a master for {self._service}")


class Nodes:
    """The nodes of a cluster: who serves which slot. Those that were heard of are asked as well as those given."""

    def __init__(self, url: str) -> None:
        parts = split(url)
        self._given = self._known = _hosts(parts.netloc, REDIS_PORT)
        self._pool = _pool(_one(parts.scheme, parts.netloc.rpartition("@")[0], dict(parse_qsl(parts.query))))

    async def serving(self, slot: int) -> AbstractConnection:
        for host, port in dict.fromkeys([*self._known, *self._given]):
            try:
                ranges = await _ask(_at(self._pool, host, port), "CLUSTER", "SLOTS")
            except _FAILURES:
                continue
            masters = [(first, last, _text(node[0]) or host, int(node[1])) for first, last, node, *_ in ranges]
            self._known = list(dict.fromkeys((at, on) for _, _, at, on in masters)) or self._known
            for first, last, at, on in masters:
                if first <= slot <= last:
                    return _at(self._pool, at, on)
        raise Unreachable(f"no node of the cluster serves slot {slot}")


class Lane:
    """One slot of a cluster, and the node that serves it now. A node itself says when a slot leaves it."""

    def __init__(self, nodes: Nodes, tag: str) -> None:
        self.tag = tag
        self._nodes = nodes
        self._slot = key_slot(tag.encode())

    async def connection(self) -> AbstractConnection:
        return await self._nodes.serving(self._slot)

    async def has_moved(self, connection: AbstractConnection) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class Parts:
    scheme: str
    netloc: str
    path: str
    query: str


def split(url: str) -> Parts:
    """Return the parts of an address of the settings; unlike urllib also where it names several hosts."""
    scheme, _, rest = url.partition("://")
    rest, _, query = rest.partition("?")
    netloc, slash, path = rest.partition("/")
    return Parts(scheme, netloc, slash + path, query)


def _tags() -> list[str]:
    """Return for each lane the first number whose slot is in its part of the slots: the same in every process."""
    tags: dict[int, str] = {}
    number = 0
    while len(tags) < LANES:
        tags.setdefault(key_slot(str(number).encode()) * LANES // SLOTS, str(number))
        number += 1
    return [tags[lane] for lane in range(LANES)]


def _hosts(netloc: str, usual_port: int) -> list[tuple[str, int]]:
    found = []
    for one in netloc.rpartition("@")[2].split(","):
        at = urlsplit(f"//{one}")
        found.append((at.hostname or "", at.port or usual_port))
    return found


def _one(scheme: str, user: str, options: dict[str, str]) -> str:
    """Return an address of the same kind and user for redis-py; the host is put in later."""
    at = f"{user}@" if user else ""
    return f"{scheme.partition('+')[0]}://{at}host" + (f"?{urlencode(options)}" if options else "")


def _pool(url: str) -> ConnectionPool:
    # RESP2 and no library name: on connecting, nothing is sent that a user limited to pub/sub may not send.
    return ConnectionPool.from_url(
        url, protocol=2, driver_info=None, socket_connect_timeout=CONNECT_SECONDS, socket_timeout=None
    )


def _at(pool: ConnectionPool, host: str, port: int) -> AbstractConnection:
    made: AbstractConnection = pool.connection_class(**pool.connection_kwargs | {"host": host, "port": port})
    return made


async def _ask(connection: AbstractConnection, *command: str) -> Any:
    try:
        async with asyncio.timeout(ASK_SECONDS):
            await connection.connect()
            await connection.send_command(*command)
            return await connection.read_response()
    finally:
        await connection.disconnect(nowait=True)


def _text(word: bytes | str | None) -> str:
    return word.decode() if isinstance(word, bytes) else word or ""
