"""The WebSocket endpoint: reads what a client asks, lets the hub write. Knows no database."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable

import msgspec
from starlette.responses import Response
from starlette.routing import WebSocketRoute

from channels.frames import TOO_LARGE, text_frame
from channels.reader import MAX_THREADS, Reader
from channels.socket import EXTENSION, Connection, Listener, LiveProtocol
from channels.source import SourceUnavailable
from server.errors import DomainError, Malformed, NotSignedIn, TooLarge, TooMany, Unavailable
from server.limits import Admission, network
from server.settings import Settings
from server.web import requests, session
from server.web.context import LiveContext, LiveSocket

PATH = "/live"
MAX_FRAME_BYTES = 16 * 1024
FRAMES_PER_SECOND = 20
CLOSE_POLICY = 1008


class Hello(msgspec.Struct, tag="hello", tag_field="type", forbid_unknown_fields=True):
    ticket: str


class Join(msgspec.Struct, tag="join", tag_field="type", forbid_unknown_fields=True):
    thread: requests.Key
    epoch: str | None = None
    after: requests.Version | None = None


class Leave(msgspec.Struct, tag="leave", tag_field="type", forbid_unknown_fields=True):
    thread: requests.Key


class Typing(msgspec.Struct, tag="typing", tag_field="type", forbid_unknown_fields=True):
    thread: requests.Key
    parent: requests.Id | None = None


class Ping(msgspec.Struct, tag="ping", tag_field="type"):
    pass


Up = Hello | Join | Leave | Typing | Ping
_frames: msgspec.json.Decoder[Up] = msgspec.json.Decoder(Up)
_PONG = text_frame(b'{"type":"pong"}')


class Conversation:
    """One accepted socket from its first frame to its last. Holds no task but while a thread is being read for it."""

    __slots__ = ("_address", "_allowance", "_allowed_at", "_connection", "_context", "_joining", "_reader")

    def __init__(self, context: LiveContext, hand_over: Callable[[Listener], Connection], address: str) -> None:
        self._context = context
        # One string for all who come from there.
        self._address = sys.intern(address)
        self._connection = hand_over(self)
        self._reader = Reader(self._connection)
        self._joining: dict[str, asyncio.Task[None]] | None = None
        self._allowance, self._allowed_at = float(FRAMES_PER_SECOND), time.monotonic()
        context.heartbeat.add(self._connection)

    def received(self, message: str | bytes) -> None:
        if not self._may_speak():
            self._connection.close(CLOSE_POLICY)
            return
        try:
            if isinstance(message, bytes):
                raise Malformed("Frames are text, each one JSON object.", code="binary")
            if len(message.encode()) > MAX_FRAME_BYTES:
                raise TooLarge(f"A frame has at most {MAX_FRAME_BYTES} bytes.")
            self._take(_parse(message))
        except DomainError as error:
            self._reader.offer(text_frame(_refusal(error)))
            if isinstance(error, TooLarge):
                self._connection.close(TOO_LARGE)

    def fell_behind(self) -> None:
        self._context.hub.fell_behind(self._reader)

    def drained(self) -> None:
        self._context.hub.drained(self._reader)

    def lost(self) -> None:
        for joining in (self._joining or {}).values():
            joining.cancel()
        self._context.heartbeat.drop(self._connection)
        self._context.admission.leave(self._address)
        self._context.hub.part(self._reader)

    def _take(self, up: Up) -> None:
        if isinstance(up, Join):
            self._join(up)
        elif isinstance(up, Leave):
            self._leave(up.thread)
        elif isinstance(up, Ping):
            self._reader.offer(_PONG)
        elif isinstance(up, Typing):
            self._context.hub.typing(self._reader, up.thread, up.parent)
        elif isinstance(up, Hello):
            ticket = session.read_ticket(self._context.settings, up.ticket)
            signs_in = self._context.hub.sign_ins.enter
            if ticket is None or not signs_in(self._reader, ticket.account, ticket.name, ticket.version):
                raise NotSignedIn("The ticket is not valid, or not any more.", code="bad_ticket", field="ticket")

    def _join(self, wanted: Join) -> None:
        followed = {*self._reader.threads, *(self._joining or ())}
        if wanted.thread not in followed and len(followed) >= MAX_THREADS:
            raise TooMany(f"A socket follows at most {MAX_THREADS} threads.", code="too_many_threads", field="thread")
        if wanted.thread in followed:
            self._leave(wanted.thread)
        if not self._context.hub.enter(self._reader, wanted.thread, wanted.epoch, wanted.after):
            self._joining = self._joining or {}
            self._joining[wanted.thread] = asyncio.get_running_loop().create_task(self._catch_up(wanted))

    async def _catch_up(self, wanted: Join) -> None:
        try:
            await self._context.hub.join(self._reader, wanted.thread, wanted.epoch, wanted.after)
        except (SourceUnavailable, DomainError):
            busy = Unavailable("The thread cannot be read right now; join again in a moment.", retry_after=1)
            self._reader.offer(text_frame(_refusal(busy, wanted.thread)))
        finally:
            if self._joining and self._joining.get(wanted.thread) is asyncio.current_task():
                del self._joining[wanted.thread]
                self._joining = self._joining or None

    def _leave(self, thread: str) -> None:
        joining = self._joining.pop(thread, None) if self._joining else None
        if joining is not None:
            joining.cancel()
        self._context.hub.leave(self._reader, thread)

    def _may_speak(self) -> bool:
        """At most twenty frames a second: a page sends a handful a minute."""
        now = time.monotonic()
        self._allowance = min(FRAMES_PER_SECOND, self._allowance + (now - self._allowed_at) * FRAMES_PER_SECOND)
        self._allowed_at = now
        self._allowance -= 1
        return self._allowance >= 0 or not self._context.settings.limits


def _refusal(error: DomainError, thread: str | None = None) -> bytes:
    said = {
        "type": "error",
        "code": error.code,
        "message": error.message,
        "field": error.field,
        "thread": thread,
        "retry_after": error.retry_after,
    }
    return msgspec.json.encode({name: value for name, value in said.items() if value is not None})


def _parse(text: str) -> Up:
    try:
        return _frames.decode(text)
    except msgspec.ValidationError as error:
        if "at `$.type`" in str(error) or "`type`" in str(error):
            raise Malformed("type is one of hello, join, leave, typing, ping.", code="unknown_type") from None
        raise requests.invalid(error) from None
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise Malformed(f"The frame is not JSON: {error}.") from None


def may_connect(settings: Settings, origin: str | None, *, has_cookie: bool) -> bool:
    """Exact Origin; a program has none, and then it must not bring a browser's cookie."""
    return settings.accepts_origin(origin) if origin is not None else not has_cookie


