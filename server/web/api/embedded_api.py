"""The JSON API for pages of other sites: threads by address, counts of comments and of notices."""

from __future__ import annotations

from urllib.parse import unquote

from starlette.responses import Response
from starlette.routing import Route

from server.errors import Invalid, NotFound
from server.sites import OWN, Site
from server.storage import sites
from server.storage.accounts import notifications
from server.storage.engine.database import Sql
from server.storage.threads import threads
from server.web.api import thread_api
from server.web.requests import language, session
from server.web.requests.context import Visit

MAX_COUNTS = 100
COUNTS_SECONDS = 30
PRIVATE = "private, no-store"


def asked_site(visit: Visit, given: str | None) -> Site:
    """Return the site that a request names by id or origin, else the one whose page asks, else our own.

    Raises NotFound.
    """
    known = visit.state["context"].sites
    site = (known.by_id(given) or known.by_origin(given)) if given else session.site_of(visit) or known.by_id(OWN)
    if site is None:
        raise NotFound("error.no_site", field="site", code="unknown_site")
    return site


async def key_of(visit: Visit, site: Site) -> str:
    """Return the key of the thread that the query names by `key`, else by the page's `url`. Raises Invalid."""
    named, page = visit.query_params.get("key", ""), visit.query_params.get("url", "")
    read = visit.state["context"].database.read
    if named:
        return await read(lambda sql: sites.key_named(sql, site, named))
    if not page:
        raise Invalid("error.key_or_url", field="url")
    site.check_page(page)
    return await read(lambda sql: sites.key_of_page(sql, site, page))


async def by_address(visit: Visit) -> Response:
    """A thread by the address of its page, or by a key as its site says it; otherwise like a thread by its key."""
    visit.path_params["key"] = await key_of(visit, asked_site(visit, visit.query_params.get("site")))
    return await thread_api.thread(visit)


async def counts(visit: Visit) -> Response:
    """How many comments threads have, by what they were asked for: keys or addresses, joined by commas."""
    site = asked_site(visit, visit.query_params.get("site"))
    # A comma in an address is written as %2C twice.
    asked = [unquote(one) for one in visit.query_params.get("keys", "").split(",") if one]
    if len(asked) > MAX_COUNTS:
        raise Invalid("error.many_keys", field="keys", count=MAX_COUNTS)

    def find(sql: Sql) -> dict[str, int]:
        keys = {}
        for one in asked:
            is_address = "/" in one
            if is_address and site.id != OWN and not site.has_page(one):
                continue
            try:
                keys[one] = sites.key_of_page(sql, site, one) if is_address else sites.key_named(sql, site, one)
            except Invalid:
                continue
        found = sites.counts(sql, list(keys.values()))
        return {one: found.get(keys.get(one, ""), 0) for one in asked}

    found = await visit.state["context"].database.read(find)
    # For the page that asks, whoever reads it: anybody may keep the answer.
    offered = visit.state["context"].editions.offered
    words = offered.matching(visit.query_params.get("lang", "")[: language.MOST_CHARACTERS]) or offered.default
    labels = {one: words("count.counted_comments", count=count) for one, count in found.items()}
    return thread_api.answer({"counts": found, "labels": labels}, cache=f"public, max-age={COUNTS_SECONDS}")


async def unread(visit: Visit) -> Response:
    """How many notices the account has not read; what they say is on our own pages."""
    account = await session.require(visit)
    version, count = await visit.state["context"].database.read(
        lambda sql: (threads.clock(sql)[0], notifications.unread(sql, account.id))
    )
    return thread_api.answer({"version": version, "unread": count}, cache=PRIVATE)


routes = [
    Route("/api/threads", by_address),
    Route("/api/counts", counts),
    Route("/api/unread", unread),
]
