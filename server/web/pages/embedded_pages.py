"""Threads by the address of their page: where the link under an article leads, and what is shown there in its place."""

from __future__ import annotations

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from server.web.api import embedded_api
from server.web.pages import thread_pages
from server.web.requests import schemas
from server.web.requests.context import Visit


async def open_thread(visit: Visit) -> Response:
    """Go to the thread of a key, or of a page's address; with `only=fragment` answer its page without what is around.

    With `comment`: the page around that one.
    """
    query = visit.query_params
    if not query.get("url") and not query.get("site") and query.get("only") != "fragment":
        key = schemas.key(query.get("key", "").strip())
        return RedirectResponse(f"/t/{key}", 303)
    key = await embedded_api.key_of(visit, embedded_api.asked_site(visit, query.get("site")))
    if query.get("only") != "fragment":
        return RedirectResponse(f"/t/{key}", 303)
    visit.path_params["key"] = key
    if query.get("comment"):
        visit.path_params["id"] = query["comment"]
        return await thread_pages.permalink(visit)
    return await thread_pages.thread(visit)


# With the slash, as it stands in the pages of sites.
routes = [Route("/t", open_thread), Route("/t/", open_thread)]
