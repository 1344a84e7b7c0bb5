"""The window in which readers of another site's page log in. It ends in a code that only the waiting page can use."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import ImmutableMultiDict
from starlette.responses import Response
from starlette.routing import Route

from server.actions import openid, sign_in
from server.errors import DomainError, Forbidden, Invalid, NotSignedIn
from server.model import Account
from server.permissions import may_moderate
from server.settings.providers import Provider
from server.sites import OIDC, Site
from server.web.pages import page_templates
from server.web.pages.openid_redirect import leave
from server.web.requests import language, session
from server.web.requests.begun_logins import Wanted
from server.web.requests.context import Visit, address

# The window and the page that opened it must be able to speak, and nothing else is shown here.
OPEN = {"Cross-Origin-Opener-Policy": "unsafe-none", "Cache-Control": "private, no-store"}
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class Ask:
    """Who asks: a page of `site`, at `origin`; `back` is its address, without a fragment."""

    site: Site
    origin: str
    challenge: str
    back: str


def asked(visit: Visit, given: ImmutableMultiDict[str, Any]) -> Ask:
    """Raises Invalid."""
    origin, challenge, back = (str(given.get(name, "")) for name in ("site", "challenge", "back"))
    site = visit.state["context"].sites.by_origin(origin)
    if site is None:
        raise Invalid("error.unknown_origin", field="site", code="unknown_site")
    if not _CHALLENGE.fullmatch(challenge):
        raise Invalid("error.challenge", field="challenge")
    page = back.partition("#")[0]
    site.check_page(page)
    if not page.startswith(f"{origin}/") and page != origin:
        raise Invalid("error.return_address", field="back", code="other_site")
    return Ask(site, origin, challenge, page)


async def show(visit: Visit) -> Response:
    return await page(visit, asked(visit, visit.query_params))


async def page(visit: Visit, ask: Ask, error: DomainError | None = None, name: str = "", again: str = "") -> Response:
    """Return the page for logging in; `again`: the provider by which it may be tried again."""
    viewer = await session.identify(visit)
    response = await page_templates.page(
        visit,
        "embed_login.html",
        title=language.texts_for(visit)("embed.title", site=ask.site.name),
        status=error.status if error else 200,
        viewer=viewer,
        ask=ask,
        site_name=ask.site.name,
        logins=ask.site.logins,
        providers=_providers(visit, ask.site),
        may_continue=viewer is not None and await _may_continue(visit, ask.site, viewer),
        again=again,
        offers_moderating=ask.site.moderates and may_moderate(viewer),
        error={"code": error.code, "message": language.sentence(visit, error), "field": error.field} if error else None,
        name=name,
    )
    response.headers.update(OPEN)
    if error and error.retry_after:
        response.headers["Retry-After"] = str(error.retry_after)
    return response


async def log_in(visit: Visit) -> Response:
    """Give the page a code for the account that is named: the one logged in here, one by its password, or a guest."""
    form = await visit.form()
    ask, name, how = asked(visit, form), str(form.get("name", "")), str(form.get("as", ""))
    try:
        if how.startswith(OIDC):
            return await _leave(visit, ask, how.removeprefix(OIDC))
        account, is_entered = await _account(visit, ask.site, how, name, str(form.get("password", "")))
        moderates = bool(form.get("moderates")) and ask.site.moderates and may_moderate(account)
        return await done(visit, ask, account, moderates=moderates, is_entered=is_entered)
    except DomainError as error:
        return await page(visit, ask, error, name, again=how.removeprefix(OIDC) if how.startswith(OIDC) else "")


async def done(visit: Visit, ask: Ask, account: Account, *, moderates: bool = False, is_entered: bool) -> Response:
    """Return the page that hands the code over to the one that waits for it. Raises Unavailable.

    `is_entered`: the account has just logged in here too.
    """
    cookies = Response()
    if is_entered:
        # Before the code is made: a session of the same account that ends takes its codes with it.
        await session.begin(visit, account, cookies)
    response = await page_templates.page(
        visit, "embed_done.html", title=language.texts_for(visit)("embed.done"), viewer=account, ask=ask,
        site_name=ask.site.name,
        code=visit.state["context"].codes.issue(account, ask.site, ask.challenge, moderates=moderates),
    )  # fmt: skip
    response.headers.update(OPEN)
    response.raw_headers.extend(one for one in cookies.raw_headers if one[0] == b"set-cookie")
    return response


async def _leave(visit: Visit, ask: Ask, provider: str) -> Response:
    check_provider(ask.site, provider)
    response = await leave(visit, provider, Wanted(ask=(ask.origin, ask.challenge, ask.back)))
    response.headers.update(OPEN)
    return response


def check_provider(site: Site, name: str) -> None:
    """Raises Forbidden."""
    if name not in site.providers:
        raise Forbidden("error.not_by_provider")


def _providers(visit: Visit, site: Site) -> list[Provider]:
    return [one for one in visit.state["context"].settings.oidc if one.name in site.providers]


async def _may_continue(visit: Visit, site: Site, viewer: Account) -> bool:
    """Say whether the account could be logged in to by a way that the site names."""
    ways = await openid.ways(visit.state["context"].database, viewer)
    is_by_password = ways.has_password and "password" in site.logins
    return is_by_password or any(
        one.issuer == provider.issuer for one in ways.identities for provider in _providers(visit, site)
    )


async def _account(visit: Visit, site: Site, how: str, name: str, password: str) -> tuple[Account, bool]:
    """Return the account, and whether its password was just given."""
    context = visit.state["context"]
    if how == "guest":
        if not site.has_guests:
            raise Forbidden("error.no_guests")
        return await sign_in.be_guest(
            context.database, context.limits, context.settings, name, site.id, address(visit)
        ), False
    if how == "viewer":
        viewer = await session.identify(visit)
        if viewer is None:
            raise NotSignedIn("error.logged_out")
        if not await _may_continue(visit, site, viewer):
            raise Forbidden("error.not_this_account")
        return viewer, False
    if "password" not in site.logins:
        raise Forbidden("error.no_passwords")
    return await session.enter(visit, "register" if how == "register" else "login", name, password), True


routes = [
    Route("/embed/login", show),
    Route("/embed/login", log_in, methods=["POST"]),
]
