"""`/metrics` in the form of Prometheus: for this machine's loopback, or whoever has LIVETHREAD_METRICS_TOKEN."""

from __future__ import annotations

import hmac
import math
import time
from collections.abc import Iterator

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.responses import Response
from starlette.routing import Route

from channels.tally import Histogram
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
        yield from self._readers()
        yield from self._deliveries()
        yield from self._links()
        if self._database is not None:
            yield CounterMetricFamily("livethread_failed_groups", "Groups that failed", self._database.failed_groups)
            yield _histogram("group_size", "Writes committed together", self._database.group_size)
            yield _histogram(
                "commit_seconds", "A group, from its first statement to the disk", self._database.commit_seconds
            )

    def _readers(self) -> Iterator[Metric]:
        heads = self._live.hub.heads()
        readers = sum(readers for readers, _ in heads.values())
        yield GaugeMetricFamily("livethread_rooms", "Threads that somebody follows here", len(heads))
        yield GaugeMetricFamily("livethread_readers", "Readers of all rooms here", readers)
        yield GaugeMetricFamily(
            "livethread_readers_behind", "Readers who stand aside until they have read", self._live.hub.behind
        )
        yield GaugeMetricFamily("livethread_draining", "1 while readers are sent away", int(self._live.hub.is_draining))

    def _deliveries(self) -> Iterator[Metric]:
        tally = self._live.hub.tally
        for name, value, meaning in (
            ("frames", tally.frames, "Frames built for a room"),
            ("deliveries", tally.deliveries, "Frames handed to a reader"),
            ("gaps", tally.gaps, "Rooms that asked for what they had not heard"),
            ("diffs", tally.diffs, "Diffs read for readers who came back; those who ask the same share one"),
            ("resets", tally.resets, "Readers sent to fetch their thread anew"),
            ("slow_readers", tally.slow_readers, "Readers cut because they did not read"),
            ("handshakes", tally.handshakes, "Sockets admitted"),
            ("refused_handshakes", tally.refused_handshakes, "Sockets told to come back: too many at once"),
        ):
            yield CounterMetricFamily(f"livethread_{name}", meaning, value)
        yield _histogram("fan_out_seconds", "Handing one frame to all readers of a room", tally.fan_out)
        yield _histogram("lag_seconds", "From the commit in the app to the readers here", tally.lag)

    def _links(self) -> Iterator[Metric]:
        for broker in self._live.brokers:
            connected = int(broker.state == "connected")
            yield GaugeMetricFamily("livethread_redis_connected", "1 while Redis answers its probe", connected)
        if self._live.app is not None:
            answered_at = self._live.app.answered_at
            age = math.inf if answered_at is None else time.monotonic() - answered_at
            yield GaugeMetricFamily("livethread_poll_age_seconds", "Since the app last answered the poll", age)


def _histogram(name: str, meaning: str, told: Histogram) -> Metric:
    return HistogramMetricFamily(f"livethread_{name}", meaning, buckets=told.cumulative(), sum_value=told.sum)


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
