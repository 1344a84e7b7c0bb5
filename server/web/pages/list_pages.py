"""Pages that list comments from all threads: profiles, search, inbox and the moderation queue."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import msgspec
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from server import account_names, permissions
from server.actions import account as own
from server.actions import pictures
from server.errors import Forbidden, Invalid
from server.model import StoredComment
from server.storage.accounts import notifications
from server.storage.comments import comments
from server.storage.engine.database import Sql
from server.storage.threads import threads
from server.text import search_words
from server.web.api import activity_api, thread_api
from server.web.pages import editions, page_templates
from server.web.requests import language, schemas, session
from server.web.requests.context import Visit
from server.web.requests.page_queue_owner import in_turn

AT_ONCE = 20
KINDS = {"reply": "list.answered", "mention": "list.mentioned"}
OUTCOMES = {"approved": "list.approved", "rejected": "list.rejected"}


def _before(visit: Visit) -> int:
    return schemas.whole(visit.query_params.get("before"), "before", least=1, most=thread_api.MAX_VERSION, default=0)


async def _listing(visit: Visit, title: str, found: list[Any], **more: Any) -> Response:
    items = [
        {
            "thread": one.thread,
            "title": one.title or one.thread,
            "comment": one.comment,
            "why": KINDS.get(getattr(one, "kind", ""), ""),
            "outcome": OUTCOMES.get(getattr(one, "kind", ""), ""),
        }
        for one in found
    ]
    before = items[-1]["comment"].id if len(items) == AT_ONCE else None
    return await page_templates.page(visit, "listing.html", title=title, items=items, before=before, **_NOTHING | more)


_NOTHING: dict[str, Any] = {
    "empty": "", "hint": "", "search_for": None, "inbox": None, "waiting": False, "query": "", "account": None,
    "unseen": [], "decided": None,
}  # fmt: skip


async def profile(visit: Visit) -> Response:
    before = _before(visit)
    account, picture, found = await visit.state["context"].database.read(
        lambda sql: activity_api.profile_of(sql, visit.path_params["name"], before, AT_ONCE)
    )
    if account_names.key(account.name) != account_names.key(visit.path_params["name"]):
        # The name that it had before. It may have it again: nobody is to keep this answer.
        return RedirectResponse(f"/u/{editions.quoted(account.name)}", 302, {"Cache-Control": "no-store"})
    viewer = await session.identify(visit)
    unseen: list[comments.Found] = []
    if (known := viewer) is not None and known.id == account.id:
        unseen = await visit.state["context"].database.read(lambda sql: comments.unseen(sql, known))
    shown = thread_api.public_account(account) | {"picture": picture}
    words = language.texts_for(visit)
    return await _listing(visit, account.name, found, empty=words("list.no_comments"), account=shown, unseen=unseen)


async def remove_picture(visit: Visit) -> Response:
    account = await session.require_for(visit, "moderate")
    found = await pictures.remove_picture_of(visit.state["context"].database, account, visit.path_params["name"])
    return RedirectResponse(f"/u/{editions.quoted(found.name)}", 303)


async def find(visit: Visit) -> Response:
    text, key = visit.query_params.get("q", "").strip(), visit.query_params.get("thread") or None
    found: list[comments.Found] = []
    words = language.texts_for(visit)
    empty, hint = words("list.enter_word"), ""
    if text:
        try:
            found = await thread_api.found_by(visit, text, schemas.key(key) if key else None, _before(visit), AT_ONCE)
            # Many long texts take a while: beside the event loop.
            found = await asyncio.to_thread(_marked, found, search_words.phrases(text))
            empty, hint = words("list.none_found"), words("list.hint_search")
        except Invalid as error:
            empty = language.sentence(visit, error)
    query = f"q={editions.quoted(text)}&" + (f"thread={editions.quoted(key)}&" if key else "")
    return await _listing(
        visit,
        words("action.search"),
        found,
        empty=empty,
        hint=hint,
        search_for={"q": text, "thread": key},
        query=query,
    )


def _marked(found: list[comments.Found], wanted: list[search_words.Phrase]) -> list[comments.Found]:
    return [
        replace(
            one, comment=msgspec.structs.replace(one.comment, html=search_words.marked(str(one.comment.html), wanted))
        )
        for one in found
    ]


async def inbox(visit: Visit) -> Response:
    account = await session.require(visit)

    def read(sql: Sql) -> tuple[int, int, list[notifications.Notice], dict[int, Any]]:
        found = notifications.after(sql, account, 0, 100)
        answered = {one.comment.parent for one in found if isinstance(one.comment.parent, int)}
        parents = {id_: comments.seen_by(sql, account, id_)[1] for id_ in answered}
        return threads.clock(sql)[0], notifications.unread(sql, account.id), found, parents

    words = language.texts_for(visit)
    version, unread, found, parents = await visit.state["context"].database.read(read)
    return await _listing(
        visit,
        words("list.replies_to_you"),
        found,
        empty=words("list.no_replies"),
        hint=words("list.hint_inbox"),
        # The newest come first, and so do those that are unread.
        inbox={"unread": unread, "version": version, "answered": parents},
    )


async def heard(visit: Visit) -> Response:
    account, form = await session.require(visit), await visit.form()
    version = schemas.whole(str(form.get("version", "")), "version", least=0, most=thread_api.MAX_VERSION, default=0)
    context = visit.state["context"]
    await own.read_notices(context.database, context.limits, context.settings, account, version)
    return RedirectResponse("/inbox", 303)


async def waiting(visit: Visit) -> Response:
    account = await session.require(visit)
    if not permissions.may_moderate(account):
        raise Forbidden("error.only_moderators")

    words = language.texts_for(visit)
    done = schemas.whole(visit.query_params.get("done"), "done", least=1, most=thread_api.MAX_VERSION, default=0)

    def read(sql: Sql) -> tuple[list[comments.Found], StoredComment | None]:
        return comments.pending(sql, account, AT_ONCE), comments.by_id(sql, done)

    found, decided = await visit.state["context"].database.read(read)
    return await _listing(
        visit,
        words("list.waiting"),
        found,
        empty=words("list.nothing_waits"),
        hint=words("list.hint_waiting"),
        waiting=True,
        decided=decided,
    )


routes = [
    Route("/u/{name:path}/picture/remove", remove_picture, methods=["POST"]),
    Route("/u/{name:path}", in_turn(profile)),
    Route("/search", in_turn(find)),
    Route("/inbox", in_turn(inbox)),
    Route("/inbox", heard, methods=["POST"]),
    Route("/pending", in_turn(waiting)),
]
