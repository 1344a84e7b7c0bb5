"""What pages of other sites may ask with a session of theirs, and the headers that let them read the answers. Pure."""

from __future__ import annotations

import re

from starlette.datastructures import MutableHeaders

from server.sites import Site

PREFLIGHT_SECONDS = 7200
_METHODS = "GET, POST, PUT, PATCH, DELETE"
_HEADERS = "authorization, content-type"
# All else needs the visitor's own session, which counts on our own pages alone: passwords, names, sessions, exports,
# feeds, bans, descriptions, and the end of the account.
# The pages of threads are read as what is shown in another page; without CORS no other can be read there.
_GET = re.compile(r"/api/(?:threads/[^/]+/(?:mine|names)|comments/[^/]+|unread|session)|/t/?|/t/[^/]+(?:/c/[^/]+)?")
_POST = re.compile(r"/api/(?:threads/[^/]+/comments|preview|ticket|session)")
_PUT = re.compile(r"/api/(?:threads/[^/]+/visit|comments/[^/]+/vote)")
_PATCH = re.compile(r"/api/comments/[^/]+")
_DELETE = re.compile(r"/api/(?:comments/[^/]+|session)")
_MAY = {"GET": _GET, "HEAD": _GET, "POST": _POST, "PUT": _PUT, "PATCH": _PATCH, "DELETE": _DELETE}
_MODERATION = re.compile(r"/api/comments/[^/]+/state")
# The same for everybody, without a session.
_PUBLIC = re.compile(r"/static/.*|/picture/.*|/embed\.js|/api/counts")


def may_ask(site: Site, method: str, path: str) -> bool:
    """Say whether a session of the site counts for this request."""
    if site.moderates and method == "PUT" and _MODERATION.fullmatch(path):
        return True
    return method in _MAY and _MAY[method].fullmatch(path) is not None


def cookie_name(site: Site, base: str) -> str:
    """`base`: the path of the server, "" at the root of its host."""
    # It carries the site: frames of others on a page share its jar.
    return f"{'__Secure' if base else '__Host'}-livethread-{site.id}"


def cookie(site: Site, base: str, value: str, seconds: int) -> str:
    """Return the Set-Cookie header of a session of the site; deleted by an empty value and 0 seconds.

    By hand: Starlette takes `partitioned` only from Python 3.14 on.
    """
    attributes = f"Path={base or '/'}; Secure; HttpOnly; SameSite=None; Partitioned"
    return f"{cookie_name(site, base)}={value}; {attributes}; Max-Age={seconds}"


def open_to(headers: MutableHeaders, path: str, site: Site | None, origin: str) -> None:
    """Let pages of a listed site read an answer of the API with their session, and all pages what is public."""
    if _PUBLIC.fullmatch(path):
        headers["Access-Control-Allow-Origin"] = "*"
        headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    elif path.startswith(("/api/", "/t/")) or path == "/t":
        headers.add_vary_header("Origin")
        if site is not None:
            headers["Access-Control-Allow-Origin"] = origin
            headers["Access-Control-Allow-Credentials"] = "true"
            headers["Access-Control-Expose-Headers"] = "Retry-After, X-Request-Id"


def preflight() -> dict[str, str]:
    """Return the headers that answer the question of a listed site's browser, beside those of `open_to`."""
    return {
        "Access-Control-Allow-Methods": _METHODS,
        "Access-Control-Allow-Headers": _HEADERS,
        "Access-Control-Max-Age": str(PREFLIGHT_SECONDS),
    }
