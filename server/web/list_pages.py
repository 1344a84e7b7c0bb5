"""Pages that list comments from anywhere: a profile, a search, what is new to me, what waits; and my account."""

from __future__ import annotations

from typing import Any

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from server import permissions
from server.actions import close_account
from server.errors import DomainError, Forbidden, Invalid
from server.storage import accounts, comments, notices, rows, search, threads
from server.storage.database import Sql
from server.web import account_api, api, pages, requests, session
from server.web.context import Visit, address
from server.web.whose_turn import in_turn

AT_ONCE = 20
KINDS = {"reply": "answered you", "mention": "mentioned you"}


def _before(visit: Visit) -> int:
    return requests.whole(visit.query_params.get("before"), "before", least=1, most=api.MAX_VERSION, default=2**53)


async def _listing(visit: Visit, title: str, found: list[Any], **more: Any) -> Response:
    items = [
        {
            "thread": one.thread,
            "title": one.title or one.thread,
            "comment": one.comment,
            "why": KINDS.get(getattr(one, "kind", ""), ""),
        }
        for one in found
    ]
    before = items[-1]["comment"].id if len(items) == AT_ONCE else None
    return await pages.page(visit, "listing.html", title=title, items=items, before=before, **_NOTHING | more)


_NOTHING = {"empty": "Nothing yet.", "search_for": None, "inbox": None, "waiting": False, "query": "", "account": None}


async def profile(visit: Visit) -> Response:
    def read(sql: Sql) -> tuple[Any, list[search.Found]]:
        account = account_api.named(sql, visit.path_params["name"])
        return account, search.latest(sql, author=account.id, before=_before(visit), limit=AT_ONCE)

    account, found = await visit.state["context"].database.read(read)
    return await _listing(visit, account.name, found, empty="No comments yet.", account=api.public_account(account))


async def find(visit: Visit) -> Response:
    text, key = visit.query_params.get("q", "").strip(), visit.query_params.get("thread") or None
    found: list[search.Found] = []
    empty = "Search for words of at least three characters."
    if text:
        try:
            found = await api.found_by(visit, text, requests.key(key) if key else None, _before(visit), AT_ONCE)
            empty = "No comment says that."
        except Invalid as error:
            empty = error.message
    query = f"q={pages.quoted(text)}&" + (f"thread={pages.quoted(key)}&" if key else "")
    return await _listing(visit, "Search", found, empty=empty, search_for={"q": text, "thread": key}, query=query)


async def inbox(visit: Visit) -> Response:
    account = await session.require(visit)

    def read(sql: Sql) -> tuple[int, int, list[notices.Notice], dict[int, Any]]:
        found = notices.after(sql, account.id, 0, 100)
        answered = {one.comment.parent for one in found if isinstance(one.comment.parent, int)}
        parents = {id_: rows.public(sql, id_) for id_ in answered}
        return threads.clock(sql)[0], notices.unread(sql, account.id), found, parents

    version, unread, found, parents = await visit.state["context"].database.read(read)
    return await _listing(
        visit,
        "Replies to you",
        found,
        empty="Nobody has answered you yet.",
        # The newest come first, and so do those that are unread.
        inbox={"unread": unread, "version": version, "answered": parents},
    )


async def heard(visit: Visit) -> Response:
    account, form = await session.require(visit), await visit.form()
    version = requests.whole(str(form.get("version", "")), "version", least=0, most=api.MAX_VERSION, default=0)
    await account_api.read_notices(visit, account, version)
    return RedirectResponse("/inbox", 303)


async def waiting(visit: Visit) -> Response:
    account = await session.require(visit)
    if not permissions.may_moderate(account):
        raise Forbidden("Only moderators may do this.")

    def read(sql: Sql) -> list[search.Found]:
        return [
            search.Found(key, threads.by_key(sql, key).title, comments.seen_by(sql, id_, is_trusted=True))
            for key, id_ in comments.pending(sql)[:AT_ONCE]
        ]

    found = await visit.state["context"].database.read(read)
    return await _listing(visit, "Waiting for approval", found, empty="Nothing waits.", waiting=True)


async def mine(visit: Visit) -> Response:
    """The account's own page: its feed, its data, and its end."""
    return await _mine(visit)


async def _mine(visit: Visit, error: str = "", status: int = 200) -> Response:
    account = await session.require(visit)
    context = visit.state["context"]
    secret = await context.database.read(lambda sql: accounts.feed(sql, account.id))
    feed = f"{context.settings.origin}/feed/mine/{secret}" if secret else None
    return await pages.page(visit, "mine.html", title="Your account", feed=feed, error=error, status=status)


async def renew_feed(visit: Visit) -> Response:
    await account_api.renew_feed(visit)
    return RedirectResponse("/account", 303)


async def close(visit: Visit) -> Response:
    account, form = await session.require(visit), await visit.form()
    kept = str(form.get("comments", ""))
    context = visit.state["context"]
    try:
        if kept not in ("keep", "erase"):
            raise Invalid("Choose what becomes of your comments.", field="comments")
        await close_account.close_account(
            context.database, context.limits, context.settings, account, str(form.get("password", "")),
            "erase" if kept == "erase" else "keep", address(visit),
        )  # fmt: skip
    except DomainError as error:
        return await _mine(visit, error.message, error.status)
    response = RedirectResponse("/", 303)
    await session.end(visit, response)
    return response


routes = [
    Route("/u/{name}", in_turn(profile)),
    Route("/search", in_turn(find)),
    Route("/inbox", in_turn(inbox)),
    Route("/inbox", heard, methods=["POST"]),
    Route("/pending", in_turn(waiting)),
    Route("/account", mine),
    Route("/account/feed", renew_feed, methods=["POST"]),
    Route("/account/close", close, methods=["POST"]),
]
