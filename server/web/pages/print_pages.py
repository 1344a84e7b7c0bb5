"""A whole thread on one page, to be printed or kept: streamed, so that its length costs neither memory nor the loop."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from starlette.responses import Response, StreamingResponse

from channels.messages import Comment
from server.model import Head, Thread
from server.storage.comments import comment_rows
from server.storage.engine.database import Sql
from server.storage.threads import paging
from server.visibility import view
from server.web.pages import nesting, page_templates
from server.web.pages.nesting import Place
from server.web.requests import language
from server.web.requests.context import Visit
from server.web.requests.page_queue_owner import own_in_turn

# As many are read and drawn before others have their turn.
COMMENTS_AT_ONCE = 50
_BETWEEN = "<!-- comments -->"


async def printed(visit: Visit, key: str) -> Response:
    """Return all comments in the order of reading, as everybody sees them. Raises TooMany."""

    async def after(cursor: str) -> tuple[paging.Page[Head], str]:
        return await own_in_turn(visit, lambda: _some(visit, key, cursor))

    page, first = await after("")
    head, _, foot = _shell(visit, page.thread).partition(_BETWEEN)

    async def parts() -> AsyncIterator[str]:
        yield head
        yield first
        cursor = page.next
        while cursor:
            found, html = await after(cursor)
            yield html
            cursor = found.next
        yield foot

    headers = {"Cache-Control": "no-cache", "Vary": "Cookie, Accept-Language", "X-Robots-Tag": "noindex"}
    return StreamingResponse(parts(), headers=headers, media_type="text/html; charset=utf-8")


def _shell(visit: Visit, thread: Thread) -> str:
    title = thread.title or language.texts_for(visit)("thread.title", key=thread.key)
    return page_templates.html(visit, "printed.html", title, None, thread=page_templates.describe(thread, ""))


async def _some(visit: Visit, key: str, cursor: str) -> tuple[paging.Page[Head], str]:
    """Return some comments, after the cursor, and as HTML."""

    def read(sql: Sql) -> tuple[paging.Page[Head], list[tuple[Place, Comment]]]:
        page = paging.page(sql, key, cursor, COMMENTS_AT_ONCE, read=paging.heads)
        roots = nesting.places(page.context, page.comments)
        found = {one.comment.id: one for one, is_begin in nesting.walked(roots) if is_begin and not one.context}
        seen = ((one.id, view(None, one)) for one in comment_rows.by_ids(sql, list(found)))
        texts = {id_: comment for id_, comment in seen if comment is not None}
        return page, [(place, texts[id_]) for id_, place in found.items() if id_ in texts]

    page, comments = await visit.state["context"].database.read(read)
    drawing = language.edition_for(visit).drawing
    values: dict[str, Any] = {"comments": [{"place": place, "comment": comment} for place, comment in comments]}
    return page, drawing.environment.get_template("printed_comments.html").render(thread_key=key, **values)
