"""Checks of a request's head before any work is done for it (RFC 9112, 3.2 and 6). Knows no transport."""

from __future__ import annotations

import re

MAX_BYTES = 16 * 1024
MAX_HEADERS = 100
# As it is counted: the objects that a header is kept in.
HEADER_BYTES = 130
# Whoever asks these may end the process for a late answer.
PROBES = (b"GET /health ", b"GET /ready ")
_HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._~!$&'()*+;=%-]{1,255})(?::[0-9]{0,5})?")
_ABSOLUTE = re.compile(rb"https?://([^/?#]*)", re.IGNORECASE)

Headers = list[tuple[bytes, bytes]]


class BadHead(ValueError):
    """The request is refused with 400; the text says why."""


def check(version: str, target: bytes, headers: Headers) -> None:
    """Raise BadHead unless the head has one meaning; names are in lower case.

    Of an absolute target the authority takes the place of the Host, as RFC 9112, 3.2.2 wants it.
    """
    total, hosts, is_chunked = len(target), list[bytes](), False
    for name, value in headers:
        total += len(name) + len(value) + 4
        if name == b"host":
            hosts.append(value)
        elif name == b"transfer-encoding":
            is_chunked = True
    if total > MAX_BYTES or len(headers) > MAX_HEADERS:
        raise BadHead("The request headers are too large.")
    if version not in ("1.0", "1.1"):
        raise BadHead("This server supports HTTP/1.1 and HTTP/1.0 only.")
    if len(hosts) != 1 and not (version == "1.0" and not hosts):
        raise BadHead("A request must have exactly one Host header.")
    absolute = None if target.startswith(b"/") else _ABSOLUTE.match(target)
    if absolute is None and not target.startswith(b"/"):
        raise BadHead("The request target must be a path.")
    if not all(_HOST.fullmatch(host) for host in hosts) or (absolute and not _HOST.fullmatch(absolute[1])):
        raise BadHead("The Host header is not valid.")
    if is_chunked and version == "1.0":
        raise BadHead("HTTP/1.0 does not support chunked bodies.")
    if absolute:
        headers[:] = [(name, absolute[1] if name == b"host" else value) for name, value in headers]


def body_bytes(headers: Headers) -> int | None:
    """Return the length that the head gives for the body; None if it comes in chunks. The parser has judged both."""
    for name, value in headers:
        if name == b"transfer-encoding":
            return None
        if name == b"content-length":
            return int(value)
    return 0
