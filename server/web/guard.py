"""The middleware before everything: writes only from our own pages, and the headers that every answer carries."""

from __future__ import annotations

import secrets
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server import logs
from server.errors import Forbidden
from server.settings import Settings
from server.web import failures

# Registering and logging in use no authority that a cookie might lend.
_WITHOUT_AUTHORITY = frozenset({"/api/accounts", "/api/session"})
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Guard:
    """Refuses cross-site writes by exact Origin, or Sec-Fetch-Site where a browser sends no Origin."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self._settings = settings
        self._headers = security_headers(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        logs.request_id.set(secrets.token_hex(8))

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = logs.request_id.get()
                for name, value in self._headers:
                    headers.setdefault(name, value)
            await send(message)

        if scope["method"] not in _SAFE_METHODS and not self._is_ours(scope["path"], Headers(scope=scope)):
            refusal = Forbidden("This request comes from another site.", code="foreign_origin", field="origin")
            await failures.respond(Request(scope), refusal)(scope, receive, send_guarded)
            return
        await self.app(scope, receive, send_guarded)

    def _is_ours(self, path: str, headers: Headers) -> bool:
        origin = headers.get("origin")
        # Under `no-referrer` a browser says "null" even to its own site; Sec-Fetch-Site then tells the truth.
        if origin is not None and (origin != "null" or "sec-fetch-site" not in headers):
            return self._settings.accepts_origin(origin)
        site = headers.get("sec-fetch-site")
        if site is not None:
            return site in ("same-origin", "none")
        # No browser: a program. It must not act by a browser's cookie.
        return "cookie" not in headers or "authorization" in headers or path in _WITHOUT_AUTHORITY


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
        "require-trusted-types-for 'script'; trusted-types livethread"
    )
    return [
        ("Content-Security-Policy", policy),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
        ("X-Frame-Options", "DENY"),
        ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Cache-Control", "no-cache"),
    ]
