"""From a request to a socket: uvicorn's connection lets go of its transport, and a reader's takes it over."""

from __future__ import annotations

from functools import partial

from channels.sockets.connection import Connection, Listener, take_over
from channels.sockets.frames import Limits
from server.transport import socket_admission
from server.transport.refusals import Refused
from server.transport.uvicorn_connection import FULL, BoundedHttp
from server.web.live import live_socket


class HttpAndSockets(BoundedHttp):
    """The one way in for sockets, which needs neither a request nor a task."""

    most_sockets = 1 << 30

    def _should_upgrade(self) -> bool:
        return self._get_upgrade() == b"websocket"

    def _upgrade(self, early: bytes) -> None:
        """Open a socket: the one way in, which needs neither a request nor a task."""
        self._is_deaf = True
        if not self._should_upgrade() or self._running is not None:
            # To another protocol, which is passed over; or behind an answer, after which the connection ends.
            return
        context = self._live
        try:
            if len(self.connections) >= self.most_sockets:
                raise Refused(FULL.status, FULL.sentence, FULL.retry_after)
            answer, deflates, address, language = socket_admission.admit(
                context, self.scope["method"], self.scope["http_version"], self.url, self.headers, self._peer_host
            )
        except Refused as refused:
            context.hub.tally.refused_handshakes += 1
            self.transport.write(refused.written())
            self._linger()
            return
        self.transport.write(answer)
        hand_over = partial(self._hand_over, address, deflates=deflates)
        connection = live_socket.receive(context, hand_over, address, language)
        if early:
            connection.data_received(early)

    def _hand_over(self, address: str, listener: Listener, *, deflates: bool) -> Connection:
        rounds = self._budget.rounds
        self.connections.discard(self)
        if self._share is not None:
            self._share.close()
            self._share = None
        transport = self.transport
        # The parser knows us: without this circle we go at once.
        self.parser = None  # type: ignore[assignment]
        return take_over(transport, self.connections, Limits(), listener, rounds, address, deflates=deflates)
