"""The WebSocket of a reader as uvicorn's protocol, with a way past ASGI: frames that were built once go straight to the
transport, and a peer that does not read can be let go of.

Relies on internals of uvicorn's sans-IO protocol, each held by a test.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

if TYPE_CHECKING:
    from websockets.frames import Frame
    from websockets.http11 import Request

EXTENSION = "livethread.wire"
MAX_FRAGMENTS = 4_096
# What a peer may have unread of our answers to its pings: it asked for them, and does not take them.
MAX_UNREAD_PONG_BYTES = 64 * 1024
CLOSE_TOO_LARGE = 1009


class LiveProtocol(WebSocketsSansIOProtocol):
    """Hands itself to the application as the scope's extension `livethread.wire`."""

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if self.response.status_code == 101:
            self.scope["extensions"][EXTENSION] = self  # type: ignore[assignment]

    @property
    def unwritten_bytes(self) -> int:
        return self.transport.get_write_buffer_size()

    def write(self, frame: bytes) -> None:
        """Write one whole frame, after those before it; nothing where the connection is ending."""
        if not self.close_sent and not self.transport.is_closing():
            self.transport.write(frame)

    def abort(self) -> None:
        """End the connection at once, whatever was not written."""
        self.transport.abort()

    def handle_cont(self, event: Frame) -> None:
        if len(self.frames) >= MAX_FRAGMENTS:
            self.conn.fail(CLOSE_TOO_LARGE, "too many fragments")
            self.handle_parser_exception()
            return
        super().handle_cont(event)

    def handle_ping(self) -> None:
        if self.unwritten_bytes > MAX_UNREAD_PONG_BYTES:
            self.abort()
            return
        super().handle_ping()
