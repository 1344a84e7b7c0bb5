"""The outermost middleware: writes only from our own pages and those of listed sites, and every answer's headers."""

from __future__ import annotations

import secrets
from urllib.parse import urlsplit, urlunsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server import logs, urls
from server.errors import Forbidden
from server.settings import Settings
from server.web.requests import cross_origin, error_answers, origins


class Guard:
    """Refuses writes that come from another site's page."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self._settings = settings
        self._headers = [(name.lower().encode(), value.encode()) for name, value in security_headers(settings)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        logs.request_id.set(secrets.token_hex(8))

        given, sites = Headers(scope=scope), scope["state"]["live"].sites
        site = origins.site_of(self._settings, sites, given)

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                cross_origin.open_to(headers, scope["path"], site, given.get("origin", ""))
                headers["X-Request-Id"] = logs.request_id.get()
                present = {name for name, _ in headers.raw}
                headers.raw.extend(one for one in self._headers if one[0] not in present)
                if "location" in headers:
                    headers["location"] = _relative(headers["location"], self._settings.base)
            await send(message)

        scope["path"] = urls.inside(self._settings.base, scope["path"])
        scope["scheme"] = "https" if self._settings.is_https else "http"
        is_asked_ahead = scope["method"] == "OPTIONS" and "access-control-request-method" in given
        if is_asked_ahead and site is not None and scope["path"].startswith("/api/"):
            await Response(status_code=204, headers=cross_origin.preflight())(scope, receive, send_guarded)
            return
        if not origins.may_write(self._settings, sites, scope["method"], scope["path"], given):
            refusal = Forbidden("error.foreign_request", code="foreign_origin", field="origin")
            await error_answers.respond(Request(scope), refusal)(scope, receive, send_guarded)
            return
        present = urls.with_present_key(scope["path"], sites.merged)
        if present != scope["path"] and present.startswith("/t/") and scope["method"] in ("GET", "HEAD"):
            query = scope["query_string"].decode("latin-1")
            await RedirectResponse(f"{present}?{query}" if query else present, 301)(scope, receive, send_guarded)
            return
        scope["path"] = present
        await self.app(scope, receive, send_guarded)


def _relative(location: str, base: str) -> str:
    """Return where a redirect leads on this site, without its host: not every proxy passes on the port of its own."""
    path = urlunsplit(("", "", *urlsplit(location)[2:]))
    return urls.outside(base, "/" + path.lstrip("/") if path.startswith("//") else path)


def security_headers(settings: Settings) -> list[tuple[str, str]]:
    """The headers of docs/protocol.md, "Security headers"; connect-src names the live server as ws or wss."""
    parts = urlsplit(settings.live_url or settings.origin)
    scheme = "wss" if parts.scheme in ("https", "wss") else "ws"
    live = f"{scheme}://{parts.netloc}"
    if not settings.live_url and not settings.is_origin_given:
        live = f"{live} ws://localhost:{settings.port} ws://127.0.0.1:{settings.port}"
    policy = (
        f"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        f"connect-src 'self' {live}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )
    return [
        ("Content-Security-Policy", policy),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
        ("X-Frame-Options", "DENY"),
        ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Cache-Control", "no-cache"),
    ]
