"""From errors to answers: JSON for programs, a page like the rest for people."""

from __future__ import annotations

import http
import logging
import re
from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ExceptionHandler
from starlette.websockets import WebSocket

from server import logs
from server.actions.edit import Outdated
from server.errors import DomainError
from server.web.requests import KEY

log = logging.getLogger("livethread.web")

_HEADINGS = {
    401: "Log in first",
    403: "This is not allowed",
    404: "There is nothing here",
    409: "That does not fit any more",
    413: "That is too large",
    422: "Something is not right yet",
    429: "A little slower, please",
    503: "The server cannot do this now",
}
_PLACE_IN_A_THREAD = re.compile(rf"/t/({KEY.pattern})/")
_SENTENCES = {
    404: "There is nothing at this address.",
    405: "This address does not take requests of this kind.",
    413: "The request is larger than 64 KiB.",
}


def respond(request: Request[Any], error: DomainError) -> Response:
    headers = {"Cache-Control": "no-store"}
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    if request.scope["path"].startswith(("/api/", "/internal/")) or "context" not in request.scope.get("state", {}):
        fields = {"code": error.code, "message": error.message, "field": error.field, "retry_after": error.retry_after}
        body = {"error": {name: value for name, value in fields.items() if value is not None}}
        if isinstance(error, Outdated):
            body["current"] = {**msgspec.to_builtins(error.current), "body": error.body}
        return Response(msgspec.json.encode(body), error.status, headers, "application/json")
    context = request.scope["state"]["context"]
    page = context.templates.get_template("error.html").render(
        site={"static": context.assets.prefix, "live_url": context.settings.live_url},
        # Who asks is not known here: the page says nothing of it, but where one has to log in.
        viewer=None,
        key=place[1] if (place := _PLACE_IN_A_THREAD.match(request.scope["path"])) else None,
        title=_HEADINGS.get(error.status, "That did not work"),
        path=request.scope["path"] if request.method == "GET" else "/",
        status=error.status,
        heading=_HEADINGS.get(error.status, "That did not work"),
        message=error.message,
    )
    return Response(page, error.status, headers, "text/html; charset=utf-8")


async def _domain_error(request: Request | WebSocket, error: Exception) -> Response | None:
    assert isinstance(error, DomainError)
    if error.status >= 500:
        log.warning("%s %s: %d %s", request.scope.get("method", "socket"), request.scope["path"], error.status, error)
    return respond(request, error) if isinstance(request, Request) else None


async def _http_error(request: Request | WebSocket, error: Exception) -> Response | None:
    assert isinstance(error, HTTPException)
    if not isinstance(request, Request):
        return None
    phrase = http.HTTPStatus(error.status_code).phrase
    known = DomainError(_SENTENCES.get(error.status_code, f"{phrase}."), code=phrase.lower().replace(" ", "_"))
    known.status = error.status_code
    return respond(request, known)


async def _unexpected(request: Request | WebSocket, error: Exception) -> Response | None:
    if not isinstance(request, Request):
        return None
    log.error("a request failed", exc_info=error)
    return respond(
        request,
        DomainError(
            f"Something went wrong on our side (request {logs.request_id.get()}). Nothing of yours was changed."
        ),
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
