"""Whether this process is alive, and whether it may take readers."""

from __future__ import annotations

import msgspec
from starlette.responses import Response
from starlette.routing import Route

from server.web.context import LiveVisit


async def health(visit: LiveVisit) -> Response:
    return _say({"status": "ok"})


async def ready(visit: LiveVisit) -> Response:
    """Ready also without Redis: the poll carries the changes, a second later. `redis` says how it is.

    503 while the process sends its readers away, and in a gateway until the app has answered once: after that its
    readers are better off here than anywhere else, for the app is the same for all.
    """
    if visit.state["live"].hub.is_draining:
        return _say({"status": "draining"}, 503)
    app = visit.state["live"].app
    if app is not None and app.answered_at is None:
        return _say({"status": "waiting for the app"}, 503)
    brokers = visit.state["live"].brokers
    states = [broker.state for broker in brokers]
    redis = "none" if not states else "degraded" if "degraded" in states else "connected"
    return _say({"status": "ready", "redis": redis})


def _say(what: dict[str, str], status: int = 200) -> Response:
    return Response(msgspec.json.encode(what), status, {"Cache-Control": "no-store"}, "application/json")


routes = [Route("/health", health), Route("/ready", ready)]
