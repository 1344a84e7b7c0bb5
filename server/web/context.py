"""What every request may use, carried in the lifespan's typed state."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from functools import wraps
from typing import Protocol, TypedDict, TypeVar

import jinja2
from starlette.requests import Request
from starlette.responses import Response
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
Made = TypeVar("Made")
Endpoint = Callable[[Visit], Awaitable[Response]]


def sign(settings: Settings, *parts: str) -> str:
    """Return a keyed hash of `parts`, for tickets, for gateways and for addresses that are not to be kept."""
    return hmac.new(settings.secret.encode(), "\0".join(parts).encode(), hashlib.sha256).hexdigest()


def is_signed(settings: Settings, signature: str, *parts: str) -> bool:
    return hmac.compare_digest(sign(settings, *parts).encode(), signature.encode("utf-8", "replace"))


def address(visit: Visit) -> str:
    """Return where a request comes from, as a keyed hash."""
    return sign(visit.state["live"].settings, "address", network(visit.client.host if visit.client else ""))


async def shared_in_turn(
    visit: Visit, thread: str, question: Hashable, make: Callable[[], Awaitable[Made]], bytes_of: Callable[[Made], int]
) -> Made:
    """Return the answer that is shared by all, by `Shared.get`; only where it is to be made, once it is our turn."""
    context = visit.state["context"]

    def get() -> Awaitable[Made]:
        return context.shared.get(thread, question, make, bytes_of)

    if context.shared.knows(thread, question):
        return await get()
    return await context.turns.take(address(visit), (thread, question), get)


def in_turn(endpoint: Endpoint) -> Endpoint:
    """Let an endpoint whose answer is made anew each time wait for its address's turn, once its body is here."""

    @wraps(endpoint)
    async def waiting(visit: Visit) -> Response:
        await visit.body()
        return await visit.state["context"].turns.take(address(visit), object(), lambda: endpoint(visit))

    return waiting
