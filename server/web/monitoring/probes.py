"""Health and readiness of this process."""

from __future__ import annotations

import time
from typing import Any

import msgspec
from starlette.responses import Response
from starlette.routing import Route

from server import __version__
from server.web.monitoring import request_echo
from server.web.requests.context import LiveVisit

# More than a restart of the app takes.
APP_SECONDS = 5.0


async def health(visit: LiveVisit) -> Response:
    """503 where the process must end because a part of it died and did not come back."""
    if visit.state["live"].hub.tasks.health.failure:
        return _say({"status": "failed", "version": __version__}, 503)
    seen = request_echo.seen(visit)
    return _say({"status": "ok", "version": __version__} | ({"seen": seen} if seen else {}))


async def ready(visit: LiveVisit) -> Response:
    """Ready also without Redis: the poll carries the changes, a second later. `redis` says how it is.

    503 where the process must end, while it sends its readers away, and in a gateway that the app has not answered for
    some seconds: new readers could not be let in then. Connected ones stay.
    """
    if visit.state["live"].hub.tasks.health.failure:
        return _say({"status": "failed"}, 503)
    if visit.state["live"].hub.is_draining:
        return _say({"status": "draining"}, 503)
    app = visit.state["live"].app
    if app is not None and (app.answered_at is None or time.monotonic() - app.answered_at > APP_SECONDS):
        return _say({"status": "waiting for the app"}, 503)
    brokers = visit.state["live"].brokers
    states = [broker.state for broker in brokers]
    redis = "none" if not states else "degraded" if "degraded" in states else "connected"
    return _say({"status": "ready", "redis": redis})


def _say(what: dict[str, Any], status: int = 200) -> Response:
    return Response(msgspec.json.encode(what), status, {"Cache-Control": "no-store"}, "application/json")


routes = [Route("/health", health), Route("/ready", ready)]
