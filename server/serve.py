"""Serves an application where it is to listen, and says when it does: on the terminal, in the log, to systemd."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette

from channels.tasks import Health
from server import listening, logs, memory_trimming, systemd
from server import settings as settings_
from server.doctor import at_start
from server.errors import CannotStart
from server.settings import Settings
from server.transport import descriptors, uvicorn_server
from server.web.requests.context import LiveContext

log = logging.getLogger("livethread")

# For closing the database after that, and for an end where a part of the process is dead.
CLOSE_SECONDS = 10
LAST_SECONDS = 2.5
SAY_EVERY_SECONDS = 60.0
# How long the loop waits for a thread that computes, each time something has arrived.
SWITCH_SECONDS = 0.0005


def serve(create: Callable[[Settings], Starlette], what: str, *, has_database: bool = False) -> int:
    """Run until SIGTERM or Ctrl-C; the log says first what is wrong around.

    Raises CannotStart if the settings or the port do not allow it.
    """
    logs.begin()
    memory_trimming.begin()
    sys.setswitchinterval(SWITCH_SECONDS)
    settings = settings_.from_environment()
    for finding in at_start.look(settings, has_database=has_database):
        log.warning("%s: %s", finding.subject, finding.sentence)
    room = descriptors.raise_limit()
    notifier = systemd.Notifier()
    listening_on = listening.begin(settings, room.backlog)
    settings = listening_on.settings
    try:
        app = create(settings)
        announced = _Announced(app, what, listening_on, notifier)
        watch = _Watch(app.state.health, notifier)
        is_started = uvicorn_server.run(announced, listening_on.sockets, room, settings.keep_alive_seconds, watch)
    except SystemExit:
        log.critical("the process ends on an internal failure", exc_info=True)
        return 1
    finally:
        listening_on.end()
    if announced.refusal is not None:
        raise announced.refusal
    if not is_started:
        return 2
    return 1 if watch.health.failure is not None or announced.has_failed else 0


class _Watch:
    """Work beside the connections, in the server's loop."""

    def __init__(self, health: Health, notifier: systemd.Notifier) -> None:
        self.health = health
        self._notifier = notifier
        self._silent_until = 0.0

    def begins(self, end: Callable[[], None]) -> None:
        """Called before the application's lifespan; `end` ends the server in order."""
        asyncio.get_running_loop().set_exception_handler(self.health.heard_by_loop)

        def end_soon() -> None:
            # A part of the process is dead: in order where that goes, and in any case within a moment.
            end()
            _end_after(LAST_SECONDS, "the shutdown took too long")

        self.health.on_failure.append(end_soon)

    def every_second(self, state: dict[str, Any]) -> None:
        self._look_at_descriptors()
        if self.health.failure is None:
            self._notifier.alive()
        live: LiveContext | None = state.get("live")
        if live is not None:
            with self.health.guarding("deadlines of requests"):
                live.budget.every_second(asyncio.get_running_loop().time())

    def _look_at_descriptors(self) -> None:
        """Connections that find none left are closed by the event loop without a word."""
        now = time.monotonic()
        if now >= self._silent_until and descriptors.are_used_up():
            self._silent_until = now + SAY_EVERY_SECONDS
            log.error(
                "no file descriptor is left of %d, so new connections are dropped: raise `ulimit -n`, or LimitNOFILE",
                descriptors.limit(),
            )

    async def drain(self, state: dict[str, Any]) -> None:
        """Send the readers away before the server ends: their sockets are closed before the lifespan could."""
        self._notifier.stopping()
        live: LiveContext | None = state.get("live")
        if live is not None:
            with self.health.guarding("drain"):
                await live.hub.drain()

    def ends(self) -> None:
        _end_after(uvicorn_server.GRACE_SECONDS + CLOSE_SECONDS, "the server did not stop")


def _end_after(seconds: float, why: str) -> None:
    """End the process after that time, even if something blocks it, unless it has ended by then."""

    def end() -> None:
        log.critical("forced to stop: %s", why)
        os._exit(1)

    last = threading.Timer(seconds, end)
    last.daemon = True
    last.start()


class _Announced:
    """The application, which says where it listens once its lifespan has begun, and why where it cannot begin."""

    def __init__(
        self, app: Starlette, what: str, listening_on: listening.Listening, notifier: systemd.Notifier
    ) -> None:
        self._app = app
        self._what = what
        self._listening_on = listening_on
        self._notifier = notifier
        self.refusal: CannotStart | None = None
        self.has_failed = False

    async def __call__(self, scope, receive, send) -> None:  # type: ignore[no-untyped-def]
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return

        async def say(message) -> None:  # type: ignore[no-untyped-def]
            if message["type"] == "lifespan.startup.complete":
                asyncio.get_running_loop().call_soon(self._say_where)
            if message["type"] == "lifespan.startup.failed" and isinstance(sys.exc_info()[1], CannotStart):
                uvicorn_server.silence()
            await send(message)

        try:
            await self._app(scope, receive, say)
        except CannotStart as refusal:
            self.refusal = refusal
            raise
        except BaseException as error:
            self.has_failed = True
            log.critical("the application stopped with an error: %r", error)
            raise

    def _say_where(self) -> None:
        memory_trimming.settle()
        where, address = self._listening_on.where, self._listening_on.settings.address
        said = f"listens on {where}" + ("" if address == where else f", seen as {address}")
        print(f"{self._what} {said}", flush=True)
        self._notifier.ready(said)
