"""The only wiring of a gateway: readers and Redis, no database. What it misses it asks of the app, by HTTP."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator

import httpx2
from starlette.applications import Starlette
from starlette.middleware import Middleware

from channels.brokers.broker import Broker
from channels.brokers.in_process import MemoryBroker
from channels.rooms.hub import Hub
from channels.sockets.heartbeat import Heartbeat
from channels.tasks import Health, Tasks
from server.client_address import Clients
from server.connection_budget import HttpBudget
from server.errors import CannotStart
from server.gateway_poller import AppSource, Poller, Signed
from server.locales.offered import Offered
from server.settings import Settings
from server.sites import Sites, of_origin
from server.web.live import live_socket
from server.web.monitoring import metrics, probes
from server.web.requests import error_answers
from server.web.requests.context import LiveContext, LiveState
from server.web.requests.middleware import Guard

log = logging.getLogger("livethread.gateway")

# Connections for what the rooms ask, beside those of the poll, which must never wait for them.
CONNECTIONS_TO_ASK = 8


def create_gateway(settings: Settings) -> Starlette:
    """Return a gateway. Raises CannotStart without the secret that it shares with the app."""
    if not settings.secret:
        raise CannotStart(
            "LIVETHREAD_SECRET: is not set. A gateway needs the app's secret. An app that was given none keeps one in "
            "the file LIVETHREAD_DATABASE.secret."
        )

    health = Health()

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[LiveState]:
        async with _client(settings, CONNECTIONS_TO_ASK) as asking, _client(settings, 2) as polling:
            hub = Hub(AppSource(asking, Signed(asking, settings)), health)
            sites = Sites()
            sites.replace(map(of_origin, settings.sites))
            poller = Poller(Signed(polling, settings), settings, hub, sites)
            heard: tuple[Broker, ...] = ()
            if settings.redis_urls:
                # Only where it is used: the library takes a fifth of the start.
                from channels.brokers.redis import redis_broker  # noqa: PLC0415

                redis = redis_broker(
                    settings.redis_urls,
                    settings.redis_prefix,
                    settings.secrets,
                    on_message=hub.hear,
                    on_trouble=poller.ring,
                )
                hub.broker, poller.on_epoch = redis, redis.enter
                heard = (redis,)
            else:
                hub.broker = MemoryBroker(hub.hear)
                log.warning("LIVETHREAD_REDIS_URL is not set: changes arrive by polling, up to a second late")
            async with hub.running():
                async with Tasks(health) as tasks:
                    heartbeat = Heartbeat()
                    tasks.keep("heartbeat", heartbeat.run)
                    tasks.keep("poll", poller.run)
                    admission = live_socket.admission_by(settings)
                    clients = Clients(settings)
                    budget = HttpBudget(settings.limit_connections_address if settings.limits else None, admission.here)
                    offered = Offered(settings.languages)
                    live = LiveContext(
                        settings, clients, hub, heard, admission, heartbeat, poller, budget, sites, offered
                    )
                    yield {"live": live}
                await poller.say_goodbye()

    app = Starlette(
        routes=[*probes.routes, *metrics.routes, *live_socket.routes],
        middleware=[Middleware(Guard, settings=settings)],
        exception_handlers=error_answers.handlers,
        lifespan=lifespan,
    )
    app.state.health = health
    return app


def _client(settings: Settings, connections: int) -> httpx2.AsyncClient:
    limits = httpx2.Limits(max_connections=connections, max_keepalive_connections=connections)
    path = settings.app_url.removeprefix("unix:")
    at = settings.app_url if path == settings.app_url else "http://localhost"
    transport = httpx2.AsyncHTTPTransport(uds=path, limits=limits) if path != settings.app_url else None
    return httpx2.AsyncClient(
        base_url=at, timeout=AppSource.SECONDS, trust_env=False, limits=limits, transport=transport
    )
