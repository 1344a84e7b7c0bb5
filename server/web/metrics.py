"""`/metrics` in the form of Prometheus: for this machine's loopback, or whoever has LIVETHREAD_METRICS_TOKEN."""

from __future__ import annotations

import hmac
from collections.abc import Iterator

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.responses import Response
from starlette.routing import Route

from server.errors import Forbidden
from server.storage.database import Database
from server.web.context import LiveContext, LiveVisit

LOOPBACK = ("127.0.0.1", "::1")


class _Now(Collector):
    """Reads every figure at the moment it is asked for."""

    def __init__(self, live: LiveContext, database: Database | None) -> None:
        self._live = live
        self._database = database

    def collect(self) -> Iterator[Metric]:
        hub = self._live.hub
        heads = hub.heads()
        yield GaugeMetricFamily("livethread_rooms", "Threads that somebody follows here", len(heads))
        yield GaugeMetricFamily(
            "livethread_readers", "Readers of all rooms here", sum(readers for readers, _ in heads.values())
        )
        yield GaugeMetricFamily("livethread_draining", "1 while readers are sent away", int(hub.is_draining))
        tally = hub.tally
        for name, value, meaning in (
            ("frames", tally.frames, "Frames built for a room"),
            ("deliveries", tally.deliveries, "Frames handed to a reader"),
            ("gaps", tally.gaps, "Rooms that asked for what they had not heard"),
            ("resets", tally.resets, "Readers sent to fetch their thread anew"),
            ("slow_readers", tally.slow_readers, "Readers cut because they did not read"),
        ):
            yield CounterMetricFamily(f"livethread_{name}", meaning, value)
        for broker in self._live.brokers:
            yield GaugeMetricFamily(
                "livethread_redis_connected", "1 while Redis answers its probe", int(broker.state == "connected")
            )
        if self._database is not None:
            yield CounterMetricFamily("livethread_commits", "Groups committed", self._database.groups)
            yield CounterMetricFamily("livethread_writes", "Writes committed in them", self._database.writes)
            yield CounterMetricFamily("livethread_failed_groups", "Groups that failed", self._database.failed_groups)


async def metrics(visit: LiveVisit) -> Response:
    live = visit.state["live"]
    given = visit.headers.get("authorization", "").removeprefix("Bearer ")
    token = live.settings.metrics_token
    # Behind a proxy on this machine everybody comes from loopback, and is named in a header.
    is_local = visit.client is not None and visit.client.host in LOOPBACK and "x-forwarded-for" not in visit.headers
    if not is_local and not (token and hmac.compare_digest(given.encode(), token.encode())):
        raise Forbidden("Metrics are for loopback, or for LIVETHREAD_METRICS_TOKEN.")
    registry = CollectorRegistry()
    context = visit.scope["state"].get("context")
    registry.register(_Now(live, context.database if context else None))
    return Response(generate_latest(registry), headers={"Cache-Control": "no-store"}, media_type=CONTENT_TYPE_LATEST)


routes = [Route("/metrics", metrics)]
