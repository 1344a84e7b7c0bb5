"""Authentication: session cookies, bearer tokens, known browsers and socket tickets."""

from __future__ import annotations

import base64
import logging
import secrets
import time
from typing import Literal

import msgspec
from starlette.responses import Response

from server.actions import sign_in
from server.actions.passwords import Caller
from server.actions.sessions import begin_session, end_session, token_hash
from server.errors import Forbidden, NotSignedIn
from server.model import Account
from server.settings import Settings
from server.sites import OWN, Site
from server.storage.accounts import sessions
from server.web.requests import appearance, cross_origin, language, origins, site_sessions, user_agents
from server.web.requests.context import Visit, address, host, is_signed, sign

log = logging.getLogger("livethread.logins")

TICKET_SECONDS = 60
# Browsers keep no cookie longer than 400 days.
DEVICE_SECONDS = 400 * 24 * 3600
VIEWER_COOKIE = "livethread-viewer"


def cookie_name(settings: Settings) -> str:
    # Browsers refuse __Host- without https, and on any path but the root.
    prefix = "" if not settings.is_https else "__Secure-" if settings.base else "__Host-"
    return f"{prefix}livethread"


def _cookie_path(settings: Settings) -> str:
    return settings.base or "/"


def site_of(visit: Visit) -> Site | None:
    """Return the site whose page asks; None for our own pages and for programs."""
    live = visit.state["live"]
    return origins.site_of(live.settings, live.sites, visit.headers)


def token(visit: Visit) -> str | None:
    """Return the token that may speak here: a bearer's, or a cookie's: our own pages have one, each site another."""
    settings, site = visit.state["live"].settings, site_of(visit)
    if site is not None and not cross_origin.may_ask(site, visit.method, visit.url.path):
        return None
    if (presented := origins.bearer(visit.headers)) is not None:
        return presented
    if site is not None:
        return visit.cookies.get(cross_origin.cookie_name(site, settings.base)) or None
    return (
        (visit.cookies.get(cookie_name(settings)) or None) if origins.lends_session(settings, visit.headers) else None
    )


async def identify(visit: Visit) -> Account | None:
    """Return the account of this request's session, or None. A site's session counts on that site alone."""
    presented = token(visit)
    if presented is None:
        return None
    site, hashed = site_of(visit), token_hash(presented)
    account = await visit.state["context"].sessions.account(hashed, site.id if site else OWN)
    if account is not None:
        language.prefer(visit, account)
        appearance.prefer(visit, account)
    if account is None or site is None:
        return account
    # The cookie came back: no bearer is needed in its place.
    visit.state["context"].codes.settle(hashed)
    return account if await site_sessions.is_within(visit, site) else None


async def require(visit: Visit) -> Account:
    """Return the account. Raises NotSignedIn; Forbidden for a site's session in another site's thread."""
    account = await identify(visit)
    if account is not None:
        return account
    if (site := site_of(visit)) is not None and not await site_sessions.is_within(visit, site):
        raise Forbidden("error.other_site", code="other_site")
    if presented := token(visit):
        hashed = token_hash(presented)
        if await visit.state["context"].database.read(lambda sql: sessions.is_of_banned(sql, hashed)):
            raise NotSignedIn("error.banned", code="banned")
    raise NotSignedIn("error.log_in_or_register")


async def enter(visit: Visit, mode: Literal["login", "register"], name: str, password: str) -> Account:
    """Return the account that logs in here, or registers. Raises DomainError."""
    context = visit.state["context"]
    if mode == "register":
        return await sign_in.register(
            context.database, context.limits, context.settings, name, password, address(visit)
        )
    try:
        return await sign_in.log_in(context.database, context.limits, context.settings, name, password, _caller(visit))
    except NotSignedIn:
        if context.settings.log_failed_logins:
            # The name stays out: whoever sends it could write another address into the line.
            log.warning("failed login from %s", host(visit))
        raise


def _caller(visit: Visit) -> Caller:
    """Return where an attempt to log in comes from, and how the browser is known that logged in before."""
    return Caller(address(visit), lambda account: _device(visit, account) or "")


def _device_name(settings: Settings, account: int) -> str:
    return f"{cookie_name(settings)}-device-{account}"


def _device(visit: Visit, account: int) -> str | None:
    """Return the number under which this browser is known to have logged in to the account; None: it has not."""
    settings = visit.state["live"].settings
    number, _, signature = visit.cookies.get(_device_name(settings, account), "").partition(".")
    return number if number and is_signed(settings, signature, "device", str(account), number) else None


