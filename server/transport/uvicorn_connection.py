"""uvicorn's connection, adapted: it parses requests and runs the application; how much, how long and for whom is ours.

With the other modules called uvicorn_… it is all that this product takes from uvicorn. A new version of uvicorn is
tried by tests/server/test_uvicorn_adapter.py first, which says what has moved.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl, service_unavailable
from uvicorn.protocols.utils import get_local_addr, get_remote_addr, is_ssl

from channels.sockets.resetting import is_read, reset
from server.connection_budget import HttpBudget
from server.transport import request_head
from server.transport.refusals import Refused
from server.transport.uvicorn_reading import NOTHING, Reading
from server.transport.uvicorn_request import HELD_BYTES, Answering
from server.web.requests.context import LiveContext

HEAD_SECONDS = 10.0
BODY_SECONDS = 30.0
# An answer is taken at this rate at least, after a while in which nothing need be.
ANSWER_SECONDS = 20.0
ANSWER_BYTES_A_SECOND = 4 * 1024
PROGRESS_SECONDS = 0.25
LINGER_SECONDS = 2.0
MAX_LINGER_BYTES = 1024 * 1024
UNREAD_BYTES = 4 * 1024

LATE = Refused(408, "The request did not arrive in time.")
FULL = Refused(503, "Too many connections. Try again in a moment.", 1)


class BoundedHttp(Reading):
    """A connection that reads requests in time and in bounds, and counts what it holds.

    It closes only after it has read what the peer still sends (RFC 9112, 9.6): a reset would take the answer with it.
    """

    keep_alive_seconds = 150.0
    most_connections = 1 << 30

    _running: Answering | None = None
    _is_in_body = False
    _has_peer_ended = False
    _last_words = ""
    _lingered_bytes = 0
    _writing = NOTHING
    _heard_at = 0.0
    # When it was last seen how much of an answer was not taken.
    _progress = (0.0, 0)

    def connection_made(self, transport: Any) -> None:
        # What uvicorn does, but for the addresses: a reader's handshake has no use for them, and they are dear.
        self.transport = transport
        self.flow = FlowControl(transport)
        self.scheme = "https" if is_ssl(transport) else "http"
        transport.set_write_buffer_limits(UNREAD_BYTES, 0)
        budget = self._budget
        if len(self.connections) < self.most_connections or budget.cut_oldest():
            address = self._live.clients.visitor(self._peer_host()) if budget.asks_for_addresses else None
            self._share = budget.open(address, self)
        if self._share is None:
            self._is_deaf = True
            self.transport.write(FULL.written())
            transport.close()
            return
        self._heard_at = self.loop.time()
        self.connections.add(self)
        budget.rounds.accepted()
        self._wait(HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self.connections.discard(self)
        share, self._share = self._share, None
        if share is not None:
            share.close()
        self._forget()
        self.flow.resume_writing()
        self.parser = None  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self._heard_at = self.loop.time()
        if self._is_deaf or self._is_lingering:
            self._lingered_bytes += len(data)
            if self._lingered_bytes > MAX_LINGER_BYTES:
                reset(self.transport)
        elif self._unparsed:
            self._put_off(data)
        elif self._has_time() or (self._is_probe(data) and self._budget.rounds.may_pass()):
            self._feed(data)
        elif self._share is not None:
            self._put_off(data)
            self._wait_for_turn()

    def _has_time(self) -> bool:
        return self._budget.rounds.has_time()

    def _is_probe(self, data: bytes) -> bool:
        is_first = self._running is None and not (self._is_in_head or self._is_in_body)
        return is_first and data.startswith(request_head.PROBES)

    def _wait_for_turn(self) -> None:
        address = self._share.address if self._share is not None else None
        # Through a proxy many come: of each connection of it one request at a time is read.
        self._budget.rounds.later(address or f"connection {id(self)}", self._read_on)

    def _read_on(self) -> None:
        if self.transport.is_closing() or self._is_lingering:
            return
        if self.pipeline:
            # Else the next one is begun after the answer that is on its way.
            if self._running is None:
                if self._share is not None:
                    self._share.hold(-HELD_BYTES)
                self._begin(cast("Answering", self.pipeline.pop()[0]))
        elif self._unparsed and not self._is_deaf:
            later = self._resumed()
            self.flow.resume_reading()
            self._feed(later)

    # The parser's callbacks

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._running is None:
            self._wait(HEAD_SECONDS)

    def on_headers_complete(self) -> None:
        version = self.parser.get_http_version()
        request_head.check(version, self.url, self.headers)
        self._is_in_head, self._overhead = False, 0
        if self._share is not None:
            self._share.hold(len(self.headers) * request_head.HEADER_BYTES)
        self.scope["method"] = self.parser.get_method().decode("ascii")
        self.scope["http_version"] = version
        if self.parser.should_upgrade() and self._should_upgrade():
            return
        self._is_in_body = True
        if self.server is None:
            self.server, self.client = get_local_addr(self.transport), get_remote_addr(self.transport)
        self.scope["server"], self.scope["client"] = self.server, self.client
        url = httptools.parse_url(self.url)
        # An absolute target may have none.
        path = cast("bytes | None", url.path) or b"/"
        self.scope["raw_path"] = path
        self.scope["path"] = unquote(path.decode("ascii"))
        self.scope["query_string"] = url.query or b""
        self.cycle = cycle = Answering(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue and version != "1.0",
            keep_alive=version != "1.0" and self.parser.should_keep_alive() and not self.parser.should_upgrade(),
            on_response=self.on_response_complete,
        )
        cycle.writes = self._writes
        cycle.body_bytes = request_head.body_bytes(self.headers)
        if self._running is None:
            self._begin(cycle)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, self.app))
            if self._share is not None:
                self._share.hold(HELD_BYTES)

    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        cycle = cast("Answering | None", self.cycle)
        if cycle is None or cycle.response_complete:
            return
        cycle.body += body
        if len(cycle.body) > HIGH_WATER_LIMIT:
            # Only whole bodies and large pieces wake the application: a byte at a time would cost it fifty.
            self.flow.pause_reading()
            cycle.message_event.set()
            self._start(cycle)

    def on_message_complete(self) -> None:
        if not self._is_in_body:
            return
        self._is_in_body = False
        cycle = cast("Answering | None", self.cycle)
        if cycle is None or cycle.response_complete:
            self._rest()
            return
        cycle.more_body = False
        cycle.message_event.set()
        if cycle is self._running:
            self._start(cycle)

    # From a request to its answer

    def _begin(self, cycle: Answering) -> None:
        """It is this request's turn. The application is asked once the body is here, unless it is to judge the head."""
        self._running = cycle
        if not cycle.more_body or cycle.has_large_body or cycle.waiting_for_100_continue:
            self._start(cycle)
        else:
            self._wait(BODY_SECONDS)

    def _start(self, cycle: Answering) -> None:
        if self._share is None or cycle is not self._running:
            return
        if cycle.more_body:
            self._wait(BODY_SECONDS)
        elif not self.flow.write_paused:
            self._share.works()
        if not cycle.is_started:
            cycle.is_started = True
            is_full = self._budget.is_full(self._share.address)
            self._start_asgi_task(cycle, service_unavailable if is_full else self.app)

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        budget = self._budget
        budget.begin_request()

        async def counted(scope: Any, receive: Any, send: Any) -> None:
            cycle.task = asyncio.current_task()
            try:
                await app(scope, receive, send)
            except asyncio.CancelledError:
                # By us, since nobody waits for the answer; else by the server, which ends.
                if not cycle.disconnected:
                    raise
            finally:
                cycle.task = None
                budget.end_request()

        super()._start_asgi_task(cycle, counted)

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        cycle, self._running = self._running, None
        if self.transport.is_closing() or cycle is None:
            return
        if cycle.is_last:
            self._last_words = ""
            self._end()
        elif self.pipeline or (self._unparsed and not self._is_deaf):
            # It has had its turn: else those who send many requests at once would have one in each turn of the loop.
            self._wait_for_turn()
        elif self._is_deaf or self._has_peer_ended:
            self._end()
        elif not self._is_in_head:
            self.flow.resume_reading()
            self._rest()

    def _rest(self) -> None:
        """Let go of the last request, and wait for the next one, or for the rest of a body that was answered early."""
        if self._share is None or self._running is not None:
            return
        self.cycle = self.scope = self.headers = None  # type: ignore[assignment]
        self._share.hold_no_more()
        if not self.flow.write_paused:
            self._wait(BODY_SECONDS if self._is_in_body else self.keep_alive_seconds)

    def pause_writing(self) -> None:
        self.flow.pause_writing()
        if self._share is not None:
            self._share.hold_answer(self._writing)
        if self._share is not None and not self._budget.is_crowd(self._share.address):
            self._budget.send_buffers.lend(self.transport)
        unwritten = self.transport.get_write_buffer_size()
        self._progress = self.loop.time(), unwritten
        self._wait(ANSWER_SECONDS + unwritten / ANSWER_BYTES_A_SECOND)

    def resume_writing(self) -> None:
        self.flow.resume_writing()
        if self._share is None:
            return
        self._share.release_answers()
        if self._is_lingering:
            self._wait(LINGER_SECONDS)
        elif self._running is not None and not self._running.more_body:
            self._share.works()
        elif self._is_in_head:
            self._wait(HEAD_SECONDS)
        elif self._running is not None or self._is_in_body:
            self._wait(BODY_SECONDS)
        else:
            self._wait(self.keep_alive_seconds)

    def _writes(self, body: bytes) -> None:
        # Held should they not leave at once.
        self._writing = body

    # The end

    def eof_received(self) -> bool:  # type: ignore[override]
        """Answer pending requests after the peer shut down its direction, then close."""
        self._has_peer_ended = True
        running = self._running
        return (running is not None and not running.more_body) or bool(self.pipeline or self._unparsed)

    def shutdown(self) -> None:
        """End with the server: at once between two requests, else after the answer."""
        if self._running is None and not self._is_in_body:
            self._linger()
        elif self._running is not None:
            self._running.ends_after()
        else:
            self.transport.close()

    def _linger(self) -> None:
        """Say no more, and read until the peer has closed."""
        if self._is_lingering or self.transport.is_closing():
            return
        self._is_lingering = True
        if not self.flow.write_paused:
            # Nothing is left that the end of the process should wait for.
            self.connections.discard(self)
        self._forget()
        self.transport.write_eof()
        self.flow.resume_reading()
        if self._share is not None:
            self._share.hold_no_more()
        if not self.flow.write_paused:
            self._wait(LINGER_SECONDS)

    def _forget(self) -> None:
        """Let go of all requests, at once: they and we know each other, and a collection may be far away."""
        for cycle in (self._running, self.cycle, *(waiting for waiting, _ in self.pipeline)):
            if cycle is not None:
                cast("Answering", cycle).give_up()
        self.pipeline.clear()
        self._running = self.cycle = self.scope = self.headers = None  # type: ignore[assignment]
        self._unparsed = self._writing = NOTHING

    def is_stalled(self) -> bool:
        now = self.loop.time()
        if not self.flow.write_paused:
            # What has come may wait for us.
            return not self._unparsed and now - self._heard_at >= PROGRESS_SECONDS
        unwritten = self.transport.get_write_buffer_size()
        since, before = self._progress
        if now - since < PROGRESS_SECONDS:
            return False
        self._progress = now, unwritten
        return before - unwritten < (now - since) * ANSWER_BYTES_A_SECOND

    def let_go(self, *, is_late: bool) -> None:
        """The peer has had its time, or others need the room."""
        is_quiet = self._running is None and not self._is_in_head
        if self._is_lingering or not is_read(self.transport) or (self._running and self._running.is_started):
            reset(self.transport)
            return
        self._is_deaf = True
        self._forget()
        if not is_quiet:
            self.transport.write((LATE if is_late else FULL).written())
        self.transport.close()

    def _malformed(self, why: str) -> None:
        """Answer 400 and end: at once where the fault is in the present request, else after those before it."""
        self._budget.malformed(why)
        self._is_deaf = True
        self._last_words = why
        running = self._running
        if running is None or (running is self.cycle and self._is_in_body and not running.response_started):
            if running is not None:
                running.give_up()
            self._end()

    def _end(self) -> None:
        if self._last_words:
            self.transport.write(Refused(400, self._last_words).written())
        if self._has_peer_ended:
            self.transport.close()
        else:
            self._linger()

    # Who and what is around

    @property
    def _live(self) -> LiveContext:
        return cast("LiveContext", self.app_state["live"])

    @property
    def _budget(self) -> HttpBudget:
        return self._live.budget

    def _wait(self, seconds: float) -> None:
        if self._share is not None:
            self._share.waits(self.loop.time() + seconds)

    def _peer_host(self) -> str | None:
        client = get_remote_addr(self.transport)
        return client[0] if client else None
