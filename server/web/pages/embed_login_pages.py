"""The window in which readers of another site's page log in. It ends in a code that only the waiting page can use."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urldefrag

from starlette.datastructures import ImmutableMultiDict
from starlette.responses import Response
from starlette.routing import Route

from server.actions import sign_in
from server.errors import DomainError, Forbidden, Invalid, NotSignedIn
from server.model import Account
from server.permissions import may_moderate
from server.sites import Site
from server.web.pages import page_templates
from server.web.requests import language, session
from server.web.requests.context import Visit, address

# The window and the page that opened it must be able to speak, and nothing else is shown here.
_OPEN = {"Cross-Origin-Opener-Policy": "unsafe-none", "Cache-Control": "private, no-store"}
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class Ask:
    """Who asks: a page of `site`, at `origin`; `back` is its address, without a fragment."""

    site: Site
    origin: str
    challenge: str
    back: str


def _asked(visit: Visit, given: ImmutableMultiDict[str, Any]) -> Ask:
    """Raises Invalid."""
    origin, challenge, back = (str(given.get(name, "")) for name in ("site", "challenge", "back"))
    site = visit.state["context"].sites.by_origin(origin)
    if site is None:
        raise Invalid("error.unknown_origin", field="site", code="unknown_site")
    if not _CHALLENGE.fullmatch(challenge):
        raise Invalid("error.challenge", field="challenge")
    page = urldefrag(back).url
    site.check_page(page)
    if not page.startswith(f"{origin}/") and page != origin:
        raise Invalid("error.return_address", field="back", code="other_site")
    return Ask(site, origin, challenge, page)


async def show(visit: Visit) -> Response:
    return await _page(visit, _asked(visit, visit.query_params))


async def _page(visit: Visit, ask: Ask, error: DomainError | None = None, name: str = "") -> Response:
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
        offers_moderating=ask.site.moderates and may_moderate(viewer),
        error={"message": language.sentence(visit, error), "field": error.field} if error else None,
        name=name,
    )
    response.headers.update(_OPEN)
    if error and error.retry_after:
        response.headers["Retry-After"] = str(error.retry_after)
    return response


async def log_in(visit: Visit) -> Response:
    """Give the page a code for the account that is named: the one logged in here, one by its password, or a guest."""
    form = await visit.form()
    ask, name = _asked(visit, form), str(form.get("name", ""))
    try:
        account, is_entered = await _account(
            visit, ask.site, str(form.get("as", "")), name, str(form.get("password", ""))
        )
        moderates = bool(form.get("moderates")) and ask.site.moderates and may_moderate(account)
        title = language.texts_for(visit)("embed.done")
        response = await page_templates.page(
            visit, "embed_done.html", title=title, viewer=account, ask=ask, site_name=ask.site.name,
            code=visit.state["context"].codes.issue(account, ask.site, ask.challenge, moderates=moderates),
        )  # fmt: skip
    except DomainError as error:
        return await _page(visit, ask, error, name)
    response.headers.update(_OPEN)
    if is_entered:
        await session.begin(visit, account, response)
    return response


async def _account(visit: Visit, site: Site, how: str, name: str, password: str) -> tuple[Account, bool]:
    """Return the account, and whether its password was just given."""
    context = visit.state["context"]
    if how == "guest":
        if not site.has_guests:
            raise Forbidden("error.no_guests")
        return await sign_in.be_guest(
            context.database, context.limits, context.settings, name, site.id, address(visit)
        ), False
    if "password" not in site.logins:
        raise Forbidden("error.no_passwords")
    if how == "viewer":
        viewer = await session.identify(visit)
        if viewer is None:
            raise NotSignedIn("error.logged_out")
        return viewer, False
    return await session.enter(visit, "register" if how == "register" else "login", name, password), True


routes = [
    Route("/embed/login", show),
    Route("/embed/login", log_in, methods=["POST"]),
]
