"""The JSON API: threads, comments, accounts, sessions, tickets."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.responses import Response
from starlette.routing import Route

from channels.change import Comment, Reset
from channels.source import SourceUnavailable
from server import markup, permissions
from server.actions import sign_in
from server.actions.delete import delete_comment
from server.actions.describe import describe_thread
from server.actions.edit import edit_comment
from server.actions.post import Post, post_comment, rendered
from server.errors import Forbidden, Invalid, NotFound, Unavailable
from server.model import Account
from server.permissions import may_describe
from server.storage import comments, rows, search, snapshot, threads
from server.storage.database import Sql
from server.web import requests, session
from server.web.context import Visit, address
from server.web.whose_turn import in_turn, own_in_turn, shared_in_turn

MAX_VERSION = 2**53


def answer(content: Any, status: int = 200, *, cache: str = "no-store") -> Response:
    return Response(
        msgspec.json.encode(content),
        status_code=status,
        media_type="application/json",
        headers={"Cache-Control": cache},
    )


def public_account(account: Account) -> dict[str, str]:
    return {"name": account.name, "avatar": rows.avatar(account.name), "role": account.role}


async def thread(visit: Visit) -> Response:
    key = requests.key(visit.path_params["key"])
    query = visit.query_params
    sort = requests.sort(query.get("sort"))
    limit = requests.whole(query.get("limit"), "limit", least=1, most=200, default=100)
    replies = requests.whole(query.get("replies"), "replies", least=1, most=200, default=0)
    branch = requests.whole(query.get("branch"), "branch", least=1, most=MAX_VERSION, default=0)
    if replies and branch:
        raise Invalid("Of one branch, limit says how many comments are wanted.", field="replies")
    if replies and sort == "flat":
        raise Invalid("The flat order has no branches to cut.", field="replies")
    context = visit.state["context"]
    cursor = query.get("cursor", "")

    def read(sql: Sql) -> snapshot.Page:
        if branch:
            return snapshot.page_of_branch(sql, key, branch, cursor, limit, sort)
        return snapshot.page(sql, key, cursor, limit, sort, context.rankings, replies)

    async def made() -> bytes:
        return _as_json(sort, branch, replies, await context.database.read(read))

    if sort == "top":
        # Kept, it would outlive the ranking that its cursor names.
        content = await own_in_turn(visit, made)
    else:
        content = await shared_in_turn(visit, key, ("json", sort, limit, replies, branch, cursor), made, len)
    return answer(msgspec.Raw(content))


def _as_json(sort: str, branch: int, replies: int, page: snapshot.Page) -> bytes:
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
    key = requests.key(visit.path_params["key"])
    after = requests.whole(visit.query_params.get("after"), "after", least=0, most=MAX_VERSION, default=-1)
    try:
        diff = await visit.state["context"].source.changes(
            key, None if after < 0 else after, visit.query_params.get("epoch")
        )
    except SourceUnavailable as error:
        raise Unavailable(str(error), retry_after=1) from error
    return Response(
        msgspec.json.encode(diff) if isinstance(diff, Reset) else diff.frame,
        media_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


async def put_thread(visit: Visit) -> Response:
    account = await session.require(visit)
    if not may_describe(account):
        raise Forbidden("Only staff may describe a thread.")
    key = requests.key(visit.path_params["key"])
    wanted = requests.parse(await visit.body(), requests.DescribeThread)
    info = await describe_thread(
        visit.state["context"].database,
        account,
        key,
        title=wanted.title,
        url=_link(wanted.url),
        summary=wanted.summary,
        author=wanted.author,
        locked=wanted.locked,
    )
    return answer({"thread": key, "info": info})


async def post(visit: Visit) -> Response:
    key = requests.key(visit.path_params["key"])
    account = await session.require(visit)
    wanted = requests.parse(await visit.body(), requests.PostComment)
    comment, is_new = await publish(visit, account, Post(key, wanted.body, wanted.nonce, wanted.parent, address(visit)))
    return answer({"comment": comment}, 201 if is_new else 200)


async def publish(visit: Visit, account: Account, wanted: Post) -> tuple[Comment, bool]:
    context = visit.state["context"]
    return await post_comment(context.database, context.limits, context.settings, account, wanted)


async def one(visit: Visit) -> Response:
    """A comment; with its `body` for who may edit it, and `earlier`: the texts that it had."""
    account, id_ = await session.identify(visit), comment_id(visit)
    found = await visit.state["context"].database.read(lambda sql: _one(sql, account, id_))
    return answer(found, cache="private, no-store")


def _one(sql: Sql, account: Account | None, id_: int) -> dict[str, Any]:
    stored = comments.by_id(sql, id_)
    if stored is None or not permissions.may_see(account, stored):
        raise NotFound("There is no such comment.")
    is_trusted = account is not None and (stored.author == account.id or permissions.may_moderate(account))
    found: dict[str, Any] = {"thread": stored.thread_key, "comment": comments.seen_by(sql, id_, is_trusted=is_trusted)}
    if account is not None and permissions.may_edit(account, stored) and stored.state in ("visible", "pending"):
        found["body"] = comments.text(sql, stored)
    if stored.state == "visible":
        texts = comments.revisions(sql, id_, with_bodies=False)[:-1]
        found["earlier"] = [{"revision": text[0], "html": text[2], "created": rows.moment(text[3])} for text in texts]
    return found


async def edit(visit: Visit) -> Response:
    account = await session.require(visit)
    wanted = requests.parse(await visit.body(), requests.EditComment)
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
            )
        }
    )


async def vote(visit: Visit) -> Response:
    account = await session.require(visit)
    wanted = requests.parse(await visit.body(), requests.Vote)
    return answer({"comment": await visit.state["context"].votes.cast(account, comment_id(visit), wanted.value)})


async def preview(visit: Visit) -> Response:
    """The body exactly as it will be shown."""
    await session.require(visit)
    wanted = requests.parse(await visit.body(), requests.Preview)
    html, _ = await rendered(visit.state["context"].database, markup.clean_body(wanted.body))
    return answer({"html": html})


async def find(visit: Visit) -> Response:
    query = visit.query_params
    thread = requests.key(query["thread"]) if query.get("thread") else None
    before = requests.whole(query.get("before"), "before", least=1, most=MAX_VERSION, default=MAX_VERSION)
    limit = requests.whole(query.get("limit"), "limit", least=1, most=100, default=20)
    found = await found_by(visit, query.get("q", ""), thread, before, limit)
    return answer({"comments": found, "before": found[-1].comment.id if len(found) == limit else None})


async def found_by(visit: Visit, text: str, thread: str | None, before: int, limit: int) -> list[search.Found]:
    """Return the newest comments that say `text`. Raises Invalid (q), TooMany."""
    context = visit.state["context"]
    context.limits.spend("search", address(visit), context.settings.limit_searches_address)
    return await context.database.read(lambda sql: search.find(sql, text, thread=thread, before=before, limit=limit))


async def delete(visit: Visit) -> Response:
    account = await session.require(visit)
    return answer({"comment": await delete_comment(visit.state["context"].database, account, comment_id(visit))})


def comment_id(visit: Visit) -> int:
    return requests.whole(visit.path_params["id"], "id", least=1, most=MAX_VERSION, default=0)


async def register(visit: Visit) -> Response:
    context = visit.state["context"]
    wanted = requests.parse(await visit.body(), requests.Credentials)
    account = await sign_in.register(
        context.database, context.limits, context.settings, wanted.name, wanted.password, address(visit)
    )
    return await _signed_in(visit, account, wanted, 201)


async def log_in(visit: Visit) -> Response:
    context = visit.state["context"]
    wanted = requests.parse(await visit.body(), requests.Credentials)
    account = await sign_in.log_in(
        context.database, context.limits, context.settings, wanted.name, wanted.password, address(visit)
    )
    return await _signed_in(visit, account, wanted, 200)


async def _signed_in(visit: Visit, account: Account, wanted: requests.Credentials, status: int) -> Response:
    response = answer({"account": public_account(account)}, status)
    token = await session.begin(visit, account, response)
    if wanted.token:
        with_token = answer({"account": public_account(account), "token": token}, status)
        with_token.raw_headers.extend((name, value) for name, value in response.raw_headers if name == b"set-cookie")
        return with_token
    return response


async def who(visit: Visit) -> Response:
    account = await session.identify(visit)
    return answer({"account": public_account(account) if account else None})


async def log_out(visit: Visit) -> Response:
    response = answer({"account": None})
    await session.end(visit, response)
    return response


async def ticket(visit: Visit) -> Response:
    account = await session.require(visit)
    context = visit.state["context"]
    version, _ = await context.database.read(threads.clock)
    signed, expires = session.ticket(context.settings, account, version)
    return answer({"ticket": signed, "expires": rows.moment(expires * 1000)})


def _link(url: str | None) -> str | None:
    if url and not (url.startswith(("https://", "http://", "/")) and url[:2] != "//"):
        raise Invalid("url is an http(s) address, or a path on this site.", field="url")
    return url


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
    Route("/api/accounts", register, methods=["POST"]),
    Route("/api/session", who),
    Route("/api/session", log_in, methods=["POST"]),
    Route("/api/session", log_out, methods=["DELETE"]),
    Route("/api/ticket", ticket, methods=["POST"]),
]
