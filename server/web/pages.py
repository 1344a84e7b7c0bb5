"""The pages: a thread and the home page, readable and writable without JavaScript."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
import msgspec
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from channels.change import Comment
from server import markup
from server.actions.post import Post, rendered
from server.errors import DomainError, Invalid, NotFound, NotSignedIn
from server.model import MAX_DEPTH, Account, Thread
from server.storage import accounts, comments, notices, rows, snapshot, threads, visits, votes
from server.storage.database import Sql
from server.web import api, avatars, catch_up, requests, session, tree
from server.web.context import Visit, address
from server.web.whose_turn import in_turn, own_in_turn, shared_in_turn

COMMENTS_ON_A_PAGE = 200
# Of each branch; and of one branch, by its link.
REPLIES_SHOWN = 30
REPLIES_IN_A_PART = 100
THREADS_ON_HOME = 50
TEMPLATES = Path(__file__).parent / "templates"
# Given what is new to the viewer.
Find = Callable[[Sql, frozenset[int]], snapshot.Page]


def templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["when"] = when
    return environment


def when(moment: str) -> str:
    """Return an RFC 3339 moment as people read it."""
    at = datetime.fromisoformat(moment)
    return f"{at.day} {at:%b %Y, %H:%M} UTC"


async def page(
    visit: Visit, template: str, *, title: str, status: int = 200, viewer: Account | None = None, **values: Any
) -> Response:
    """Render a page for `viewer`, or for whoever is asking; what is made for an account is kept by nobody."""
    viewer = viewer or await session.identify(visit)
    told = 0
    if (known := viewer) is not None:
        told = await visit.state["context"].database.read(lambda sql: notices.unread(sql, known.id))
    html = _render(visit, template, title, viewer, told=told, **values)
    cache = "private, no-store" if viewer else "no-cache"
    return Response(html, status, {"Cache-Control": cache, "Vary": "Cookie"}, media_type="text/html; charset=utf-8")


def _render(visit: Visit, template: str, title: str, viewer: Account | None, **values: Any) -> bytes:
    context = visit.state["context"]
    html = context.templates.get_template(template).render(
        site={
            "static": context.assets.prefix,
            "live_url": context.settings.live_url,
            "votes": context.settings.votes,
        },
        viewer={"name": viewer.name, "role": viewer.role} if viewer else None,
        title=title,
        path=_path(visit),
        **values,
    )
    return html.encode()


def _path(visit: Visit) -> str:
    return visit.url.path + (f"?{visit.url.query}" if visit.url.query else "")


def quoted(text: str) -> str:
    return quote(text, safe="")


def fresh_nonce() -> str:
    return secrets.token_urlsafe(16)


async def home(visit: Visit) -> Response:
    found, is_staffed = await visit.state["context"].database.read(
        lambda sql: (threads.last_active(sql, THREADS_ON_HOME), accounts.is_staffed(sql))
    )
    listed = [
        {
            "key": thread.key,
            "title": thread.title or thread.key,
            "url": thread.url,
            "summary": thread.summary,
            "comments": thread.comments,
            "locked": thread.locked,
            "active": rows.moment(active),
        }
        for thread, active in found
    ]
    return await page(visit, "home.html", title="livethread", threads=listed, admin_missing=not is_staffed)


async def open_thread(visit: Visit) -> Response:
    """The home page's form: go to the thread of a key."""
    key = requests.key(visit.query_params.get("key", "").strip())
    return RedirectResponse(f"/t/{key}", 303)


