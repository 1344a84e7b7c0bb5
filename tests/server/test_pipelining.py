"""Requests that are sent before the ones before them are answered take turns with those of others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from server.connection_budget import CONNECTION_BYTES, HttpBudget
from server.transport.uvicorn_request import HELD_BYTES
from tests.processes import eventually
from tests.server.test_left_behind import serving

COUNT = 20
REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


async def test_each_of_many_requests_of_a_connection_waits_for_a_turn_and_is_counted() -> None:
    budget = HttpBudget()
    may_answer, turns, answered = asyncio.Event(), list[str](), 0
    later = budget.rounds.later

    def counted(who: str, work: Callable[[], None]) -> None:
        turns.append(who)
        later(who, work)

    budget.rounds.later = counted  # type: ignore[method-assign]

    async def app(scope: object, receive: object, send: Callable[[object], Awaitable[None]]) -> None:
        nonlocal answered
        await may_answer.wait()
        answered += 1
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    server = await asyncio.get_running_loop().create_server(serving(budget, app), "127.0.0.1", 0)
    async with server:
        reading, writing = await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1])
        writing.write(REQUEST * COUNT)
        await eventually(lambda: budget.held_bytes > CONNECTION_BYTES + (COUNT - 1) * HELD_BYTES)
        may_answer.set()
        for _ in range(COUNT):
            assert (await reading.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 204")
        assert answered == COUNT
        assert len(turns) == COUNT - 1
        await eventually(lambda: budget.held_bytes == CONNECTION_BYTES)
        # All that was sent before the end is answered.
        writing.write(REQUEST * COUNT)
        writing.write_eof()
        assert (await reading.read()).count(b"HTTP/1.1 204") == COUNT
        writing.close()
