"""`/metrics` for Prometheus: on this machine's loopback, or with LIVETHREAD_METRICS_TOKEN."""

from __future__ import annotations

import contextlib
import hmac
import math
import time
from collections.abc import Iterator

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.responses import Response
from starlette.routing import Route

from channels.metrics import Histogram
from server.client_address import is_operator
from server.errors import Forbidden, Unavailable
from server.storage.engine.database import Database
from server.storage.jobs import outbox
from server.storage.jobs.outbox import Backlog
from server.web.requests.context import LiveContext, LiveVisit


class _Now(Collector):
    """Reads every figure at the moment it is asked for."""

    def __init__(self, live: LiveContext, database: Database | None, owed: Backlog | None) -> None:
        self._live = live
        self._database = database
        self._owed = owed

    def collect(self) -> Iterator[Metric]:
        yield from self._readers()
        yield from self._deliveries()
        yield from self._strangers()
        yield from self._links()
        yield from self._tasks()
        if self._database is not None:
            yield CounterMetricFamily(
                "livethread_failed_groups", "Write groups that failed", self._database.failed_groups
            )
            yield _histogram("group_size", "Writes committed together", self._database.group_size)
            yield _histogram(
                "commit_seconds",
                "Time of a write group, from its first statement to fsync",
                self._database.commit_seconds,
            )

    def _readers(self) -> Iterator[Metric]:
        hub = self._live.hub
        yield GaugeMetricFamily("livethread_rooms", "Threads with readers in this process", hub.rooms)
        yield GaugeMetricFamily(
            "livethread_unused_threads", "Threads with readers here that have no comments yet", len(hub.lobby)
        )
        yield GaugeMetricFamily("livethread_readers", "Readers of all threads in this process", hub.following)
        yield GaugeMetricFamily(
            "livethread_readers_behind", "Readers set aside until they have drained", self._live.hub.behind
        )
        yield GaugeMetricFamily("livethread_draining", "1 while draining", int(self._live.hub.is_draining))

    def _deliveries(self) -> Iterator[Metric]:
        tally = self._live.hub.tally
        for name, value, meaning in (
            ("frames", tally.frames, "Frames built for a room"),
            ("deliveries", tally.deliveries, "Frames handed to a reader"),
            ("gaps", tally.gaps, "Gaps that rooms filled from the source"),
            ("diffs", tally.diffs, "Diffs read for returning readers; identical ones are shared"),
            ("resets", tally.resets, "Readers told to load their thread again"),
            ("slow_readers", tally.slow_readers, "Readers cut because they read too slowly"),
            ("handshakes", tally.handshakes, "Sockets admitted"),
            ("refused_handshakes", tally.refused_handshakes, "Handshakes refused because there were too many at once"),
        ):
            yield CounterMetricFamily(f"livethread_{name}", meaning, value)
        yield _histogram("fan_out_seconds", "Writing one frame to all readers of a room", tally.fan_out)
        yield _histogram("lag_seconds", "From the commit in the app to the readers in this process", tally.lag)

    def _strangers(self) -> Iterator[Metric]:
        budget = self._live.budget
        for name, value, meaning in (
            ("http_connections", budget.connections, "Open HTTP connections, without WebSockets"),
            (
                "http_held_bytes",
                budget.held_bytes,
                "Memory held for HTTP connections: requests and unread answers",
            ),
        ):
            yield GaugeMetricFamily(f"livethread_{name}", meaning, value)
        tally = budget.tally
        for name, value, meaning in (
            ("malformed_requests", tally.malformed, "Malformed or ambiguous requests, answered 400"),
            ("cut_connections", tally.cut, "HTTP connections cut: idle, too slow, or to make room for others"),
            ("refused_connections", tally.refused, "HTTP connections refused because there was no room"),
        ):
            yield CounterMetricFamily(f"livethread_{name}", meaning, value)

    def _links(self) -> Iterator[Metric]:
        for broker in self._live.brokers:
            connected = int(broker.state == "connected")
            yield GaugeMetricFamily("livethread_redis_connected", "1 while Redis answers its probes", connected)
            yield CounterMetricFamily(
                "livethread_redis_refused", "Messages on Redis that failed authentication", broker.refused
            )
        if self._live.app is not None:
            answered_at = self._live.app.answered_at
            age = math.inf if answered_at is None else time.monotonic() - answered_at
            yield GaugeMetricFamily("livethread_poll_age_seconds", "Time since the app last answered the poll", age)

    def _tasks(self) -> Iterator[Metric]:
        health = self._live.hub.tasks.health
        for name, meaning, counted in (
            ("task_deaths", "Tasks and callbacks that ended with an error", health.deaths),
            ("task_restarts", "Services restarted after they died", health.restarts),
        ):
            told = CounterMetricFamily(f"livethread_{name}", meaning, labels=["task"])
            for task, count in counted.items():
                told.add_metric([task], count)
            yield told
        yield GaugeMetricFamily("livethread_failed", "1 if the process must end", int(bool(health.failure)))
        if self._owed is not None:
            for name, meaning, count in (
                ("jobs", "Jobs in the outbox", self._owed.jobs),
                ("jobs_failing", "Jobs that failed and will be retried", self._owed.failing),
                ("unindexed", "Comments not yet in the search index", self._owed.unindexed),
                ("unerased", "Comments that still contain quotes of erased text", self._owed.unerased),
            ):
                yield GaugeMetricFamily(f"livethread_{name}", meaning, count)


def _histogram(name: str, meaning: str, told: Histogram) -> Metric:
    return HistogramMetricFamily(f"livethread_{name}", meaning, buckets=told.cumulative(), sum_value=told.sum)


async def metrics(visit: LiveVisit) -> Response:
    live = visit.state["live"]
    given = visit.headers.get("authorization", "").removeprefix("Bearer ")
    token = live.settings.metrics_token
    is_local = is_operator(
        visit.client.host if visit.client else None, visit.headers.get("host", ""), visit.headers.keys()
    )
    if not is_local and not (token and hmac.compare_digest(given.encode(), token.encode())):
        raise Forbidden("error.metrics")
    registry = CollectorRegistry()
    context = visit.scope["state"].get("context")
    owed = None
    with contextlib.suppress(Unavailable):
        owed = await context.database.read(outbox.backlog) if context else None
    registry.register(_Now(live, context.database if context else None, owed))
    return Response(generate_latest(registry), headers={"Cache-Control": "no-store"}, media_type=CONTENT_TYPE_LATEST)


routes = [Route("/metrics", metrics)]
