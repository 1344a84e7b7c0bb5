"""The context of a request, carried in the lifespan's typed state."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypedDict

from starlette.requests import Request

from channels.brokers.broker import Broker
from channels.cache import Shared
from channels.changes_source import Question, Source
from channels.messages import Answer
from channels.rooms.hub import Hub
from channels.sockets.heartbeat import Heartbeat
from server.actions.vote import Votes
from server.client_address import Clients, wide_network
from server.connection_budget import HttpBudget
from server.locales.offered import Offered
from server.openid.client import Client
from server.pictures.process import Pictures
from server.rate_limits import Admission, Limits
from server.settings import Settings
from server.sites import Sites
from server.storage.engine.database import Database
from server.storage.threads.orders import Rankings
from server.text.render_process import Renderer
from server.web.assets import Assets
from server.web.pages.editions import Editions
from server.web.pages.personal_marks import OwnMarks
from server.web.requests.begun_logins import BegunLogins
from server.web.requests.known_sessions import KnownSessions
from server.web.requests.login_codes import LoginCodes
from server.web.requests.page_queue import Turns


class DiffSource(Source, Protocol):
    async def one(self, question: Question) -> Answer:
        """Return the answer to one question, made once for all who ask it. Raises SourceUnavailable."""


class AppState(Protocol):
    """How a gateway stands to its app: when the app last answered, in monotonic seconds (None: not yet)."""

    @property
    def answered_at(self) -> float | None: ...


@dataclass(frozen=True, slots=True)
class LiveContext:
    """The context of the live endpoint: all that a gateway has. The state of `brokers` is reported.

    `app` is None in the app itself.
    """

    settings: Settings
    clients: Clients
    hub: Hub
    brokers: tuple[Broker, ...]
    admission: Admission
    heartbeat: Heartbeat
    app: AppState | None
    budget: HttpBudget
    sites: Sites
    offered: Offered


@dataclass(frozen=True, slots=True)
class Context(LiveContext):
    database: Database
    limits: Limits
    assets: Assets
    editions: Editions
    own_marks: OwnMarks
    source: DiffSource
    shared: Shared
    turns: Turns
    large_polls: asyncio.Lock
    sessions: KnownSessions
    rankings: Rankings
    votes: Votes
    renderer: Renderer
    pictures: Pictures
    codes: LoginCodes
    # After a change of the sites: from then on requests are answered by it.
    reread_sites: Callable[[], Awaitable[None]]
    begun: BegunLogins
    # By the names of the providers.
    openid: Mapping[str, Client]


class LiveState(TypedDict):
    live: LiveContext


class State(LiveState):
    context: Context


Visit = Request[State]
LiveVisit = Request[LiveState]


def sign(settings: Settings, *parts: str) -> str:
    """Return a keyed hash of `parts`, for tickets, for gateways and for addresses that are not to be kept."""
    return _signature(settings.secret, parts)


def is_signed(settings: Settings, signature: str, *parts: str) -> bool:
    """Say whether `sign` returned this for the same parts, here or where the other secret is the first."""
    given = signature.encode("utf-8", "replace")
    return any(hmac.compare_digest(_signature(secret, parts).encode(), given) for secret in settings.secrets)


def _signature(secret: str, parts: tuple[str, ...]) -> str:
    return hmac.new(secret.encode(), "\0".join(parts).encode(), hashlib.sha256).hexdigest()


def host(visit: Visit) -> str:
    """Return the address that a request comes from: personal data."""
    return visit.state["live"].clients.host(visit.client.host if visit.client else None, visit.headers.getlist)


def wide_address(visit: Visit) -> str:
    """Return the wider network of a request, as a keyed hash."""
    return sign(visit.state["live"].settings, "network", wide_network(host(visit)))


def address(visit: Visit) -> str:
    """Return where a request comes from, as a keyed hash."""
    live = visit.state["live"]
    peer = visit.client.host if visit.client else None
    return sign(live.settings, "address", live.clients.network(peer, visit.headers.getlist))
