"""How any page becomes HTML: what all templates are given, and the headers of a page. Knows no page."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec
from markupsafe import Markup
from starlette.responses import Response

from server.model import Account, Thread
from server.storage.accounts import notifications
from server.visibility import info, moment
from server.web.pages.comment_fragments import Drawing
from server.web.requests import appearance, language, session
from server.web.requests.context import Visit


async def page(
    visit: Visit, template: str, *, title: str, status: int = 200, viewer: Account | None = None, **values: Any
) -> Response:
    """Render a page for `viewer`, or for the current visitor; pages for an account are never cached."""
    viewer = viewer or await session.identify(visit)
    if viewer is not None:
        language.prefer(visit, viewer)
        appearance.prefer(visit, viewer)
    unread = 0
    if (known := viewer) is not None:
        unread = await visit.state["context"].database.read(lambda sql: notifications.unread(sql, known.id))
    seen_as = {"id": viewer.id, "name": viewer.name, "role": viewer.role} if viewer else None
    told = language.texts_for(visit)("count.number", count=unread) if unread else ""
    drawn = html(visit, template, title, seen_as, told=told, **values)
    cache = "private, no-store" if viewer else "no-cache"
    headers = {"Cache-Control": cache, "Vary": "Cookie, Accept-Language"}
    return Response(drawn, status, headers, media_type="text/html; charset=utf-8")


def html(
    visit: Visit,
    template: str,
    title: str,
    viewer: Mapping[str, object] | None,
    drawing: Drawing | None = None,
    **values: Any,
) -> str:
    drawing = drawing or language.edition_for(visit).drawing
    values = {**drawing.look(appearance.chosen(visit)), **values}
    drawn: str = drawing.environment.get_template(template).render(
        site=drawing.site, viewer=viewer, title=title, path=path(visit), **values
    )
    return drawn


def path(visit: Visit) -> str:
    """Return where a reader is led back to; an address that counts once leads nowhere."""
    if visit.url.path.startswith("/login/"):
        return "/"
    return visit.url.path + (f"?{visit.url.query}" if visit.url.query else "")


def fresh_nonce() -> str:
    return secrets.token_urlsafe(16)


def describe(thread: Thread, epoch: str) -> dict[str, Any]:
    return msgspec.structs.asdict(info(thread)) | {
        "key": thread.key,
        "epoch": epoch,
        "version": thread.version,
        "title": thread.title or thread.key,
    }


def posting(thread: Thread, address: str) -> Markup:
    """Return what search engines are told of the thread: a DiscussionForumPosting in JSON-LD, which HTML can hold.

    `address`: of this server.
    """
    told = {
        "@context": "https://schema.org",
        "@type": "DiscussionForumPosting",
        "url": f"{address}/t/{thread.key}",
        "headline": thread.title or thread.key,
        "datePublished": moment(thread.created),
        "commentCount": thread.comments,
        "interactionStatistic": {
            "@type": "InteractionCounter",
            "interactionType": "https://schema.org/CommentAction",
            "userInteractionCount": thread.comments,
        },
    }
    if thread.summary:
        told["text"] = thread.summary
    if thread.author_name:
        told["author"] = {
            "@type": "Person", "name": thread.author_name, "url": f"{address}/u/{quote(thread.author_name, safe='')}",
        }  # fmt: skip
    if thread.url.startswith("http"):
        told["mainEntityOfPage"] = thread.url
    written = json.dumps(told, ensure_ascii=False, separators=(",", ":"))
    return Markup(written.translate({ord(one): f"\\u{ord(one):04x}" for one in "<>&"}))


def composer(
    parent: int | None, parent_name: str | None, body: str, nonce: str, error: str = "", *, is_wrong: bool = False
) -> dict[str, Any]:
    """Return what the form to write in is drawn with; `is_wrong`: the text itself, by what `error` says."""
    return {
        "parent": parent, "parent_name": parent_name, "body": body, "nonce": nonce, "error": error,
        "is_wrong": is_wrong,
    }  # fmt: skip