async def thread(visit: Visit) -> Response:
    """A page of the thread; with `branch`, what follows of one long branch; the author's answers are never cut off.

    With `only=new`, and where something is, only what is new to the account and what that answers, from the oldest on.
    """
    query, rankings = visit.query_params, visit.state["context"].rankings
    key, sort, cursor = _page_key(visit), requests.sort(query.get("sort")), query.get("cursor", "")
    branch = requests.whole(query.get("branch"), "branch", least=1, most=api.MAX_VERSION, default=0)
    only = query.get("only", "")
    replies = 0 if sort == "flat" or only == "author" else REPLIES_SHOWN
    if only == "new":
        sort = "oldest"

    def find(sql: Sql, fresh: frozenset[int]) -> snapshot.Page:
        if only == "new" and fresh:
            return snapshot.page_of(sql, key, fresh, cursor, COMMENTS_ON_A_PAGE)
        if branch:
            return snapshot.page_of_branch(sql, key, branch, cursor, REPLIES_IN_A_PART, sort, rankings)
        return snapshot.page(sql, key, cursor, COMMENTS_ON_A_PAGE, sort, rankings, replies)

    try:
        return await _thread_page(visit, find, sort=sort, replies=replies)
    except Invalid as error:
        if error.code != "ranking_forgotten":
            raise
        return RedirectResponse(f"/t/{key}?sort={sort}&anew=yes", 303)


async def permalink(visit: Visit) -> Response:
    """The page around one comment: the first where it stands there, else one that begins with its branch."""
    key = _page_key(visit)
    id_ = requests.whole(visit.path_params["id"], "id", least=1, most=api.MAX_VERSION, default=0)
    return await _thread_page(
        visit, lambda sql, _: snapshot.page_holding(sql, key, id_, COMMENTS_ON_A_PAGE, REPLIES_SHOWN)
    )


async def _thread_page(visit: Visit, find: Find, *, sort: str = "oldest", replies: int = REPLIES_SHOWN) -> Response:
    """A page for an account is made for it alone; the one that all others see, once until the thread changes."""
    key = _page_key(visit)
    viewer = await session.identify(visit)
    if viewer is not None:
        html, _ = await own_in_turn(visit, lambda: _render_thread(visit, key, viewer, find, sort, replies))
        own = {"Cache-Control": "private, no-store", "Vary": "Cookie"}
        return Response(html, 200, own, "text/html; charset=utf-8")
    html, tag = await shared_in_turn(
        visit,
        key,
        ("page", _path(visit)),
        lambda: _render_thread(visit, key, None, find, sort, replies),
        lambda page: len(page[0]),
    )
    headers = {"Cache-Control": "no-cache", "Vary": "Cookie", "ETag": tag}
    if tag in visit.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(html, 200, headers, "text/html; charset=utf-8")


async def _render_thread(
    visit: Visit, key: str, viewer: Account | None, find: Find, sort: str, replies: int
) -> tuple[bytes, str]:
    """Return the page and a weak validator of it. Its nonce is no secret: one is taken per account."""
    reply = visit.query_params.get("reply")
    context = visit.state["context"]
    known, now = viewer, catch_up.now()

    def read(sql: Sql) -> tuple[snapshot.Page, tree.Own, visits.Since | None, dict[str, Any] | None, int]:
        if known is None:
            return find(sql, frozenset()), tree.Own(), None, None, 0
        thread = threads.by_key(sql, key)
        since = visits.since(sql, known.id, thread, now)
        fresh = since.fresh if since else frozenset()
        own = tree.Own(votes.cast_by(sql, known.id, key), votes.owed_to(sql, known.id, key), fresh)
        is_unread = since is not None or visits.last(sql, known.id, key) is None
        mark = catch_up.read_up_to(sql, thread, now) if is_unread and thread.comments else None
        return find(sql, fresh), own, since, mark, notices.unread(sql, known.id)

    found, own, since, mark, told = await context.database.read(read)
    nodes = tree.nodes(found.context, found.comments, viewer, own, is_flat=sort == "flat")
    only = visit.query_params.get("only")
    only_new = only == "new" and since is not None and bool(since.fresh)
    nonce = fresh_nonce()
    parent = requests.whole(reply, "reply", least=1, most=api.MAX_VERSION, default=0)
    answered = tree.find(nodes, parent) if parent else None
    html = _render(
        visit,
        "thread.html",
        found.thread.title or f"Thread {key}",
        viewer,
        thread=describe(found.thread, found.epoch),
        nodes=nodes,
        start=tree.start_path(found),
        next_cursor=found.next,
        cuts=found.cuts,
        cuts_json=msgspec.json.encode(found.cuts).decode(),
        replies=replies,
        remaining=None if found.start or only_new else found.remaining,
        is_first_page=not found.start,
        composer=composer(answered.comment, "", nonce) if answered and answered.is_open else None,
        nonce=nonce,
        placeholder=tree.placeholder(),
        sort=sort,
        is_held="held" in visit.query_params,
        is_anew="anew" in visit.query_params,
        only_author=only == "author",
        only_new=only_new,
        since=catch_up.told(since),
        mark=mark,
        told=told,
        max_depth=MAX_DEPTH,
    )
    return html, f'W/"{found.epoch}-{found.thread.version}-{context.assets.version}"'


