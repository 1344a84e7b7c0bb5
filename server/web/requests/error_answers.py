"""From errors to answers: JSON for programs, a page for people."""

from __future__ import annotations

import http
import logging
import re
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ExceptionHandler
from starlette.websockets import WebSocket

from server import logs, urls
from server.actions.edit_conflict import Outdated
from server.errors import DomainError
from server.settings import Settings
from server.web.requests import appearance, language
from server.web.requests.schemas import KEY

log = logging.getLogger("livethread.web")

_HEADINGS = {
    401: "heading.log_in_first",
    403: "heading.not_allowed",
    404: "heading.not_found",
    409: "heading.out_of_date",
    413: "heading.too_large",
    422: "heading.check_input",
    429: "heading.rate",
    503: "heading.busy",
}
# What to do about it, where the sentence does not say so.
_NEXT = {
    409: "error.next_conflict",
    413: "error.next_large",
    422: "error.next_input",
}
_PLACE_IN_A_THREAD = re.compile(rf"/t/({KEY.pattern})(?:/|$)")
_SENTENCES = {
    404: "error.no_address",
    405: "error.method",
    413: "error.large_request",
}


def respond(request: Request[Any], error: DomainError, *, typed: str = "", back: str = "") -> Response:
    """Return what the error is to whoever asked. On a page stands `typed`, the words that would be lost with it, and a
    way back: to the path `back`, or to where the form was that was sent.
    """
    headers = {"Cache-Control": "no-store"}
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    words = language.texts_for(request)
    if request.scope["path"].startswith(("/api/", "/internal/")) or "context" not in request.scope.get("state", {}):
        fields = {
            "code": error.code,
            "message": error.sentence(words),
            "field": error.field,
            "retry_after": error.retry_after,
        }
        body = {"error": {name: value for name, value in fields.items() if value is not None}}
        if isinstance(error, Outdated):
            body["current"] = {**msgspec.to_builtins(error.current), "body": error.body}
        return Response(msgspec.json.encode(body), error.status, headers, "application/json")
    context = request.scope["state"]["context"]
    heading = words(_HEADINGS.get(error.status, "heading.wrong"))
    drawing = language.edition_for(request).drawing
    is_read = request.method == "GET"
    back = back or ("" if is_read else _sent_from(request, context.settings, drawing.base))
    page = drawing.environment.get_template("error.html").render(
        drawing.look(appearance.chosen(request)),
        site={"static": context.assets.prefix, "live_url": context.settings.live_url},
        # The visitor is not known here, so the page does not mention them except to ask for a login.
        viewer=None,
        key=place[1] if (place := _PLACE_IN_A_THREAD.match(request.scope["path"])) else None,
        title=heading,
        path=request.scope["path"] if is_read else back or "/",
        # What was sent by a form is not sent again by a link.
        again=_again(request, error.status) if is_read else "",
        back=back,
        status=error.status,
        heading=heading,
        message=error.sentence(words),
        next=words(_NEXT[error.status]) if back and error.status in _NEXT else "",
        typed=typed,
    )
    return Response(page, error.status, headers, "text/html; charset=utf-8")


def _again(request: Request[Any], status: int) -> str:
    """Return what can be asked for instead, as a link: the same later, or without what was wrong in it; or "" ."""
    path, query = quote(str(request.scope["path"])), request.url.query
    if status in (429, 503):
        return _local(f"{path}?{query}" if query else path)
    return _local(path) if status == 422 and query else ""


def _sent_from(request: Request[Any], settings: Settings, base: str) -> str:
    """Return the path of our page that the form was on, as the browser states it; or ""."""
    try:
        page = urlsplit(request.headers.get("referer", ""))
    except ValueError:
        return ""
    if not settings.is_own_origin(f"{page.scheme}://{page.netloc}"):
        return ""
    return _local(urls.inside(base, f"{page.path}?{page.query}" if page.query else page.path))


def _local(address: str) -> str:
    """Return the link; "" where browsers would read it as another host."""
    return address if urls.is_local(address) else ""


async def _domain_error(request: Request | WebSocket, error: Exception) -> Response | None:
    assert isinstance(error, DomainError)
    if error.status >= 500:
        log.warning("%s %s: %d %s", request.scope.get("method", "socket"), request.scope["path"], error.status, error)
    # The way that it came holds the futures that hold it: a flood of errors would stay until the next collection.
    error.__traceback__ = error.__cause__ = error.__context__ = None
    return respond(request, error) if isinstance(request, Request) else None


async def _http_error(request: Request | WebSocket, error: Exception) -> Response | None:
    assert isinstance(error, HTTPException)
    if not isinstance(request, Request):
        return None
    phrase = http.HTTPStatus(error.status_code).phrase
    text = _SENTENCES.get(error.status_code, "error.http")
    known = DomainError(text, code=phrase.lower().replace(" ", "_"), phrase=phrase)
    known.status = error.status_code
    return respond(request, known)


async def _unexpected(request: Request | WebSocket, error: Exception) -> Response | None:
    if not isinstance(request, Request):
        return None
    log.error("a request failed", exc_info=error)
    return respond(
        request,
        DomainError("error.unexpected", request=logs.request_id.get()),
    )


async def _gone(request: Request | WebSocket, error: Exception) -> Response | None:
    # In the middle of a body: nobody reads this.
    return Response(status_code=400) if isinstance(request, Request) else None


handlers: dict[int | type[Exception], ExceptionHandler] = {
    DomainError: _domain_error,  # type: ignore[dict-item]
    HTTPException: _http_error,  # type: ignore[dict-item]
    ClientDisconnect: _gone,  # type: ignore[dict-item]
    Exception: _unexpected,  # type: ignore[dict-item]
}
