"""The WebSocket endpoint: reads what a client asks, lets the hub write. Knows no database."""

from __future__ import annotations

import asyncio
import contextlib
import time

import msgspec
from starlette.responses import Response
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocketDisconnect

from channels.hub import Hub
from channels.reader import MAX_THREADS, TOO_SLOW, Reader, text_frame
from channels.socket import EXTENSION, LiveProtocol
from channels.source import SourceUnavailable
from server.errors import DomainError, Malformed, NotSignedIn, TooLarge, TooMany, Unavailable
from server.settings import Settings
from server.web import requests, session
from server.web.context import LiveSocket

MAX_FRAME_BYTES = 16 * 1024
FRAMES_PER_SECOND = 20
CLOSE_POLICY = 1008
CLOSE_TOO_LARGE = 1009
CLOSE_SECONDS = 1.0


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


class _End(Exception):
    """The conversation is over, with this close code and a last word (0: the client has gone already)."""

    def __init__(self, code: int, last: bytes = b"") -> None:
        self.code = code
        self.last = last


class Conversation:
    """One accepted socket from its first frame to its last."""

    def __init__(self, socket: LiveSocket, settings: Settings, hub: Hub) -> None:
        self._socket = socket
        self._settings = settings
        self._hub = hub
        self._wire: LiveProtocol = socket.scope["extensions"][EXTENSION]
        self._reader = Reader(self._wire)
        self._joining: dict[str, asyncio.Task[None]] = {}
        self._tasks: asyncio.TaskGroup
        self._allowance, self._allowed_at = float(FRAMES_PER_SECOND), time.monotonic()

    async def hold(self) -> None:
        """Serve until the client is gone or must go."""
        end = _End(0)
        try:
            async with asyncio.TaskGroup() as self._tasks:
                self._tasks.create_task(self._end_when_told())
                while True:
                    await self._read_one()
        except* _End as ends:
            end = _first(ends)
        finally:
            self._hub.part(self._reader)
        await self._close(end)

    async def _end_when_told(self) -> None:
        await self._reader.over.wait()
        self._hub.tally.slow_readers += self._reader.close_code == TOO_SLOW
        raise _End(self._reader.close_code)

    async def _read_one(self) -> None:
        message = await self._socket.receive()
        if message["type"] == "websocket.disconnect":
            raise _End(0)
        self._spend()
        try:
            text = message.get("text")
            if text is None:
                raise Malformed("Frames are text, each one JSON object.", code="binary")
            if len(text.encode()) > MAX_FRAME_BYTES:
                raise TooLarge(f"A frame has at most {MAX_FRAME_BYTES} bytes.")
            self._take(_parse(text))
        except TooLarge as error:
            raise _End(CLOSE_TOO_LARGE, _refusal(error)) from None
        except DomainError as error:
            self._reader.offer(text_frame(_refusal(error)))

    def _take(self, up: Up) -> None:
        if isinstance(up, Join):
            self._join(up)
        elif isinstance(up, Leave):
            self._leave(up.thread)
        elif isinstance(up, Ping):
            self._reader.offer(_PONG)
        elif isinstance(up, Typing):
            self._hub.typing(self._reader, up.thread, up.parent)
        elif isinstance(up, Hello):
            ticket = session.read_ticket(self._settings, up.ticket)
            signs_in = self._hub.sign_ins.enter
            if ticket is None or not signs_in(self._reader, ticket.account, ticket.name, ticket.version):
                raise NotSignedIn("The ticket is not valid, or not any more.", code="bad_ticket", field="ticket")

    def _join(self, wanted: Join) -> None:
        followed = self._reader.threads | set(self._joining)
        if wanted.thread not in followed and len(followed) >= MAX_THREADS:
            raise TooMany(f"A socket follows at most {MAX_THREADS} threads.", code="too_many_threads", field="thread")
        self._leave(wanted.thread)
        joining = self._tasks.create_task(self._catch_up(wanted))
        self._joining[wanted.thread] = joining

    async def _catch_up(self, wanted: Join) -> None:
        try:
            await self._hub.join(self._reader, wanted.thread, wanted.epoch, wanted.after)
        except (SourceUnavailable, DomainError):
            busy = Unavailable("The thread cannot be read right now; join again in a moment.", retry_after=1)
            self._reader.offer(text_frame(_refusal(busy, wanted.thread)))
        finally:
            if self._joining.get(wanted.thread) is asyncio.current_task():
                del self._joining[wanted.thread]

    def _leave(self, thread: str) -> None:
        joining = self._joining.pop(thread, None)
        if joining is not None:
            joining.cancel()
        self._hub.leave(self._reader, thread)

    async def _close(self, end: _End) -> None:
        if end.code == TOO_SLOW:
            # It does not read; a close frame would wait behind all the rest.
            self._wire.abort()
            return
        # The client may be gone by now: then there is nobody to say it to.
        with contextlib.suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                if end.last:
                    await self._socket.send_text(end.last.decode())
                if end.code:
                    await self._socket.close(end.code)

    def _spend(self) -> None:
        """At most twenty frames a second, then 1008: a page sends a handful a minute."""
        now = time.monotonic()
        self._allowance = min(FRAMES_PER_SECOND, self._allowance + (now - self._allowed_at) * FRAMES_PER_SECOND)
        self._allowed_at = now
        self._allowance -= 1
        if self._allowance < 0 and self._settings.limits:
            raise _End(CLOSE_POLICY)


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


def _first(group: BaseExceptionGroup[_End]) -> _End:
    inner = group.exceptions[0]
    return _first(inner) if isinstance(inner, BaseExceptionGroup) else inner


def may_connect(socket: LiveSocket, settings: Settings) -> bool:
    """Exact Origin; a program has none, and then it must not bring a browser's cookie."""
    origin = socket.headers.get("origin")
    return settings.accepts_origin(origin) if origin is not None else "cookie" not in socket.headers


async def live(socket: LiveSocket) -> None:
    context = socket.state["live"]
    if not may_connect(socket, context.settings):
        # Before accept, a close is the HTTP answer 403.
        await socket.close(CLOSE_POLICY)
        return
    if not context.admission.admits():
        context.hub.tally.refused_handshakes += 1
        busy = Response("Too many connections at once: come back in a moment.", 503, {"Retry-After": "1"})
        await socket.send_denial_response(busy)
        return
    context.hub.tally.handshakes += 1
    await socket.accept()
    await Conversation(socket, context.settings, context.hub).hold()


routes = [WebSocketRoute("/live", live)]
