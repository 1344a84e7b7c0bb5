"""Admission of sockets: checks a handshake's form and origin, and the number of sockets."""

from __future__ import annotations

from collections.abc import Callable

import httptools
from starlette.datastructures import QueryParams

from server import urls
from server.errors import DomainError
from server.locales import texts
from server.transport import handshake
from server.transport.refusals import Refused
from server.transport.request_head import Headers
from server.web.live import live_socket
from server.web.requests.context import LiveContext
from server.web.requests.language import MOST_CHARACTERS

_PATH = live_socket.PATH.encode()


def admit(
    context: LiveContext, method: str, version: str, target: bytes, headers: Headers, peer: Callable[[], str | None]
) -> tuple[bytes, bool, str, str]:
    """Return the answer, whether it agrees to compression, the address that the socket was counted for, and the
    language in which it is told what is wrong.

    `peer` is asked only where addresses count: it is dear. Raises Refused.
    """
    if method != "GET" or version != "1.1":
        raise Refused(400, "A handshake must be a GET over HTTP/1.1.")
    base = context.settings.base
    lang = ""
    if target != _PATH:
        url = httptools.parse_url(target)
        if urls.inside(base, url.path.decode("latin-1")) != live_socket.PATH:
            raise Refused(404, f"There is no socket at this address. Use {urls.outside(base, live_socket.PATH)}.")
        lang = QueryParams(url.query or b"").get("lang", "")[:MOST_CHARACTERS]
    answer, deflates = handshake.agree(headers)
    origin = next((value.decode("latin-1") for name, value in headers if name == b"origin"), None)
    has_cookie = any(name == b"cookie" for name, _ in headers)
    wanted = next((value.decode("latin-1") for name, value in headers if name == b"accept-language"), "")
    language = context.offered.tag_for(lang, wanted)
    address = ""
    if context.admission.asks_for_addresses:
        address = context.clients.network(peer(), lambda wanted: _values(headers, wanted))
    try:
        live_socket.admit(context, origin, address, has_cookie=has_cookie)
    except DomainError as error:
        raise Refused(error.status, error.sentence(texts(language)), error.retry_after) from None
    return answer, deflates, address, language


def _values(headers: Headers, wanted: str) -> list[str]:
    name = wanted.lower().encode()
    return [value.decode("latin-1") for one, value in headers if one == name]
