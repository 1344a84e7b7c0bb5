"""The JSON API: threads, comments, accounts, sessions, tickets."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.responses import Response
from starlette.routing import Route

from channels.changes_source import Question, SourceUnavailable
from channels.messages import Comment, Reset
from server import permissions
from server.actions.delete import delete_comment
from server.actions.describe_thread import describe_thread
from server.actions.edit import edit_comment
from server.actions.post import Page, Post, post_comment, rendered
from server.errors import Forbidden, Invalid, Unavailable
from server.model import Account
from server.permissions import may_describe
from server.storage import search
from server.storage.comments import comments
from server.storage.engine.database import Sql
from server.storage.threads import paging, threads
from server.text import characters, markup
from server.visibility import avatar, moment, shows_history
from server.web.requests import schemas, session
from server.web.requests.context import Visit, address
from server.web.requests.page_queue_owner import in_turn, own_in_turn, shared_in_turn

MAX_VERSION = schemas.MAX_VERSION


def answer(content: Any, status: int = 200, *, cache: str = "no-store") -> Response:
    """Answer `content` as JSON. Bytes are JSON already: those that many ask for are held once."""
    return Response(
        content if isinstance(content, bytes) else msgspec.json.encode(content),
        status_code=status,
        media_type="application/json",
        headers={"Cache-Control": cache},
    )


def public_account(account: Account, picture: str | None = None) -> dict[str, str]:
    """Return the account as the API says it; `picture`: the hash of its own, where that is told."""
    shown = {"name": account.name, "avatar": avatar(account.name), "role": account.role}
    return shown | {"picture": picture} if picture else shown


async def thread(visit: Visit) -> Response:
    key = schemas.key(visit.path_params["key"])
    query = visit.query_params
    sort = schemas.sort(query.get("sort"))
    limit = schemas.whole(query.get("limit"), "limit", least=1, most=200, default=100)
    replies = schemas.whole(query.get("replies"), "replies", least=1, most=200, default=0)
    branch = schemas.whole(query.get("branch"), "branch", least=1, most=MAX_VERSION, default=0)
    if replies and branch:
        raise Invalid("error.replies_of_branch", field="replies")
    if replies and sort == "flat":
        raise Invalid("error.replies_of_flat", field="replies")
    context = visit.state["context"]
    cursor = query.get("cursor", "")

    def read(sql: Sql) -> paging.Page[Comment]:
        if branch:
            return paging.page_of_branch(sql, key, branch, cursor, limit, sort)
        return paging.page(sql, key, cursor, limit, sort, context.rankings, replies)

    async def made() -> bytes:
        return _as_json(sort, branch, replies, await context.database.read(read))

    if sort == "top":
        # Kept, it would outlive the ranking that its cursor names.
        content = await own_in_turn(visit, made)
    else:
        content = await shared_in_turn(visit, key, ("json", sort, limit, replies, branch, cursor), made, len)
    return answer(content)


def _as_json(sort: str, branch: int, replies: int, page: paging.Page[Comment]) -> bytes:
    following = page.cuts[branch].cursor if branch in page.cuts else "" if branch else page.next
    cuts = {"cuts": page.cuts} if replies or branch else {}
    return msgspec.json.encode(
        {
            "thread": page.thread.key,
            "sort": sort,
            "epoch": page.epoch,
            "version": page.thread.version,
            "info": page.info,
            "comments": page.comments,
            "next": following or None,
            **cuts,
        }
    )


async def changes(visit: Visit) -> Response:
    """The diff after `after`; without `after`, an empty one at the present head."""
    key = schemas.key(visit.path_params["key"])
    after = schemas.whole(visit.query_params.get("after"), "after", least=0, most=MAX_VERSION, default=-1)
    try:
        question = Question(key, None if after < 0 else after, visit.query_params.get("epoch", "")[:65] or None)
        diff = await visit.state["context"].source.one(question)
    except SourceUnavailable as error:
        raise Unavailable("error.cannot_read", retry_after=1) from error
    return Response(
        msgspec.json.encode(diff) if isinstance(diff, Reset) else diff.frame,
        media_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


async def put_thread(visit: Visit) -> Response:
    account = await session.require_for(visit, "moderate")
    if not may_describe(account):
        raise Forbidden("error.only_staff")
    key = schemas.key(visit.path_params["key"])
    wanted = schemas.parse(await visit.body(), schemas.DescribeThread)
    info = await describe_thread(
        visit.state["context"].database,
        account,
        key,
        title=wanted.title,
        url=wanted.url,
        summary=wanted.summary,
        author=wanted.author,
        locked=wanted.locked,
    )
    return answer({"thread": key, "info": info})


async def post(visit: Visit) -> Response:
    key = schemas.key(visit.path_params["key"])
    account = await session.require(visit)
    wanted = schemas.parse(await visit.body(), schemas.PostComment)
    page = await _page_of(visit, key, wanted)
    post = Post(key, wanted.body, wanted.nonce, wanted.parent, address(visit), page=page)
    comment, is_new = await publish(visit, account, post)
    return answer({"comment": comment}, 201 if is_new else 200)


async def _page_of(visit: Visit, key: str, wanted: schemas.PostComment) -> Page | None:
    """Return the page of another site under which this is written. A thread there begins with one. Raises Invalid."""
    site = session.site_of(visit)
    if site is None:
        if wanted.url is not None or wanted.title is not None:
            raise Invalid("error.only_listed_sites", field="url")
        return None
    if wanted.url is not None:
        return Page(site.check_page(wanted.url), " ".join(characters.clean(wanted.title or "").split())[:300])
    thread = await visit.state["context"].database.read(lambda sql: threads.by_key(sql, key))
    if thread.id is None:
        raise Invalid("error.first_needs_address", field="url")
    return None


async def publish(visit: Visit, account: Account, wanted: Post) -> tuple[Comment, bool]:
    context = visit.state["context"]
    return await post_comment(context.database, context.limits, context.settings, account, wanted, context.renderer)


async def one(visit: Visit) -> Response:
    """A comment, with its `body` if the viewer may edit it, and `earlier`, its previous texts."""
    account, id_ = await session.identify(visit), comment_id(visit)
    found = await visit.state["context"].database.read(lambda sql: _one(sql, account, id_))
    return answer(found, cache="private, no-store")


def _one(sql: Sql, account: Account | None, id_: int) -> dict[str, Any]:
    stored, seen = comments.seen_by(sql, account, id_)
    found: dict[str, Any] = {"thread": stored.thread_key, "comment": seen}
    if account is not None and permissions.may_edit(account, stored) and permissions.is_editable(stored):
        found["body"] = comments.text(sql, stored)
    if shows_history(stored):
        texts = comments.revisions(sql, id_, with_bodies=False)[:-1]
        found["earlier"] = [
            {"revision": text.revision, "html": text.html, "created": moment(text.written)} for text in texts
        ]
    return found


async def edit(visit: Visit) -> Response:
    account = await session.require(visit)
    wanted = schemas.parse(await visit.body(), schemas.EditComment)
    context = visit.state["context"]
    return answer(
        {
            "comment": await edit_comment(
                context.database,
                context.limits,
                context.settings,
                account,
                comment_id(visit),
                wanted.body,
                wanted.revision,
                context.renderer,
            )
        }
    )


async def vote(visit: Visit) -> Response:
    account = await session.require(visit)
    wanted = schemas.parse(await visit.body(), schemas.Vote)
    return answer({"comment": await visit.state["context"].votes.cast(account, comment_id(visit), wanted.value)})


async def preview(visit: Visit) -> Response:
    """The body as it will be shown, also to who reads it elsewhere: with whole links."""
    await session.require(visit)
    wanted = schemas.parse(await visit.body(), schemas.Preview)
    html = await previewed(visit, characters.clean_body(wanted.body))
    return answer({"html": markup.with_whole_links(html, visit.state["context"].settings.address)})


async def previewed(visit: Visit, body: str) -> str:
    """Return the HTML of a body. Raises Invalid (body) if it could not be posted."""
    context = visit.state["context"]
    return (await rendered(context.database, context.renderer, body))[0]


async def find(visit: Visit) -> Response:
    query = visit.query_params
    thread = schemas.key(query["thread"]) if query.get("thread") else None
    before = schemas.whole(query.get("before"), "before", least=1, most=MAX_VERSION, default=0)
    limit = schemas.whole(query.get("limit"), "limit", least=1, most=100, default=20)
    found = await found_by(visit, query.get("q", ""), thread, before, limit)
    return answer({"comments": found, "before": found[-1].comment.id if len(found) == limit else None})


async def found_by(visit: Visit, text: str, thread: str | None, before: int, limit: int) -> list[comments.Found]:
    """Return the newest comments that say `text`. Raises Invalid (q), TooMany."""
    context = visit.state["context"]
    context.limits.spend("search", address(visit), context.settings.limit_searches_address)
    return await context.database.read(lambda sql: search.find(sql, text, thread=thread, before=before, limit=limit))


async def delete(visit: Visit) -> Response:
    account = await session.require_for(visit, "delete")
    return answer({"comment": await delete_comment(visit.state["context"].database, account, comment_id(visit))})


def comment_id(visit: Visit) -> int:
    return schemas.comment_id(visit.path_params["id"])


routes = [
    Route("/api/threads/{key}", thread),
    Route("/api/threads/{key}", put_thread, methods=["PUT"]),
    Route("/api/threads/{key}/changes", changes),
    Route("/api/threads/{key}/comments", post, methods=["POST"]),
    Route("/api/comments/{id}", in_turn(one)),
    Route("/api/comments/{id}", edit, methods=["PATCH"]),
    Route("/api/comments/{id}", delete, methods=["DELETE"]),
    Route("/api/comments/{id}/vote", vote, methods=["PUT"]),
    Route("/api/preview", in_turn(preview), methods=["POST"]),
    Route("/api/search", in_turn(find)),
]
