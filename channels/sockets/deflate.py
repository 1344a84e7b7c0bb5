"""Compression of messages (RFC 7692), without context takeover: a message compressed once suits every connection."""

from __future__ import annotations

import zlib

EXTENSION = b"permessage-deflate"
ANSWER = EXTENSION + b"; server_no_context_takeover; client_no_context_takeover"
# Above it little is gained for frames of this size, and each step costs half as much again.
LEVEL = 3
_RAW = -zlib.MAX_WBITS
_TAIL = b"\0\0\xff\xff"
_TAKEN = {
    (b"server_no_context_takeover", b""),
    (b"client_no_context_takeover", b""),
    (b"server_max_window_bits", b"%d" % zlib.MAX_WBITS),
}


def is_offered(offers: bytes) -> bool:
    """Say whether one of the offers in a Sec-WebSocket-Extensions header can be answered by ANSWER (section 7.1).

    An offer with a smaller server window is declined; any client window is accepted.
    """
    return any(_is_taken(offer) for offer in offers.split(b","))


def _is_taken(offer: bytes) -> bool:
    name, *parameters = (part.strip() for part in offer.split(b";"))
    if name != EXTENSION:
        return False
    seen: set[bytes] = set()
    for parameter in parameters:
        key, _, value = (part.strip() for part in parameter.partition(b"="))
        value = value.strip(b'"')
        is_own_window = key == b"client_max_window_bits" and (not value or value in _WINDOWS)
        if key in seen or not (is_own_window or (key, value) in _TAKEN):
            return False
        seen.add(key)
    return True


_WINDOWS = {b"%d" % bits for bits in range(8, 16)}


def deflate(content: bytes) -> bytes:
    """Return the payload of the message's one frame (7.2.1)."""
    compressing = zlib.compressobj(LEVEL, zlib.DEFLATED, _RAW)
    return (compressing.compress(content) + compressing.flush(zlib.Z_SYNC_FLUSH)).removesuffix(_TAIL)


def inflate(payload: bytes, max_bytes: int) -> bytes | None:
    """Return the message (7.2.2), or None if it is longer than `max_bytes`. Raises ValueError if it is none."""
    inflating = zlib.decompressobj(_RAW)
    try:
        content = inflating.decompress(payload + _TAIL, max_bytes + 1)
    except zlib.error as error:
        raise ValueError(str(error)) from None
    return content if len(content) <= max_bytes else None