def admission_by(settings: Settings) -> Admission:
    return Admission(settings.limit_handshakes, settings.limit_sockets_address) if settings.limits else Admission()


def receive(context: LiveContext, hand_over: Callable[[Listener], Connection], address: str) -> None:
    """Go on with a connection that was accepted, and counted by the admission as one from `address`."""
    context.hub.tally.handshakes += 1
    Conversation(context, hand_over, address)


async def live(socket: LiveSocket) -> None:
    context = socket.state["live"]
    if not may_connect(context.settings, socket.headers.get("origin"), has_cookie="cookie" in socket.headers):
        # Before accept, a close is the HTTP answer 403.
        await socket.close(CLOSE_POLICY)
        return
    address = network(socket.client.host if socket.client else "")
    is_full = context.admission.is_full_of(address)
    if is_full or not context.admission.admits():
        context.hub.tally.refused_handshakes += 1
        why, status, wait = (
            ("Too many connections from your address", 429, "10")
            if is_full
            else ("Too many connections at once", 503, "1")
        )
        await socket.send_denial_response(Response(f"{why}: come back in a moment.", status, {"Retry-After": wait}))
        return
    handshake: LiveProtocol = socket.scope["extensions"][EXTENSION]
    # Before accept waits: of many at once each is to see those before it.
    context.admission.enter(address)
    is_here = False
    try:
        await socket.accept()
        is_here = not handshake.transport.is_closing()
    finally:
        if not is_here:
            context.admission.leave(address)
    if not is_here:
        return
    # Nothing of this request is needed any more: the connection goes on without it.
    receive(context, handshake.hand_over, address)


routes = [WebSocketRoute(PATH, live)]
