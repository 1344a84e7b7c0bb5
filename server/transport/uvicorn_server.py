"""uvicorn's server, adapted: starts and ends with the application; others look after the connections."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Callable
from typing import Any, Protocol, cast

import uvicorn

from server.transport.descriptors import Room
from server.transport.uvicorn_accepting import Acceptor
from server.transport.uvicorn_sockets import HttpAndSockets
from server.web.requests.context import LiveContext

GRACE_SECONDS = 10
TICKS_A_SECOND = 10


class Watch(Protocol):
    """Hooks beside the connections. `state` is the lifespan's."""

    def begins(self, end: Callable[[], None]) -> None: ...

    def every_second(self, state: dict[str, Any]) -> None: ...

    async def drain(self, state: dict[str, Any]) -> None:
        """The server was told to end, and still has all its connections."""

    def ends(self) -> None: ...


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, watch: Watch) -> None:
        super().__init__(config)
        self._watch = watch

    def end(self) -> None:
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._watch.begins(self.end)
        await super().startup(sockets)
        live: LiveContext | None = self.lifespan.state.get("live")
        if live is not None and sockets:
            Acceptor(sockets, self._protocol, live)

    def _protocol(self) -> asyncio.Protocol:
        http = cast("type[HttpAndSockets]", self.config.http_protocol_class)
        return http(self.config, self.server_state, self.lifespan.state)

    async def on_tick(self, counter: int) -> bool:
        is_over = await super().on_tick(counter)
        if counter % TICKS_A_SECOND == 0:
            self._watch.every_second(self.lifespan.state)
        if is_over and not self.force_exit:
            await self._watch.drain(self.lifespan.state)
        return is_over

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._watch.ends()
        await super().shutdown(sockets)


def run(app: Any, listeners: list[socket.socket], room: Room, keep_alive_seconds: float, watch: Watch) -> bool:
    """Serve until SIGTERM or Ctrl-C; return whether it began to serve. Raises SystemExit if it had begun."""

    class Http(HttpAndSockets):
        most_connections, most_sockets = room.connections, room.sockets

    Http.keep_alive_seconds = keep_alive_seconds
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=Http,
        ws="none",
        backlog=room.backlog,
        log_level="warning",
        access_log=False,
        # Whom to believe about a visitor's address is a setting of ours: server/client_address.py.
        proxy_headers=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    server = _Server(config, watch)
    # Between here and uvicorn's own handlers a signal would break off the start, where it should end in order.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: server.end())
    try:
        with contextlib.suppress(KeyboardInterrupt):
            server.run(sockets=listeners)
    except SystemExit:
        # Raised by uvicorn if the lifespan could not start; from anywhere else it is a failure.
        if server.started:
            raise
    return server.started


def silence() -> None:
    """Log nothing about a failed start: the caller reports it in words instead of a traceback."""
    logging.getLogger("uvicorn.error").disabled = True
