"""Sessions that count on one other site alone: what they reach, and how a code becomes one."""

from __future__ import annotations

from server.actions import single_sign_on
from server.actions.sessions import begin_session, end_session, end_session_of, token_hash
from server.model import Account
from server.sites import Site
from server.storage.comments import comments
from server.storage.engine.database import Sql
from server.storage.threads import threads
from server.web.requests import browsers, embedding, origins
from server.web.requests.context import Visit, address
from server.web.requests.schemas import Claim


async def is_within(visit: Visit, site: Site) -> bool:
    """Say whether the thread or comment that the request names belongs to the site; true if it names none."""
    key, id_ = visit.path_params.get("key"), str(visit.path_params.get("id", ""))
    if key is None and not (id_.isdigit() and len(id_) < 17):
        return True

    def find(sql: Sql) -> bool:
        if key is not None:
            return _is_thread_of(sql, site, str(key))
        comment = comments.by_id(sql, int(id_))
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
    browser = browsers.in_words(visit.headers.get("user-agent", ""))
    if earlier := visit.cookies.get(embedding.cookie_name(site, visit.state["context"].settings.base)):
        await end_session(context.database, earlier)
    fresh = await begin_session(context.database, grant.account, browser, site.id, moderates=grant.moderates)
    if grant.session is not None:
        await end_session_of(context.database, grant.session)
    elif not wanted.token:
        context.codes.claimed(wanted.code, grant, token_hash(fresh))
    return grant.account, fresh


async def enter(visit: Visit, site: Site, given: str, *, has_no_cookie: bool) -> tuple[Account, str]:
    """Return the account of whom the site's statement names, and the token of a session that it begins.

    "": there is a session of theirs in this browser already, and the statement is not used. Raises Forbidden,
    NotSignedIn (`sso_expired`), Invalid.
    """
    context = visit.state["context"]
    settings = context.settings
    context.limits.spend("claim", address(visit), settings.limit_logins_address)
    browser = browsers.in_words(visit.headers.get("user-agent", ""))
    if has_no_cookie and (grant := context.codes.again(given, site)) is not None:
        fresh = await begin_session(context.database, grant.account, browser, site.id, appointed=grant.moderates)
        if grant.session is not None:
            await end_session_of(context.database, grant.session)
        return grant.account, fresh
    presented = origins.bearer(visit.headers) or visit.cookies.get(embedding.cookie_name(site, settings.base))
    if presented:
        there = await context.sessions.account(token_hash(presented), site.id)
        whose = await single_sign_on.subject_account(context.database, site, settings.address, given)
        if there is not None and there.id == whose:
            return there, ""
        await end_session(context.database, presented)
    entered = await single_sign_on.enter(context.database, site, settings.address, given, browser)
    if not has_no_cookie:
        context.codes.entered(given, entered.account, site, token_hash(entered.token), moderates=entered.is_moderator)
    return entered.account, entered.token


def settle(visit: Visit, site: Site) -> None:
    """The session's cookie came back: the code that began it is worth nothing any more."""
    if presented := visit.cookies.get(embedding.cookie_name(site, visit.state["context"].settings.base)):
        visit.state["context"].codes.settle(token_hash(presented))
