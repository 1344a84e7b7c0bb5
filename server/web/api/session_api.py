"""The JSON API of sessions: registering, logging in and out, here and on pages of other sites; tickets for sockets."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import Route

from server.actions.sessions import token_hash
from server.errors import Forbidden, NotFound
from server.model import Account
from server.sites import OWN, Site
from server.storage.threads import threads
from server.visibility import moment
from server.web.api import thread_api
from server.web.requests import cross_origin, schemas, session, site_sessions
from server.web.requests.context import Visit

PRIVATE = "private, no-store"


async def register(visit: Visit) -> Response:
    wanted = schemas.parse(await visit.body(), schemas.Credentials)
    return await _signed_in(visit, await session.enter(visit, "register", wanted.name, wanted.password), wanted, 201)


async def log_in(visit: Visit) -> Response:
    """By name and password on our own pages; pages of other sites bring a code that was handed over."""
    if (site := session.site_of(visit)) is not None:
        return await _claim(visit, site)
    wanted = schemas.parse(await visit.body(), schemas.Credentials)
    return await _signed_in(visit, await session.enter(visit, "login", wanted.name, wanted.password), wanted, 200)


async def _signed_in(visit: Visit, account: Account, wanted: schemas.Credentials, status: int) -> Response:
    response = thread_api.answer({"account": thread_api.public_account(account)}, status)
    token = await session.begin(visit, account, response)
    if wanted.token:
        with_token = thread_api.answer({"account": thread_api.public_account(account), "token": token}, status)
        with_token.raw_headers.extend((name, value) for name, value in response.raw_headers if name == b"set-cookie")
        return with_token
    return response


async def who(visit: Visit) -> Response:
    account = await session.identify(visit)
    if (site := session.site_of(visit)) is not None:
        return _seen(site, account)
    return thread_api.answer({"account": thread_api.public_account(account) if account else None})


async def log_out(visit: Visit) -> Response:
    response = thread_api.answer({"account": None})
    await session.end(visit, response)
    return response


async def ticket(visit: Visit) -> Response:
    account = await session.require(visit)
    context = visit.state["context"]
    wanted = schemas.parse(await visit.body() or b"{}", schemas.TicketFor)
    context.limits.spend("ticket", account.id, context.settings.limit_tickets_account)
    site, thread = session.site_of(visit), wanted.thread or ""
    if site is not None and thread and not await site_sessions.has_thread(visit, site, thread):
        raise Forbidden("error.other_site", code="other_site", field="thread")
    version, _ = await context.database.read(threads.clock)
    signed, expires = session.ticket(context.settings, account, version, site.id if site else "", thread)
    return thread_api.answer({"ticket": signed, "expires": moment(expires * 1000)})


async def _claim(visit: Visit, site: Site) -> Response:
    """A code, or what the site signed, becomes a session of the site."""
    body, context = await visit.body(), visit.state["context"]
    entry = schemas.parse(body, schemas.Entry)
    with_token, begun = entry.token, {}
    if entry.sso is not None:
        account, token = await site_sessions.enter(visit, site, entry.sso)
        if not token:
            return thread_api.answer({"account": thread_api.public_account(account)}, cache=PRIVATE)
        if not with_token:
            begun = {"begun": context.codes.hand_out(account, site, token_hash(token))}
    elif entry.begun is not None:
        account, token = await site_sessions.exchange(visit, site, entry.begun)
        with_token = True
    else:
        account, token = await site_sessions.begin(visit, site, schemas.parse(body, schemas.Claim))
    if with_token:
        return thread_api.answer({"account": thread_api.public_account(account), "token": token}, cache=PRIVATE)
    response = thread_api.answer({"account": thread_api.public_account(account), **begun}, cache=PRIVATE)
    settings = context.settings
    response.headers.append("Set-Cookie", cross_origin.cookie(site, settings.base, token, settings.session_seconds))
    return response


async def site_logout(visit: Visit) -> Response:
    """Back-channel logout: the site says, signed, that its reader has logged out there."""
    context = visit.state["context"]
    site = context.sites.by_id(visit.path_params["id"])
    if site is None or site.id == OWN:
        raise NotFound("error.no_site", code="unknown_site")
    if visit.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        given = str((await visit.form()).get("logout_token", ""))
    else:
        given = schemas.parse(await visit.body(), schemas.SignedOut).logout_token
    await site_sessions.leave(visit, site, given)
    return thread_api.answer({"account": None}, cache=PRIVATE)


def _seen(site: Site, account: Account | None) -> Response:
    """Who is logged in on the site, and how to log in there."""
    about = {"id": site.id, "name": site.name, "logins": site.logins, "theme": site.theme}
    return thread_api.answer(
        {"account": thread_api.public_account(account) if account else None, "site": about}, cache=PRIVATE
    )


routes = [
    Route("/api/accounts", register, methods=["POST"]),
    Route("/api/session", who),
    Route("/api/session", log_in, methods=["POST"]),
    Route("/api/session", log_out, methods=["DELETE"]),
    Route("/api/ticket", ticket, methods=["POST"]),
    Route("/api/sites/{id}/logout", site_logout, methods=["POST"]),
]
