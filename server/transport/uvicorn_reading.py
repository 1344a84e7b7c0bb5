"""uvicorn's parsing, adapted: all data kept from a peer is bounded and counted."""

from __future__ import annotations

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from server.connection_budget import Share
from server.transport import request_head

# So much is parsed before we look whether a request waits for the one before it.
SLICE_BYTES = 4 * 1024
# Of a chunked body: bytes that are not content, such as sizes and trailers, beyond a head's.
MAX_OVERHEAD_PER_BYTE = 8
NOTHING = b""


class Reading(HttpToolsProtocol):
    """Feeds the parser. Subclasses handle the results."""

    _share: Share | None = None
    _is_in_head = False
    # Input is dropped: after a fault, or because the last answer was sent.
    _is_deaf = False
    _is_lingering = False
    _overhead = 0
    _body_bytes = 0
    _unparsed = NOTHING

    def _feed(self, data: bytes) -> None:
        for start in range(0, len(data), SLICE_BYTES):
            if self._share is None or not self._share.is_open or self._is_deaf or self._is_lingering:
                return
            if self.pipeline:
                self._put_off(data[start:])
                return
            if start and not self._has_time():
                self._put_off(data[start:])
                self._wait_for_turn()
                return
            piece = data if len(data) <= SLICE_BYTES else data[start : start + SLICE_BYTES]
            self._overhead += len(piece)
            self._share.hold(len(piece))
            try:
                self.parser.feed_data(piece)
            except httptools.HttpParserUpgrade as upgrade:
                self._upgrade(data[start + upgrade.args[0] :])
                return
            except httptools.HttpParserError as error:
                why = error.__context__
                self._malformed(str(why) if isinstance(why, request_head.BadHead) else "The request is not valid HTTP.")
                return
            most = request_head.MAX_BYTES + MAX_OVERHEAD_PER_BYTE * self._body_bytes
            if self._overhead > most:
                self._malformed("The request headers, or the framing of its body, are too large.")
                return

    def _put_off(self, data: bytes) -> None:
        """Keep input that waits for its turn, or follows a request that waits for an earlier answer."""
        self._unparsed += data
        if len(self._unparsed) >= SLICE_BYTES:
            self.flow.pause_reading()
        if self._share is not None:
            self._share.hold(len(data))

    def _resumed(self) -> bytes:
        """Take what was put off, to be read now: it is counted once more as it is."""
        later, self._unparsed = self._unparsed, NOTHING
        if self._share is not None:
            self._share.hold(-len(later))
        return later

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_in_head, self._overhead, self._body_bytes = True, 0, 0

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._is_in_head:
            # A trailer: nobody here asks for any.
            return
        if len(self.headers) >= request_head.MAX_HEADERS:
            raise request_head.BadHead("The request headers are too large.")
        super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        self._overhead -= len(body)
        self._body_bytes += len(body)

    def _has_time(self) -> bool:
        """Say whether more may be parsed in this turn of the loop."""
        raise NotImplementedError

    def _wait_for_turn(self) -> None:
        """Have what was put off read in a later one."""
        raise NotImplementedError

    def _upgrade(self, early: bytes) -> None:
        """The head asks for another protocol, which `early` is the beginning of."""
        raise NotImplementedError

    def _malformed(self, why: str) -> None:
        raise NotImplementedError
