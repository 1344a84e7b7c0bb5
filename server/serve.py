"""Listens: binds the port, runs uvicorn over an application, says where it is."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import sys
from collections.abc import Callable

import uvicorn
from starlette.applications import Starlette

from channels.socket import LiveProtocol
from server import logs
from server import settings as settings_
from server.errors import CannotStart
from server.http import BoundedHttp
from server.settings import Settings
from server.web.context import LiveContext

GRACE_SECONDS = 10
TICKS_A_SECOND = 10
SEND_BUFFER_BYTES = 64 * 1024


def serve(create: Callable[[Settings], Starlette], what: str) -> int:
    """Run until SIGTERM or Ctrl-C. Raises CannotStart where the settings or the port do not allow it."""
    logs.begin()
    settings = settings_.read(os.environ)
    listener = _bind(settings)
    settings = settings_.read(os.environ, port=listener.getsockname()[1])
    app = create(settings)
    announced = _Announced(app, what, settings)
    config = uvicorn.Config(
        announced,
        loop="uvloop",
        http=BoundedHttp,
        ws=LiveProtocol,
        log_level="warning",
        access_log=False,
        log_config=None,
        server_header=False,
        ws_per_message_deflate=False,
        ws_ping_interval=None,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    server = _DrainingServer(config)
    with contextlib.suppress(KeyboardInterrupt, SystemExit):
        server.run(sockets=[listener])
    if announced.refusal is not None:
        raise announced.refusal
    return 0 if server.started else 2


class _DrainingServer(uvicorn.Server):
    """Sends its readers away before it ends: uvicorn closes their sockets before the lifespan could."""

    async def on_tick(self, counter: int) -> bool:
        is_over = await super().on_tick(counter)
        if counter % TICKS_A_SECOND == 0:
            BoundedHttp.end_the_late()
        live: LiveContext | None = self.lifespan.state.get("live")
        if is_over and live is not None and not self.force_exit:
            await live.hub.drain()
        return is_over


class _Announced:
    """The application, which says where it listens once its lifespan has begun, and why where it cannot begin."""

    def __init__(self, app: Starlette, what: str, settings: Settings) -> None:
        self._app = app
        self._what = what
        self._settings = settings
        self.refusal: CannotStart | None = None

    async def __call__(self, scope, receive, send) -> None:  # type: ignore[no-untyped-def]
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return

        async def say(message) -> None:  # type: ignore[no-untyped-def]
            if message["type"] == "lifespan.startup.complete":
                asyncio.get_running_loop().call_soon(self._say_where)
            if message["type"] == "lifespan.startup.failed" and isinstance(sys.exc_info()[1], CannotStart):
                # In words, once, by whoever called us: not as a traceback.
                logging.getLogger("uvicorn.error").disabled = True
            await send(message)

        try:
            await self._app(scope, receive, say)
        except CannotStart as refusal:
            self.refusal = refusal
            raise

    def _say_where(self) -> None:
        seen_as = "" if self._settings.origin == self._settings.own_address else f", seen as {self._settings.origin}"
        print(f"{self._what} listens on {self._settings.own_address}{seen_as}", flush=True)


def _bind(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Inherited by every connection: who does not read is noticed after this, not after the kernel's megabytes.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        name = "LIVETHREAD_HOST" if isinstance(error, socket.gaierror) else "LIVETHREAD_PORT"
        raise CannotStart(
            f"{name}: cannot listen on {settings.host}:{settings.port}: {error.strerror}. "
            f"Stop what listens there, or set {name} to another, for instance LIVETHREAD_PORT=0 for any free port."
        ) from error
    return listener
