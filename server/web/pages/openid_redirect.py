"""Sending a browser to an OpenID provider, and knowing it again when it comes back."""

from __future__ import annotations

from starlette.responses import Response

from server.errors import DomainError, NotFound
from server.settings import Settings
from server.web.pages import page_templates
from server.web.requests import begun_logins, language, session
from server.web.requests.begun_logins import Attempt, Wanted
from server.web.requests.context import Visit, address, wide_address


async def leave(visit: Visit, name: str, wanted: Wanted) -> Response:
    """Return the page that leads to the provider. Raises NotFound, TooMany, Unavailable.

    A page, and not a redirect: under `form-action 'self'` a form must not lead elsewhere, over no number of redirects.
    """
    context = visit.state["context"]
    settings = context.settings
    if (client := context.openid.get(name)) is None:
        raise NotFound("error.no_provider", name=name)
    # One bucket with passwords.
    context.limits.spend("log in from", address(visit), settings.limit_logins_address)
    begun = context.begun.begin(name, wanted, wide_address(visit))
    try:
        to = await client.address(begun.state, begun.attempt.nonce, begun.attempt.verifier)
    except DomainError:
        context.begun.take(begun.state, begun.cookie)
        raise
    await session.identify(visit)
    title = language.texts_for(visit)("oidc.leaving", provider=client.provider.label)
    response = await page_templates.page(visit, "openid_redirect.html", title=title, to=to)
    response.headers["Cache-Control"] = "private, no-store"
    prefix = _cookie_name(settings, "")
    there = [one.removeprefix(prefix) for one in visit.cookies if one.startswith(prefix)]
    for id_ in context.begun.surplus(there):
        session.set_cookie(settings, response, _cookie_name(settings, id_), "", 0)
    name_of_cookie = _cookie_name(settings, begun.attempt.id)
    session.set_cookie(settings, response, name_of_cookie, begun.cookie, begun_logins.ATTEMPT_SECONDS)
    return response


def returned(visit: Visit, state: str) -> Attempt | None:
    """Return the attempt of this state, where this browser began it; once."""
    context = visit.state["context"]
    cookie = visit.cookies.get(_cookie_name(context.settings, begun_logins.id_of(state)), "")
    return context.begun.take(state, cookie)


def forget(visit: Visit, attempt: Attempt, response: Response) -> None:
    settings = visit.state["context"].settings
    session.set_cookie(settings, response, _cookie_name(settings, attempt.id), "", 0)


def _cookie_name(settings: Settings, id_: str) -> str:
    return f"{session.cookie_name(settings)}-login-{id_}"
