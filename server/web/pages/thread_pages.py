"""The pages of a thread and the home page, readable and writable without JavaScript."""

from __future__ import annotations

import re
from urllib.parse import urlencode

import msgspec
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from server import thread_keys
from server.actions.post import Post
from server.errors import DomainError, Invalid, NotFound, NotSignedIn
from server.model import Account, Head
from server.storage.accounts import accounts
from server.storage.comments import comments
from server.storage.engine.database import Sql
from server.storage.threads import paging, threads
from server.text import characters
from server.visibility import info, moment, view
from server.web.api import thread_api
from server.web.pages import avatars, nesting, print_pages
from server.web.pages.page_templates import composer, describe, fresh_nonce, page
from server.web.pages.personal_thread_page import REPLIES_SHOWN, thread_page
from server.web.requests import language, schemas, session
from server.web.requests.context import Visit, address
from server.web.requests.page_queue_owner import in_turn

COMMENTS_ON_A_PAGE = 200
# Of one branch, by its link.
REPLIES_IN_A_PART = 100
THREADS_ON_HOME = 50


async def home(visit: Visit) -> Response:
    found, is_staffed = await visit.state["context"].database.read(
        lambda sql: (threads.last_active(sql, THREADS_ON_HOME), accounts.is_staffed(sql))
    )
    listed = [
        msgspec.structs.asdict(info(thread))
        | {"key": thread.key, "title": thread.title or thread.key, "active": moment(active)}
        for thread, active in found
    ]
    return await page(visit, "home.html", title="livethread", threads=listed, admin_missing=not is_staffed)


async def thread(visit: Visit) -> Response:
    """A page of the thread; with `branch`, what follows of one long branch; the author's answers are never cut off.

    With `only=fragment` the thread alone, for the pages of other sites; `part` then says what `only` says otherwise.
    With `only=new`, and where something is, only what is new to the account and what that answers, from the oldest on.
    With `print` all of it.
    """
    if "print" in visit.query_params:
        return await print_pages.printed(visit, _page_key(visit))
    query, rankings = visit.query_params, visit.state["context"].rankings
    key, sort, cursor = _page_key(visit), schemas.sort(query.get("sort")), query.get("cursor", "")
    branch = schemas.whole(query.get("branch"), "branch", least=1, most=thread_api.MAX_VERSION, default=0)
    only = query.get("part" if query.get("only") == "fragment" else "only", "")
    replies = 0 if sort == "flat" or only == "author" else REPLIES_SHOWN
    if only == "new":
        sort = "oldest"

    def find(sql: Sql, fresh: frozenset[int]) -> paging.Page[Head]:
        if fresh:
            return paging.page_of(sql, key, fresh, cursor, COMMENTS_ON_A_PAGE, paging.heads)
        if branch:
            return paging.page_of_branch(sql, key, branch, cursor, REPLIES_IN_A_PART, sort, rankings, paging.heads)
        return paging.page(sql, key, cursor, COMMENTS_ON_A_PAGE, sort, rankings, replies, paging.heads)

    try:
        return await thread_page(visit, key, find, is_new_only=only == "new", sort=sort, replies=replies)
    except Invalid as error:
        if error.code != "ranking_forgotten":
            raise
        return RedirectResponse(f"/t/{key}?sort={sort}&anew=yes", 303)


async def permalink(visit: Visit) -> Response:
    """The page around one comment: the first where it stands there, else one that begins with its branch."""
    key = _page_key(visit)
    id_ = thread_api.comment_id(visit)
    viewer = await session.identify(visit)
    if viewer is not None and visit.query_params.get("only") != "fragment":
        known = viewer
        read = visit.state["context"].database.read
        if await read(lambda sql: comments.unseen(sql, known, thread=key, id_=id_)):
            return RedirectResponse(f"/t/{key}#unseen-{id_}", 303)
    try:
        return await thread_page(
            visit,
            key,
            lambda sql, _: paging.page_holding(sql, key, id_, COMMENTS_ON_A_PAGE, REPLIES_SHOWN, paging.heads),
        )
    except NotFound:
        gone, above = await visit.state["context"].database.read(
            lambda sql: (
                (found := comments.by_id(sql, id_)),
                comments.nearest_drawn(sql, found.parent if found is not None else None),
            )
        )
        # What was never public is as if it were not there.
        is_fragment = visit.query_params.get("only") == "fragment"
        merged = visit.state["context"].sites.merged
        if gone is not None and not is_fragment and merged.get(gone.thread_key) == key:
            # It is still on its way here.
            return RedirectResponse(f"/t/{key}", 303)
        if gone is None or gone.thread_key != key or gone.state not in ("deleted", "removed") or not gone.arrived:
            raise
        # Its thread says so: at what it answered, or as far above as something is left.
        place = f"/c/{above}" if above else ""
        kept = {name: visit.query_params.get(name, "") for name in ("only", "lang")} if is_fragment else {}
        return RedirectResponse(f"/t/{key}{place}?{urlencode({'gone': gone.state, **kept})}", 303)


async def post(visit: Visit) -> Response:
    """Post a comment from a plain form. If that fails, the text comes back with the error."""
    key = _page_key(visit)
    form = await visit.form()
    body, nonce = str(form.get("body", "")), str(form.get("nonce", ""))
    parent_text = str(form.get("parent", ""))
    account = await session.identify(visit)
    if account is None:
        draft = {"thread": key, "parent": parent_text, "body": body, "nonce": nonce}
        return await page(
            visit, "account.html", title=language.texts_for(visit)("action.log_in_or_register"), status=401,
            next=f"/t/{key}", draft=draft, error=None, name="", mode="login",
            providers=visit.state["context"].settings.oidc, again="",
        )  # fmt: skip
    try:
        if form.get("preview"):
            return await compose(visit, key, parent_text, body, None, is_preview=True)
        parent = schemas.whole(parent_text, "parent", least=1, most=thread_api.MAX_VERSION, default=0) or None
        if not re.fullmatch(r"[A-Za-z0-9_-]{16,64}", nonce):
            raise Invalid("error.incomplete_form", field="nonce")
        comment, _ = await thread_api.publish(
            visit, account, Post(key, body, nonce, parent, address(visit), is_plain=True)
        )
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
            threads.epoch(sql),
            view(None, found) if (found := comments.by_id(sql, id_)) is not None else None,
        )
    )
    response = await page(
        visit,
        "compose.html",
        title=language.texts_for(visit)("compose.title"),
        status=error.status if error else 200,
        viewer=viewer,
        thread=describe(thread, epoch),
        parent=answered,
        preview=await thread_api.previewed(visit, characters.clean(body)) if is_preview else "",
        composer=composer(
            answered.id if answered else None,
            nesting.name_of(answered) if answered else None,
            body,
            fresh_nonce(),
            language.sentence(visit, error),
            is_wrong=error is not None and error.field == "body",
        ),
    )
    if error and error.retry_after:
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def _page_key(visit: Visit) -> str:
    try:
        return schemas.key(visit.path_params["key"])
    except Invalid:
        raise NotFound("error.no_thread_address", most=thread_keys.MAX_CHARACTERS) from None


routes = [
    Route("/", in_turn(home)),
    Route("/t/{key}", thread),
    Route("/t/{key}/c/{id}", permalink),
    Route("/t/{key}/comments", post, methods=["POST"]),
    Route("/avatar/{name}", avatars.avatar),
    Route("/picture/{name}", avatars.picture),
]
