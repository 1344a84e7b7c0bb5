"""Sessions that count on one other site alone: what they reach, and how a code becomes one."""

from __future__ import annotations

from server.actions import single_sign_on
from server.actions.sessions import begin_session, end_session, token_hash
from server.actions.single_sign_on import Present
from server.errors import Forbidden, NotSignedIn
from server.model import Account
from server.sites import Site
from server.storage.comments import comments
from server.storage.engine.database import Sql
from server.storage.threads import threads
from server.web.requests import cross_origin, origins, schemas, user_agents
from server.web.requests.context import Visit, address
from server.web.requests.schemas import Claim


async def is_within(visit: Visit, site: Site) -> bool:
    """Say whether all threads and comments that the request's path names belong to the site. Raises Invalid."""
    key = visit.path_params.get("key")
    # Read as the handlers read it: what is a comment to them is one here.
    id_ = schemas.comment_id(visit.path_params["id"]) if "id" in visit.path_params else None
    if key is None and id_ is None:
        return True

    def find(sql: Sql) -> bool:
        if key is not None and not _is_thread_of(sql, site, str(key)):
            return False
        comment = comments.by_id(sql, id_) if id_ is not None else None
        return comment is None or threads.by_key(sql, comment.thread_key).site == site.id

    return await visit.state["context"].database.read(find)


async def has_thread(visit: Visit, site: Site, key: str) -> bool:
    return await visit.state["context"].database.read(lambda sql: _is_thread_of(sql, site, key))


def _is_thread_of(sql: Sql, site: Site, key: str) -> bool:
    thread = threads.by_key(sql, key)
    return thread.site == site.id if thread.id is not None else key.startswith(f"{site.id}~")


async def begin(visit: Visit, site: Site, wanted: Claim) -> tuple[Account, str]:
    """Return the account that the code lets in, and the token of a session that it begins. Raises Forbidden.

    With `token`, the session that the same code gave by a cookie ends.
    """
    context = visit.state["context"]
    context.limits.spend("claim", address(visit), context.settings.limit_logins_address)
    grant = context.codes.claim(wanted.code, wanted.verifier, site, is_again=wanted.token)
    browser = user_agents.in_words(visit.headers.get("user-agent", ""))
    earlier = visit.cookies.get(cross_origin.cookie_name(site, context.settings.base), "")
    if earlier and token_hash(earlier) != grant.session:
        await end_session(context.database, earlier)
    fresh = await begin_session(
        context.database, grant.account, browser, site.id, moderates=grant.moderates, instead_of=grant.session
    )
    if grant.session is None and not wanted.token:
        context.codes.claimed(wanted.code, grant, token_hash(fresh))
    return grant.account, fresh


async def enter(visit: Visit, site: Site, given: str) -> tuple[Account, str]:
    """Return the account of whom the site's statement names, and the token of a session that it begins.

    "": there is a session of theirs in this browser already. Raises Forbidden, NotSignedIn (`sso_expired`), Invalid.
    """
    context = visit.state["context"]
    settings = context.settings
    browser = user_agents.in_words(visit.headers.get("user-agent", ""))
    present = None
    if token := origins.bearer(visit.headers) or visit.cookies.get(cross_origin.cookie_name(site, settings.base)):
        hashed = token_hash(token)
        present = Present(hashed, await context.sessions.account(hashed, site.id))
    try:
        account, fresh = await single_sign_on.enter(
            context.database, context.limits, settings, site, given, browser, present
        )
    except (Forbidden, NotSignedIn):
        # Of good statements as many count as the site signs: nobody behind the same address keeps others out.
        context.limits.spend("statement", address(visit), settings.limit_logins_address)
        raise
    return account, fresh


async def exchange(visit: Visit, site: Site, code: str) -> tuple[Account, str]:
    """Return a bearer in the place of the session that a statement began, whose cookie does not come back.

    Raises Forbidden.
    """
    context = visit.state["context"]
    context.limits.spend("claim", address(visit), context.settings.limit_logins_address)
    grant = context.codes.exchange(code, site)
    browser = user_agents.in_words(visit.headers.get("user-agent", ""))
    fresh = await begin_session(
        context.database, grant.account, browser, site.id, signed=True, instead_of=grant.session
    )
    return grant.account, fresh


async def log_out(visit: Visit, site: Site, token: str) -> None:
    """End the session; after one that the site began, none of its statements from before begins another."""
    context = visit.state["context"]
    account = await context.sessions.account(token_hash(token), site.id)
    if account is not None and account.is_signed:
        await single_sign_on.log_out(context.database, site, token, account)
    else:
        await end_session(context.database, token)


async def leave(visit: Visit, site: Site, given: str) -> None:
    """The site says, signed, that its reader has logged out there. Raises Forbidden, NotSignedIn (`sso_expired`)."""
    context = visit.state["context"]
    try:
        await single_sign_on.leave(context.database, context.settings, site, given)
    except (Forbidden, NotSignedIn):
        context.limits.spend("statement", address(visit), context.settings.limit_logins_address)
        raise
