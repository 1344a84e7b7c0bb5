"""The origin of a request, as the browser states it: Origin, or else Sec-Fetch-*."""

from __future__ import annotations

from starlette.datastructures import Headers

from server.settings import Settings
from server.sites import Site, Sites
from server.web.requests import cross_origin

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# A program that registers or logs in may hold the cookie of an earlier session.
_WITHOUT_AUTHORITY = frozenset({"/api/accounts", "/api/session"})


def site_of(settings: Settings, sites: Sites, headers: Headers) -> Site | None:
    """Return the site whose page sends the request, by its exact origin; None for our own pages and all others."""
    given = headers.getlist("origin")
    return sites.by_origin(given[0]) if len(given) == 1 and not settings.is_own_origin(given[0]) else None


def may_write(settings: Settings, sites: Sites, method: str, path: str, headers: Headers) -> bool:
    """Say whether the request reads only, comes from our own page, or from a program without a browser's cookie.

    A page of a listed site may send what a session of that site may ask: it is the only one that counts there.
    """
    if method in _SAFE_METHODS:
        return True
    if (site := site_of(settings, sites, headers)) is not None:
        return cross_origin.may_ask(site, method, path)
    is_own = _is_own(settings, headers)
    if is_own is not None:
        return is_own
    return "cookie" not in headers or bearer(headers) is not None or (method == "POST" and path in _WITHOUT_AUTHORITY)


def lends_session(settings: Settings, headers: Headers) -> bool:
    """Say whether the cookie may speak for its owner: on our own pages, and where the visitor navigates here.

    A page that another site embeds or fetches is answered as if nobody were logged in.
    """
    is_own = _is_own(settings, headers)
    if is_own is None or is_own:
        return True
    is_navigation = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
    return "origin" not in headers and is_navigation


def bearer(headers: Headers) -> str | None:
    """Return the token of an Authorization header that carries one."""
    scheme, _, value = headers.get("authorization", "").partition(" ")
    return (value.strip() or None) if scheme.lower() == "bearer" else None


def _is_own(settings: Settings, headers: Headers) -> bool | None:
    """Return None if the request says nothing of where it comes from: no browser of today does so when it writes."""
    origins, site = headers.getlist("origin"), headers.get("sec-fetch-site")
    if len(origins) > 1:
        return False
    if origins and origins[0] != "null":
        return settings.is_own_origin(origins[0])
    if origins:
        # Under `no-referrer` a browser says "null" even to its own site; Sec-Fetch-Site then tells the truth.
        return site == "same-origin"
    return None if site is None else site in ("same-origin", "none")
