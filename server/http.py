"""Requests in time and in bounds: uvicorn waits for ever for a head or a body, and takes heads of any size.

And the short way in for readers: their handshake needs neither a request nor a task.

Relies on internals of uvicorn's httptools protocol, each held by a test.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any, ClassVar

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.utils import get_local_addr, get_remote_addr, is_ssl

from channels.socket import NO_TRANSPORT, Connection, Listener, LiveProtocol, plain_handshake, take_over
from server.limits import network
from server.web import live
from server.web.context import LiveContext

HEAD_SECONDS = 10.0
BODY_SECONDS = 30.0
MAX_HEAD_BYTES = 16 * 1024
MAX_HEADERS = 100
_LIVE = live.PATH.encode()


class BoundedHttp(HttpToolsProtocol):
    """A head comes within 10 s, 16 KiB and 100 headers, a body within 30 s; else the connection ends."""

    # Who is sending us something, and until when it is to be here, by the loop's time.
    sending: ClassVar[dict[BoundedHttp, float]] = {}
    _head_bytes = 0
    _is_in_head = True

    @classmethod
    def end_the_late(cls) -> None:
        """Let go of those whose time is over. To be called about once a second."""
        now = asyncio.get_running_loop().time()
        for late in [one for one, deadline in cls.sending.items() if deadline < now]:
            del cls.sending[late]
            late.transport.abort()

    def connection_made(self, transport: Any) -> None:
        # What uvicorn does, but for the addresses: a reader's handshake has no use for them, and they are dear.
        self.connections.add(self)
        self.transport = transport
        self.flow = FlowControl(transport)
        self.scheme = "https" if is_ssl(transport) else "http"
        self._expect(HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self.sending.pop(self, None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._is_in_head and self.parser is not None:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
                self.send_400_response("The head of the request is too large.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_in_head, self._head_bytes = True, 0
        self._expect(HEAD_SECONDS)

    def on_headers_complete(self) -> None:
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > MAX_HEAD_BYTES or len(self.headers) > MAX_HEADERS:
            # In a callback of the parser this is its error: uvicorn answers 400 and ends the connection.
            raise ValueError("the head is too large")
        self._is_in_head = False
        self._expect(BODY_SECONDS)
        if not self.parser.should_upgrade():
            if self.server is None:
                self.server, self.client = get_local_addr(self.transport), get_remote_addr(self.transport)
            self.scope["server"], self.scope["client"] = self.server, self.client
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self.sending.pop(self, None)
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        self.sending.pop(self, None)
        context: LiveContext | None = self.app_state.get("live")
        if context is None or not self._welcomes(context):
            super().handle_websocket_upgrade()

    def _welcomes(self, context: LiveContext) -> bool:
        """Answer a plain handshake at once; False for all that is to be refused, or judged with more care.

        What uvicorn would do is right, and costs three times as much when thousands come at once.
        """
        agreed = plain_handshake(self.headers) if self.url == _LIVE and self.scope["method"] == "GET" else None
        if agreed is None or self.scope["http_version"] != "1.1":
            return False
        answer, deflates = agreed
        origin = next((value.decode("latin-1") for name, value in self.headers if name == b"origin"), None)
        has_cookie = any(name == b"cookie" for name, _ in self.headers)
        if not live.may_connect(context.settings, origin, has_cookie=has_cookie):
            return False
        address = self._address() if context.admission.asks_for_addresses else ""
        if context.admission.is_full_of(address) or not context.admission.admits():
            return False
        context.admission.enter(address)
        self.transport.write(answer)
        live.receive(context, partial(self._hand_over, deflates=deflates), address)
        return True

    def _address(self) -> str:
        """Return where it comes from as uvicorn tells it to the application: by the word of a proxy that is trusted."""
        client = get_remote_addr(self.transport)
        host = client[0] if client else ""
        forwarded = [value for name, value in self.headers if name == b"x-forwarded-for"]
        trusted: Any = getattr(self.app, "trusted_hosts", ())
        if forwarded and host in trusted:
            host = trusted.get_trusted_client_address(b", ".join(forwarded).decode("latin-1"))[0] or host
        return network(host)

    def _hand_over(self, listener: Listener, *, deflates: bool) -> Connection:
        self.connections.discard(self)
        transport, self.transport = self.transport, NO_TRANSPORT
        # The parser knows us: without this circle we go at once.
        self.parser = None  # type: ignore[assignment]
        return take_over(transport, self.connections, LiveProtocol.limits, listener, deflates=deflates)

    def _expect(self, seconds: float) -> None:
        self.sending[self] = self.loop.time() + seconds
