"""The WebSocket endpoint: reads what a client asks, lets the hub write. Knows no database."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable

import msgspec
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from channels.changes_source import Epoch
from channels.sockets.connection import Connection, Listener
from channels.sockets.frames import TOO_LARGE, text_frame
from channels.sockets.reader import MAX_THREADS, Reader
from server.errors import DomainError, Forbidden, Malformed, NotSignedIn, TooLarge, TooMany, Unavailable
from server.locales import texts
from server.rate_limits import Admission
from server.settings import Settings
from server.web.requests import schemas, session
from server.web.requests.context import LiveContext, LiveVisit

PATH = "/live"
MAX_FRAME_BYTES = 16 * 1024
FRAMES_PER_SECOND = 20
CLOSE_POLICY = 1008


class Hello(msgspec.Struct, tag="hello", tag_field="type", forbid_unknown_fields=True):
    ticket: str


class Join(msgspec.Struct, tag="join", tag_field="type", forbid_unknown_fields=True):
    thread: schemas.Key
    epoch: Epoch | None = None
    after: schemas.Version | None = None


class Leave(msgspec.Struct, tag="leave", tag_field="type", forbid_unknown_fields=True):
    thread: schemas.Key


class Typing(msgspec.Struct, tag="typing", tag_field="type", forbid_unknown_fields=True):
    thread: schemas.Key
    parent: schemas.Id | None = None


class Ping(msgspec.Struct, tag="ping", tag_field="type"):
    pass


Up = Hello | Join | Leave | Typing | Ping
_frames: msgspec.json.Decoder[Up] = msgspec.json.Decoder(Up)
_PONG = text_frame(b'{"type":"pong"}')


class Conversation(Reader):
    """One accepted socket from its first frame to its last. Holds no task."""

    __slots__ = ("_address", "_allowance", "_allowed_at", "_context", "_language", "_ticket", "connection")

    def __init__(
        self, context: LiveContext, hand_over: Callable[[Listener], Connection], address: str, language: str
    ) -> None:
        self._context = context
        self._language = language
        # One string for all who come from there.
        self._address = sys.intern(address)
        self._ticket: session.Ticket | None = None
        self.connection = hand_over(self)
        super().__init__(self.connection)
        self._allowance, self._allowed_at = float(FRAMES_PER_SECOND), time.monotonic()
        context.heartbeat.add(self.connection)

    def received(self, message: str | bytes) -> None:
        if not self._may_speak():
            self.connection.close(CLOSE_POLICY)
            return
        try:
            if isinstance(message, bytes):
                raise Malformed("error.binary_frame", code="binary")
            if len(message.encode()) > MAX_FRAME_BYTES:
                raise TooLarge("error.large_frame", count=MAX_FRAME_BYTES)
            self._take(_parse(message))
        except DomainError as error:
            self.offer(self._refusal(error))
            if isinstance(error, TooLarge):
                self.connection.close(TOO_LARGE)

    def fell_behind(self) -> None:
        self._context.hub.fell_behind(self)

    def drained(self) -> None:
        self._context.hub.drained(self)

    def lost(self) -> None:
        # Each of these runs even if another fails: nothing else releases the connection.
        with contextlib.ExitStack() as parting:
            parting.callback(self._context.hub.disconnect, self)
            parting.callback(self._context.admission.leave, self._address)
            parting.callback(self._context.heartbeat.drop, self.connection)

    def _take(self, up: Up) -> None:
        if isinstance(up, Join):
            self._join(up)
        elif isinstance(up, Leave):
            self._context.hub.leave(self, up.thread)
        elif isinstance(up, Ping):
            self.offer(_PONG)
        elif isinstance(up, Typing):
            if self._ticket is not None and not self._ticket.may_write_in(up.thread):
                raise Forbidden("error.other_site", code="other_site", field="thread")
            self._context.hub.typing(self, up.thread, up.parent)
        elif isinstance(up, Hello):
            ticket = session.read_ticket(self._context.settings, up.ticket)
            signs_in = self._context.hub.sign_ins.enter
            if ticket is None or not signs_in(self, ticket.account, ticket.name, ticket.version):
                raise NotSignedIn("error.bad_ticket", code="bad_ticket", field="ticket")
            # A session of our own writes anywhere.
            self._ticket = ticket if ticket.site else None

    def _join(self, wanted: Join) -> None:
        hub = self._context.hub
        if self.following >= MAX_THREADS and not hub.follows(self, wanted.thread):
            raise TooMany("error.many_threads", code="too_many_threads", field="thread", count=MAX_THREADS)
        hub.join(self, wanted.thread, wanted.epoch, wanted.after, self._address)

    def could_not_join(self, thread: str) -> None:
        busy = Unavailable("error.cannot_join", retry_after=1)
        self.offer(self._refusal(busy, thread))

    def _may_speak(self) -> bool:
        """At most twenty frames a second: a page sends a handful a minute."""
        now = time.monotonic()
        self._allowance = min(FRAMES_PER_SECOND, self._allowance + (now - self._allowed_at) * FRAMES_PER_SECOND)
        self._allowed_at = now
        self._allowance -= 1
        return self._allowance >= 0 or not self._context.settings.limits

    def _refusal(self, error: DomainError, thread: str | None = None) -> bytes:
        said = {
            "type": "error",
            "code": error.code,
            "message": error.sentence(texts(self._language)),
            "field": error.field,
            "thread": thread,
            "retry_after": error.retry_after,
        }
        return text_frame(msgspec.json.encode({name: value for name, value in said.items() if value is not None}))


def _parse(text: str) -> Up:
    try:
        return _frames.decode(text)
    except msgspec.ValidationError as error:
        if "at `$.type`" in str(error) or "`type`" in str(error):
            raise Malformed("error.unknown_type", code="unknown_type") from None
        raise schemas.invalid(error) from None
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise Malformed("error.frame_not_json", why=str(error)) from None


def may_connect(context: LiveContext, origin: str | None, *, has_cookie: bool) -> bool:
    """Exact Origin; a program has none, and then it must not bring a browser's cookie."""
    if origin is None:
        return not has_cookie
    return context.settings.is_own_origin(origin) or context.sites.by_origin(origin) is not None


def admission_by(settings: Settings) -> Admission:
    return Admission(settings.limit_handshakes, settings.limit_sockets_address) if settings.limits else Admission()


def admit(context: LiveContext, origin: str | None, address: str, *, has_cookie: bool) -> None:
    """Count a socket from `address` as here. Raises Forbidden, TooMany or Unavailable, and counts nothing then."""
    if not may_connect(context, origin, has_cookie=has_cookie):
        raise Forbidden("error.foreign_socket", code="foreign_origin")
    if context.admission.is_full_of(address):
        raise TooMany("error.many_from_address", retry_after=10)
    if not context.admission.admits(address):
        raise Unavailable("error.many_connections", retry_after=1)
    context.admission.enter(address)


def receive(
    context: LiveContext, hand_over: Callable[[Listener], Connection], address: str, language: str
) -> Connection:
    """Serve a connection after its handshake, admitted as one from `address`; its errors are said in `language`."""
    context.hub.tally.handshakes += 1
    return Conversation(context, hand_over, address, language).connection


async def not_a_socket(visit: LiveVisit) -> Response:
    """Without an Upgrade there is nothing here: a proxy that does not pass it on is the usual reason."""
    headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Cache-Control": "no-store"}
    why = "This address is for WebSockets. The request has no Upgrade header, or a proxy removed it."
    return PlainTextResponse(why, 426, headers)


routes = [Route(PATH, not_a_socket)]
