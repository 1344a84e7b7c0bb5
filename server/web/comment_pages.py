"""What is done to one comment by plain forms: vote, edit, delete, moderate; and how its text came about."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from channels.change import Comment
from server import permissions
from server.actions import moderate
from server.actions.delete import delete_comment
from server.actions.edit import Outdated, edit_comment
from server.differences import Effort, changed_parts
from server.errors import DomainError, Forbidden, Invalid, NotFound, TooMany
from server.model import Account, State
from server.storage import accounts, comments, rows
from server.storage.database import Sql
from server.web import pages, requests, session
from server.web.api import comment_id
from server.web.context import Visit
from server.web.whose_turn import in_turn

EDITS_AT_ONCE = 10


async def vote(visit: Visit) -> Response:
    account, value = await session.require(visit), str((await visit.form()).get("value", ""))
    if value not in ("-1", "0", "1"):
        raise Invalid("A vote is -1, 0 or 1.", field="value")
    comment = await visit.state["context"].votes.cast(account, comment_id(visit), int(value))
    return _back_to(await _key_of(visit), comment.id)


async def edit_form(visit: Visit) -> Response:
    await session.require(visit)
    _, comment, key, body = await _found(visit)
    if not body:
        raise Forbidden("Only its author may edit a comment, and only while it is there.")
    return await _edit_page(visit, comment, key, body)


async def edit(visit: Visit) -> Response:
    """Take the edited text; whatever stands in its way, the text comes back, beside the present one."""
    account, form = await session.require(visit), await visit.form()
    body = str(form.get("body", ""))
    context = visit.state["context"]
    try:
        revision = requests.whole(str(form.get("revision", "")), "revision", least=1, most=2**53, default=1)
        await edit_comment(
            context.database, context.limits, context.settings, account, comment_id(visit), body, revision
        )
    except Outdated as outdated:
        return await _edit_page(visit, outdated.current, await _key_of(visit), body, outdated)
    except (Invalid, Forbidden, TooMany) as error:
        _, comment, key, _ = await _found(visit)
        return await _edit_page(visit, comment, key, body, error)
    return _back_to(await _key_of(visit), comment_id(visit))


async def _edit_page(visit: Visit, comment: Comment, key: str, body: str, error: DomainError | None = None) -> Response:
    return await pages.page(
        visit,
        "edit.html",
        title="Edit your comment",
        status=error.status if error else 200,
        comment=comment,
        key=key,
        body=body,
        error=error.message if error else "",
        present=error.body if isinstance(error, Outdated) else None,
    )


async def history(visit: Visit) -> Response:
    """The texts of an edited comment, ten a page from the newest on, each with what changed from the one before."""
    before = requests.whole(visit.query_params.get("before"), "before", least=2, most=2**53, default=2**53)
    _, comment, key, _ = await _found(visit)
    if comment.state != "visible":
        raise NotFound("There is no text of this comment to see.")
    # And the one before them, to compare with.
    texts = await visit.state["context"].database.read(
        lambda sql: comments.revisions(sql, comment.id, before=before, limit=EDITS_AT_ONCE + 1)
    )
    if not texts:
        raise NotFound("There is no such text of this comment.")
    # Many long texts take a while: beside the event loop.
    steps = await asyncio.to_thread(_steps, texts)
    further = texts[1][0] if len(texts) > EDITS_AT_ONCE else None
    return await pages.page(
        visit,
        "history.html",
        title="Edits of a comment",
        comment=comment,
        key=key,
        steps=steps[:EDITS_AT_ONCE],
        before=further,
    )


def _steps(texts: list[tuple[int, str, str, int]]) -> list[dict[str, Any]]:
    """Return the edits, the newest first: when, and what changed. The first text is all the same."""
    effort = Effort()
    bodies = [body for _, body, *_ in texts]
    return [
        {
            "created": rows.moment(at),
            "parts": changed_parts(bodies[place - 1], body, effort) if place else [("same", body)],
        }
        for place, (_, body, _, at) in reversed(list(enumerate(texts)))
    ]


async def confirm_delete(visit: Visit) -> Response:
    account = await session.require(visit)
    _, comment, key, _ = await _found(visit)
    stored = await visit.state["context"].database.read(lambda sql: comments.by_id(sql, comment.id))
    if stored is None or not permissions.may_delete(account, stored):
        raise Forbidden("Only its author may delete a comment.")
    return await pages.page(visit, "confirm_delete.html", title="Delete this comment?", comment=comment, key=key)


async def delete(visit: Visit) -> Response:
    account = await session.require(visit)
    key = await _key_of(visit)
    await delete_comment(visit.state["context"].database, account, comment_id(visit))
    return RedirectResponse(f"/t/{key}", 303)


async def moderation(visit: Visit) -> Response:
    """What a moderator can do to a comment and its author."""
    account = await session.require(visit)
    _, comment, key, _ = await _found(visit)
    if not permissions.may_moderate(account):
        raise Forbidden("Only moderators may do this.")

    def read(sql: Sql) -> tuple[Comment, bool]:
        stored = comments.by_id(sql, comment.id)
        author = stored.author if stored else None
        return comments.as_kept(sql, comment.id), author is not None and accounts.is_banned(sql, author)

    kept, is_banned = await visit.state["context"].database.read(read)
    return await pages.page(
        visit, "moderate.html", title="Moderate a comment", comment=kept, key=key, is_banned=is_banned
    )


async def set_state(visit: Visit) -> Response:
    account, state = await session.require(visit), str((await visit.form()).get("state", ""))
    if state not in ("visible", "removed", "pending"):
        raise Invalid("A state is visible, removed or pending.", field="state")
    await moderate.set_state(visit.state["context"].database, account, comment_id(visit), cast("State", state))
    return _back_to(await _key_of(visit), comment_id(visit), is_drawn=state == "visible")


async def ban(visit: Visit) -> Response:
    account, form = await session.require(visit), await visit.form()
    name, banned = str(form.get("name", "")), str(form.get("banned", "")) == "yes"
    key = await _key_of(visit)
    await moderate.ban_account(visit.state["context"].database, account, name, banned=banned)
    return _back_to(key, comment_id(visit), is_drawn=False)


async def lock(visit: Visit) -> Response:
    account, key = await session.require(visit), requests.key(visit.path_params["key"])
    is_locked = str((await visit.form()).get("locked", "")) == "yes"
    await moderate.lock_thread(visit.state["context"].database, account, key, locked=is_locked)
    return RedirectResponse(f"/t/{key}", 303)


async def _found(visit: Visit) -> tuple[Account | None, Comment, str, str]:
    """Return who asks, the comment as they see it, its thread's key, and its text where they may edit it."""
    account, id_ = await session.identify(visit), comment_id(visit)

    def read(sql: Sql) -> tuple[Account | None, Comment, str, str]:
        stored = comments.by_id(sql, id_)
        if stored is None or not permissions.may_see(account, stored):
            raise NotFound("There is no such comment.")
        is_trusted = account is not None and (stored.author == account.id or permissions.may_moderate(account))
        is_there = stored.state in ("visible", "pending")
        may_edit = is_there and account is not None and permissions.may_edit(account, stored)
        seen = comments.seen_by(sql, id_, is_trusted=is_trusted)
        return account, seen, stored.thread_key, comments.text(sql, stored) if may_edit else ""

    return await visit.state["context"].database.read(read)


async def _key_of(visit: Visit) -> str:
    stored = await visit.state["context"].database.read(lambda sql: comments.by_id(sql, comment_id(visit)))
    if stored is None:
        raise NotFound("There is no such comment.")
    return stored.thread_key


def _back_to(key: str, id_: int, *, is_drawn: bool = True) -> Response:
    return RedirectResponse(f"/t/{key}/c/{id_}#c-{id_}" if is_drawn else f"/t/{key}", 303)


routes = [
    Route("/c/{id}/vote", vote, methods=["POST"]),
    Route("/c/{id}/edit", in_turn(edit_form)),
    Route("/c/{id}/edit", edit, methods=["POST"]),
    Route("/c/{id}/history", in_turn(history)),
    Route("/c/{id}/delete", confirm_delete),
    Route("/c/{id}/delete", delete, methods=["POST"]),
    Route("/c/{id}/moderate", moderation),
    Route("/c/{id}/state", set_state, methods=["POST"]),
    Route("/c/{id}/ban", ban, methods=["POST"]),
    Route("/t/{key}/lock", lock, methods=["POST"]),
]
