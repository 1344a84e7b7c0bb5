"""The opening handshake of a WebSocket (RFC 6455, 4.2): checks, negotiation and refusals."""

from __future__ import annotations

import base64
import hashlib
import re

from channels.sockets import deflate
from server.transport.refusals import Refused
from server.transport.request_head import Headers

MAX_OFFER_BYTES = 500
_KEY = re.compile(rb"[A-Za-z0-9+/]{21}[AQgw]==")
_TOKENS = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:[ \t]*,[ \t]*[!#$%&'*+.^_`|~0-9A-Za-z-]+)*")
_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_ACCEPT = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: %s\r\n%s\r\n"
)
_EXTENSIONS = b"Sec-WebSocket-Extensions: " + deflate.ANSWER + b"\r\n"
_ONCE = (b"upgrade", b"sec-websocket-key", b"sec-websocket-version")
_OFFERS = b"sec-websocket-extensions"
_PROTOCOL = b"sec-websocket-protocol"
_BODY = {b"content-length", b"transfer-encoding"}


def agree(headers: Headers) -> tuple[bytes, bool]:
    """Return the answer to a handshake, and whether it agrees to compression. Raises Refused.

    `headers` are those of a GET by HTTP/1.1 whose Connection and Upgrade ask for a WebSocket, names in lower case. No
    subprotocol is ever chosen.
    """
    names = [name for name, _ in headers]
    if any(names.count(name) != 1 for name in _ONCE) or names.count(b"origin") > 1:
        raise Refused(400, "The handshake is ambiguous.")
    values = dict(headers)
    if not _BODY.isdisjoint(names):
        raise Refused(400, "A handshake must not have a body.")
    if values[b"sec-websocket-version"] != b"13":
        raise Refused(426, "This server supports WebSocket version 13 only.")
    key = values[b"sec-websocket-key"]
    if not _KEY.fullmatch(key):
        raise Refused(400, "Sec-WebSocket-Key is not valid.")
    if _PROTOCOL in values and not _TOKENS.fullmatch(values[_PROTOCOL]):
        raise Refused(400, "Sec-WebSocket-Protocol is not a list of names.")
    offers = b",".join(value for name, value in headers if name == _OFFERS)
    if len(offers) > MAX_OFFER_BYTES:
        raise Refused(400, "The handshake offers too many extensions.")
    accept = base64.b64encode(hashlib.sha1(key + _MAGIC, usedforsecurity=False).digest())
    deflates = deflate.is_offered(offers)
    return _ACCEPT % (accept, _EXTENSIONS if deflates else b""), deflates