def _remember_device(visit: Visit, account: Account, response: Response) -> None:
    settings = visit.state["live"].settings
    number = _device(visit, account.id) or secrets.token_urlsafe(16)
    set_cookie(
        settings,
        response,
        _device_name(settings, account.id),
        f"{number}.{sign(settings, 'device', str(account.id), number)}",
        DEVICE_SECONDS,
    )


def set_cookie(
    settings: Settings, response: Response, name: str, value: str, seconds: int, *, httponly: bool = True
) -> None:
    """Give the browser a cookie of our own pages; one without a value and of 0 seconds ends it."""
    response.set_cookie(
        name,
        value,
        max_age=seconds,
        path=_cookie_path(settings),
        secure=settings.is_https,
        httponly=httponly,
        samesite="lax",
    )


async def require_for(visit: Visit, what: Literal["delete", "moderate"]) -> Account:
    """The same for what an account may do only so often. Raises TooMany as well."""
    account, context = await require(visit), visit.state["context"]
    settings = context.settings
    rate = settings.limit_deletions_account if what == "delete" else settings.limit_moderations_account
    context.limits.spend(what, account.id, rate)
    return account


async def begin(visit: Visit, account: Account, response: Response) -> str:
    """Begin a session and put its cookie into `response`; a session that the visitor had before ends.

    A second cookie, which outlives the session, says that this browser logged in.
    """
    context = visit.state["context"]
    settings = context.settings
    earlier = visit.cookies.get(cookie_name(settings))
    if earlier:
        await end_session(context.database, earlier)
    fresh = await begin_session(context.database, account, user_agents.in_words(visit.headers.get("user-agent", "")))
    set_cookie(settings, response, cookie_name(settings), fresh, settings.session_seconds)
    # For the script of a page that the browser kept: whether it may be shown again. It opens nothing.
    set_cookie(settings, response, VIEWER_COOKIE, str(account.id), settings.session_seconds, httponly=False)
    _remember_device(visit, account, response)
    return fresh


async def end(visit: Visit, response: Response) -> None:
    context = visit.state["context"]
    presented, site = token(visit), site_of(visit)
    if presented is not None and site is not None:
        await site_sessions.log_out(visit, site, presented)
    elif presented is not None:
        await end_session(context.database, presented)
    if site is not None:
        response.headers.append("Set-Cookie", cross_origin.cookie(site, context.settings.base, "", 0))
        return
    # Also what a page of ours keeps in the browser: the next to log in there finds nothing of it.
    settings = context.settings
    if not settings.base:
        # Below a path the storage is that of the whole host, and others keep theirs in it.
        response.headers["Clear-Site-Data"] = '"storage"'
    response.delete_cookie(
        cookie_name(settings), _cookie_path(settings), secure=settings.is_https, httponly=True, samesite="lax"
    )
    response.delete_cookie(VIEWER_COOKIE, _cookie_path(settings), secure=settings.is_https, samesite="lax")


class Ticket(msgspec.Struct, frozen=True, array_like=True):
    """Who it signs in, made when the database stood at `version`; `expires` in unix seconds.

    `site`: by a session that counts there alone. Then it may write in `thread` and under the keys of that site.
    """

    account: int
    name: str
    version: int
    expires: int
    site: str = ""
    thread: str = ""

    def may_write_in(self, key: str) -> bool:
        return not self.site or key == self.thread or key.startswith(f"{self.site}~")


def ticket(settings: Settings, account: Account, version: int, site: str = "", thread: str = "") -> tuple[str, int]:
    """Return a signed ticket and when it expires (unix seconds)."""
    made = Ticket(account.id, account.name, version, int(time.time()) + TICKET_SECONDS, site, thread)
    content = base64.urlsafe_b64encode(msgspec.json.encode(made)).decode()
    return f"{content}.{sign(settings, 'ticket', content)}", made.expires


def read_ticket(settings: Settings, presented: str) -> Ticket | None:
    """Return the ticket if it is ours and not expired; needs no database."""
    content, _, signature = presented.partition(".")
    if not is_signed(settings, signature, "ticket", content):
        return None
    found = msgspec.json.decode(base64.urlsafe_b64decode(content), type=Ticket)
    return found if found.expires >= time.time() else None
