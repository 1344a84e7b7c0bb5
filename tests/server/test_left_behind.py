"""What has ended leaves nothing that only the collector could free: a flood would fill the memory before it comes."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import sqlite3
import weakref
from collections.abc import Awaitable, Callable, Iterator
from types import SimpleNamespace

import pytest
from starlette.requests import Request
from uvicorn import Config
from uvicorn.server import ServerState

from channels.cache import Shared
from channels.tasks import Health, Tasks
from server.connection_budget import HttpBudget
from server.errors import DomainError, NotFound
from server.storage.engine.database import READERS, Database
from server.transport.uvicorn_connection import BoundedHttp
from server.web.requests.error_answers import handlers
from server.web.requests.page_queue import Turns
from tests.channels.test_writing import RESET_ON_CLOSE, Told, connected
from tests.processes import eventually

App = Callable[[object, object, Callable[[object], Awaitable[None]]], Awaitable[None]]
Failing = Callable[[], Awaitable[object]]


@pytest.fixture(autouse=True)
def _without_the_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


async def test_a_socket_that_is_gone_is_freed_with_all_that_its_listener_knows() -> None:
    connection, told, transport, peer = await connected()
    told.knows = connection  # type: ignore[attr-defined]
    freed: weakref.ref[Told] = weakref.ref(told)
    peer.close()
    await told.ended.wait()
    del connection, told, transport
    await eventually(lambda: freed() is None)


def serving(budget: HttpBudget, app: App) -> Callable[[], BoundedHttp]:
    """Return what makes connections that this application answers."""

    def protocol() -> BoundedHttp:
        config = Config(app, http=BoundedHttp, ws="none", lifespan="off")
        config.load()
        live = SimpleNamespace(budget=budget)
        return BoundedHttp(config, ServerState(), {"live": live}, asyncio.get_running_loop())

    return protocol


async def test_an_http_connection_that_is_gone_is_freed_wherever_its_request_was() -> None:
    budget = HttpBudget()
    made: list[weakref.ref[BoundedHttp]] = []

    may_answer = asyncio.Event()

    async def app(scope: object, receive: object, send: Callable[[object], Awaitable[None]]) -> None:
        await may_answer.wait()
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    make = serving(budget, app)

    def protocol() -> BoundedHttp:
        connection = make()
        made.append(weakref.ref(connection))
        return connection

    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        for sent in (
            b"",
            b"GET / HTT",
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf",
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 3,
            b"nonsense\r\n\r\n",
        ):
            may_answer.clear()
            _, writing = await asyncio.open_connection("127.0.0.1", port)
            writing.write(sent)
            await writing.drain()
            await eventually(lambda: budget.connections == 1)
            # Else the end of what it sends is all that is seen, and it may wait for its answer.
            writing.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            writing.transport.abort()
            may_answer.set()
            await eventually(lambda: budget.connections == 0)
        await eventually(lambda: len(made) == 6 and not any(one() for one in made))


def _error_of(failing: Failing) -> Awaitable[weakref.ref[DomainError]]:
    async def caught() -> weakref.ref[DomainError]:
        try:
            await failing()
        except NotFound as error:
            answered = await handlers[DomainError](_request(), error)  # type: ignore[misc, arg-type]
            assert answered is not None
            return weakref.ref(error)
        raise AssertionError

    return caught()


def _request() -> Request:
    return Request({"type": "http", "method": "GET", "path": "/api/x", "headers": [], "query_string": b"", "state": {}})


async def _is_freed(database: Database, error: weakref.ref[DomainError]) -> None:
    async with asyncio.timeout(20):
        while error() is not None:
            # The thread of a connection knows the last that it has done.
            await asyncio.gather(*(database.read(lambda _: None) for _ in range(READERS)))


def _fail(_: sqlite3.Connection) -> None:
    raise NotFound("error.no_comment_here")


async def test_an_error_that_was_answered_is_freed_with_its_way(database: Database) -> None:
    async with Tasks(Health()) as tasks:
        shared, turns = Shared(tasks), Turns(tasks, 9)

        def read() -> Awaitable[None]:
            return database.read(_fail)

        for failing in (
            read,
            lambda: shared.get("t", "what", read, lambda _: 1),
            lambda: turns.take("who", "what", read),
            lambda: turns.take("who", "what", lambda: shared.get("t", "what", read, lambda _: 1)),
        ):
            await _is_freed(database, await _error_of(failing))


async def test_an_error_that_nobody_waited_for_is_freed_with_its_way(database: Database) -> None:
    raised: list[weakref.ref[DomainError]] = []
    has_begun, may_fail = asyncio.Event(), asyncio.Event()

    def fail(_: sqlite3.Connection) -> None:
        error = NotFound("error.no_comment_here")
        raised.append(weakref.ref(error))
        try:
            raise error
        finally:
            del error

    async with Tasks(Health()) as tasks:
        shared, turns = Shared(tasks), Turns(tasks, 9)

        async def read() -> None:
            has_begun.set()
            await may_fail.wait()
            await database.read(fail)

        failures: list[Failing] = [
            lambda: shared.get("t", "what", read, lambda _: 1),
            lambda: turns.take("who", "what", read),
            lambda: turns.take("who", "what", lambda: shared.get("t", "what", read, lambda _: 1)),
        ]
        for failing in failures:
            raised.clear()
            has_begun.clear()
            may_fail.clear()
            asking = asyncio.ensure_future(failing())
            await has_begun.wait()
            asking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asking
            del asking
            may_fail.set()
            await eventually(lambda: raised)
            await _is_freed(database, raised[0])
