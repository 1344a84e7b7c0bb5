"""What every request may use, carried in the lifespan's typed state."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Protocol, TypedDict

import jinja2
from starlette.requests import Request
from starlette.websockets import WebSocket

from channels.broker import Broker
from channels.heartbeat import Heartbeat
from channels.hub import Hub
from channels.source import Source
from server.actions.vote import Votes
from server.limits import Admission, Limits, network
from server.settings import Settings
from server.storage.database import Database
from server.storage.order import Rankings
from server.web.assets import Assets
from server.web.known_sessions import KnownSessions
from server.web.shared import Shared
from server.web.turns import Turns


class AppState(Protocol):
    """How a gateway stands to its app: when the app last answered, in monotonic seconds (None: not yet)."""

    @property
    def answered_at(self) -> float | None: ...


@dataclass(frozen=True, slots=True)
class LiveContext:
    """What the live endpoint needs: all that a gateway has. `brokers` are those whose state is reported.

    `app` is None in the app itself.
    """

    settings: Settings
    hub: Hub
    brokers: tuple[Broker, ...]
    admission: Admission
    heartbeat: Heartbeat
    app: AppState | None


@dataclass(frozen=True, slots=True)
class Context(LiveContext):
    database: Database
    limits: Limits
    assets: Assets
    templates: jinja2.Environment
    source: Source
    shared: Shared
    turns: Turns
    sessions: KnownSessions
    rankings: Rankings
    votes: Votes


class LiveState(TypedDict):
    live: LiveContext


class State(LiveState):
    context: Context


Visit = Request[State]
LiveVisit = Request[LiveState]
LiveSocket = WebSocket[LiveState]


def sign(settings: Settings, *parts: str) -> str:
    """Return a keyed hash of `parts`, for tickets, for gateways and for addresses that are not to be kept."""
    return hmac.new(settings.secret.encode(), "\0".join(parts).encode(), hashlib.sha256).hexdigest()


def is_signed(settings: Settings, signature: str, *parts: str) -> bool:
    return hmac.compare_digest(sign(settings, *parts).encode(), signature.encode("utf-8", "replace"))


def address(visit: Visit) -> str:
    """Return where a request comes from, as a keyed hash."""
    return sign(visit.state["live"].settings, "address", network(visit.client.host if visit.client else ""))
