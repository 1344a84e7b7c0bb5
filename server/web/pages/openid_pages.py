"""Logging in by an OpenID provider: the way there from our own pages, and the way back to them."""

from __future__ import annotations

from starlette.datastructures import ImmutableMultiDict
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from server.actions import openid, passwords
from server.errors import DomainError, Forbidden, NotFound
from server.model import Account
from server.openid.client import Answer, Client
from server.web.pages import embed_login_pages, openid_redirect, own_account_pages, sign_in_pages, thread_pages
from server.web.requests import session
from server.web.requests.begun_logins import Attempt, Wanted
from server.web.requests.context import Visit, address

ANSWERED = ("state", "code", "iss", "error")


async def begin(visit: Visit) -> Response:
    """Lead to the provider, from the page for logging in."""
    name, given = visit.path_params["name"], await visit.form()
    wanted = Wanted(sign_in_pages.local(visit, str(given.get("next", "/"))), sign_in_pages.draft(given))
    try:
        return await openid_redirect.leave(visit, name, wanted)
    except NotFound:
        raise
    except DomainError as error:
        return await _show_login(visit, name, wanted, error)


async def begin_linking(visit: Visit) -> Response:
    """Lead to the provider, to log in to this account by it from now on."""
    account, context = await session.require(visit), visit.state["context"]
    if visit.path_params["name"] not in context.openid:
        raise NotFound("error.no_provider", name=visit.path_params["name"])
    try:
        # Whoever found a session would otherwise keep a way in after it has ended.
        await passwords.check_fresh(context.database, account, session.token(visit) or "")
        return await openid_redirect.leave(visit, visit.path_params["name"], Wanted("/account", account=account.id))
    except NotFound:
        raise
    except DomainError as error:
        return await own_account_pages.page(visit, "logins", error)


async def come_back(visit: Visit) -> Response:
    """The browser comes back from the provider, with what it answered."""
    name = visit.path_params["name"]
    client = visit.state["context"].openid.get(name)
    if client is None:
        raise NotFound("error.no_provider", name=name)
    given = {one: visit.query_params.getlist(one) for one in ANSWERED}
    # RFC 6749, 3.1: nothing may be there twice.
    is_plain = all(len(values) < 2 for values in given.values())
    attempt = openid_redirect.returned(visit, given["state"][0]) if is_plain and given["state"] else None
    if attempt is None or attempt.provider != name:
        unknown = Forbidden("error.oidc_unknown", code="unknown_attempt")
        response = await _show_login(visit, name, Wanted(), unknown)
    else:
        answer = Answer(*("".join(given[one]) for one in ("code", "iss", "error")))
        response = await _answered(visit, client, attempt, answer)
        openid_redirect.forget(visit, attempt, response)
    # Also what is not of the window: the address holds what a provider answered.
    response.headers.update(embed_login_pages.OPEN)
    return response


async def _answered(visit: Visit, client: Client, attempt: Attempt, answer: Answer) -> Response:
    wanted, name = attempt.wanted, client.provider.name
    try:
        return await _taken_back(visit, client, attempt, answer)
    except DomainError as error:
        if wanted.account is not None:
            return await own_account_pages.page(visit, "logins", error)
        if wanted.ask is not None:
            return await embed_login_pages.page(visit, _ask(visit, wanted.ask), error, again=name)
        return await _show_login(visit, name, wanted, error)


async def _taken_back(visit: Visit, client: Client, attempt: Attempt, answer: Answer) -> Response:
    """Raises DomainError."""
    context, wanted = visit.state["context"], attempt.wanted
    if wanted.ask is not None:
        embed_login_pages.check_provider(_ask(visit, wanted.ask).site, client.provider.name)
    viewer = await session.require(visit) if wanted.account is not None else None
    if viewer is not None and viewer.id != wanted.account:
        raise Forbidden("error.oidc_other_account", code="other_account")
    proven = await client.prove(answer, attempt.nonce, attempt.verifier)
    if viewer is not None:
        await openid.link(context.database, viewer, client, proven)
        return RedirectResponse("/account", 303)
    account = await openid.enter(context.database, context.limits, context.settings, client, proven, address(visit))
    if wanted.ask is not None:
        return await embed_login_pages.done(visit, _ask(visit, wanted.ask), account, is_entered=True)
    response = await _before(visit, account, wanted)
    await session.begin(visit, account, response)
    return response


async def _before(visit: Visit, account: Account, wanted: Wanted) -> Response:
    """Return where the reader was, with the comment that was begun."""
    if (draft := wanted.draft) is not None:
        return await thread_pages.compose(visit, draft["thread"], draft["parent"], draft["body"], None, viewer=account)
    return RedirectResponse(wanted.back, 303)


async def _show_login(visit: Visit, name: str, wanted: Wanted, error: DomainError) -> Response:
    return await sign_in_pages.show(visit, "login", back=wanted.back, draft=wanted.draft, error=error, again=name)


def _ask(visit: Visit, asked: tuple[str, str, str]) -> embed_login_pages.Ask:
    """Raises Invalid where the site is gone meanwhile."""
    return embed_login_pages.asked(visit, ImmutableMultiDict(zip(("site", "challenge", "back"), asked, strict=True)))


routes = [
    Route("/login/{name}", begin, methods=["POST"]),
    Route("/login/{name}/callback", come_back),
    Route("/account/logins/{name}", begin_linking, methods=["POST"]),
]