async def post(visit: Visit) -> Response:
    """A comment by a plain form. Whatever stands in its way, the text comes back with the answer."""
    key = _page_key(visit)
    form = await visit.form()
    body, nonce = str(form.get("body", "")), str(form.get("nonce", ""))
    parent_text = str(form.get("parent", ""))
    account = await session.identify(visit)
    if account is None:
        draft = {"thread": key, "parent": parent_text, "body": body, "nonce": nonce}
        return await page(
            visit, "account.html", title="Log in or register", status=401,
            next=f"/t/{key}", draft=draft, error=None, name="", mode="login",
        )  # fmt: skip
    try:
        if form.get("preview"):
            return await compose(visit, key, parent_text, body, None, is_preview=True)
        parent = requests.whole(parent_text, "parent", least=1, most=api.MAX_VERSION, default=0) or None
        if not re.fullmatch(r"[A-Za-z0-9_-]{16,64}", nonce):
            raise Invalid("The form was incomplete. Your text is below: post it again.", field="nonce")
        comment, _ = await api.publish(visit, account, Post(key, body, nonce, parent, address(visit)))
    except NotSignedIn:
        raise
    except DomainError as error:
        return await compose(visit, key, parent_text, body, error)
    if comment.state == "pending":
        return RedirectResponse(f"/t/{key}?held=yes", 303)
    return RedirectResponse(f"/t/{key}/c/{comment.id}#c-{comment.id}", 303)


async def compose(
    visit: Visit,
    key: str,
    parent_text: str,
    body: str,
    error: DomainError | None,
    *,
    viewer: Account | None = None,
    is_preview: bool = False,
) -> Response:
    """The form alone, with the text that could not be posted yet and a fresh nonce."""
    id_ = int(parent_text) if parent_text.isascii() and parent_text.isdigit() and len(parent_text) < 17 else 0
    thread, epoch, answered = await visit.state["context"].database.read(
        lambda sql: (
            threads.by_key(sql, key),
            rows.epoch(sql),
            rows.public(sql, id_) if comments.by_id(sql, id_) is not None else None,
        )
    )
    response = await page(
        visit,
        "compose.html",
        title="Your comment",
        status=error.status if error else 200,
        viewer=viewer,
        thread=describe(thread, epoch),
        parent=answered,
        preview=(await rendered(visit.state["context"].database, markup.clean_text(body)))[0] if is_preview else "",
        composer=composer(answered, body, fresh_nonce(), error.message if error else ""),
    )
    if error and error.retry_after:
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def describe(thread: Thread, epoch: str) -> dict[str, Any]:
    return {
        "key": thread.key,
        "epoch": epoch,
        "version": thread.version,
        "title": thread.title or thread.key,
        "url": thread.url,
        "summary": thread.summary,
        "author": thread.author_name,
        "locked": thread.locked,
        "comments": thread.comments,
    }


def composer(parent: Comment | None, body: str, nonce: str, error: str = "") -> dict[str, Any]:
    name = tree.name_of(parent) if parent else None
    return {"parent": parent.id if parent else None, "parent_name": name, "body": body, "nonce": nonce, "error": error}


def _page_key(visit: Visit) -> str:
    try:
        return requests.key(visit.path_params["key"])
    except Invalid as error:
        raise NotFound(f"This address is no thread. {error.message}") from None


routes = [
    Route("/", in_turn(home)),
    Route("/t", open_thread),
    Route("/t/{key}", thread),
    Route("/t/{key}/c/{id}", permalink),
    Route("/t/{key}/comments", post, methods=["POST"]),
    Route("/avatar/{name}", avatars.avatar),
]
