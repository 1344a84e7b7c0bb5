"""Pages and plain forms for one comment: vote, edit, delete, moderate, history."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from channels.messages import Comment
from server import permissions
from server.actions import moderate
from server.actions.delete import delete_comment
from server.actions.edit import edit_comment
from server.actions.edit_conflict import Outdated
from server.errors import Conflict, DomainError, Forbidden, Invalid, NotFound
from server.model import Account, State, StoredComment
from server.storage.accounts import accounts
from server.storage.comments import comments
from server.text.diff import changed_parts
from server.visibility import moment, shows_history
from server.web.api.thread_api import comment_id
from server.web.pages import page_templates
from server.web.requests import error_answers, language, schemas, session
from server.web.requests.context import Visit
from server.web.requests.page_queue_owner import in_turn

EDITS_AT_ONCE = 10


async def vote(visit: Visit) -> Response:
    account, value = await session.require(visit), str((await visit.form()).get("value", ""))
    if value not in ("-1", "0", "1"):
        raise Invalid("error.vote_value", field="value")
    comment = await visit.state["context"].votes.cast(account, comment_id(visit), int(value))
    return _back_to(await _key_of(visit), comment.id)


async def menu(visit: Visit) -> Response:
    """The page of what one may do with a comment, for those without the script."""
    account, stored, comment = await _found(visit)
    is_there = permissions.is_editable(stored)
    name = stored.author_name or language.texts_for(visit)("comment.anonymous")
    return await page_templates.page(
        visit,
        "comment_menu.html",
        title=language.texts_for(visit)("menu.of", name=name),
        comment=comment,
        key=stored.thread_key,
        name=name,
        may_edit=is_there and account is not None and permissions.may_edit(account, stored),
        may_delete=is_there and account is not None and permissions.may_delete(account, stored),
        may_moderate=permissions.may_moderate(account),
    )


async def edit_form(visit: Visit) -> Response:
    account = await session.require(visit)
    _, stored, comment = await _found(visit)
    if not permissions.may_edit(account, stored) or not permissions.is_editable(stored):
        raise Forbidden("error.edit_not_author_or_gone")
    body = await visit.state["context"].database.read(lambda sql: comments.text(sql, stored))
    return await _edit_page(visit, comment, stored.thread_key, body)


async def edit(visit: Visit) -> Response:
    """Save the edited text; if that fails, show it again beside the current one: it is lost with no error."""
    form = await visit.form()
    body = str(form.get("body", ""))
    context = visit.state["context"]
    try:
        account = await session.require(visit)
        revision = schemas.whole(str(form.get("revision", "")), "revision", least=1, most=2**53, default=1)
        await edit_comment(
            context.database,
            context.limits,
            context.settings,
            account,
            comment_id(visit),
            body,
            revision,
            context.renderer,
        )
    except Outdated as outdated:
        return await _edit_page(visit, outdated.current, await _key_of(visit), body, outdated)
    except DomainError as error:
        try:
            viewer, stored, comment = await _found(visit)
        except DomainError:
            viewer = None
        if viewer is None:
            # Once logged in they are at the form again, and bring the words themselves.
            return error_answers.respond(visit, error, typed=body, back=f"/c/{comment_id(visit)}/edit")
        return await _edit_page(visit, comment, stored.thread_key, body, error)
    return _back_to(await _key_of(visit), comment_id(visit))


async def _edit_page(visit: Visit, comment: Comment, key: str, body: str, error: DomainError | None = None) -> Response:
    return await page_templates.page(
        visit,
        "edit.html",
        title=language.texts_for(visit)("edit.title"),
        status=error.status if error else 200,
        comment=comment,
        key=key,
        body=body,
        error=language.sentence(visit, error),
        is_wrong=error is not None and error.field == "body",
        present=error.body if isinstance(error, Outdated) else None,
    )


async def history(visit: Visit) -> Response:
    """The texts of an edited comment, ten a page from the newest on, each with what changed from the one before."""
    before = schemas.whole(visit.query_params.get("before"), "before", least=2, most=2**53, default=2**53)
    _, stored, comment = await _found(visit)
    if not shows_history(stored):
        raise NotFound("error.no_text")
    # And the one before them, to compare with.
    texts = await visit.state["context"].database.read(
        lambda sql: comments.revisions(sql, comment.id, before=before, limit=EDITS_AT_ONCE + 1)
    )
    if not texts:
        raise NotFound("error.no_version")
    # Many long texts take a while: beside the event loop.
    steps = await asyncio.to_thread(_steps, texts)
    further = texts[1].revision if len(texts) > EDITS_AT_ONCE else None
    return await page_templates.page(
        visit,
        "history.html",
        title=language.texts_for(visit)("history.title"),
        comment=comment,
        key=stored.thread_key,
        steps=steps[:EDITS_AT_ONCE],
        before=further,
    )


def _steps(texts: list[comments.Text]) -> list[dict[str, Any]]:
    """Return the edits, the newest first: when, and what changed. The first text is all the same."""
    return [
        {
            "created": moment(text.written),
            "parts": changed_parts(texts[place - 1].body, text.body) if place else [("same", text.body)],
        }
        for place, text in reversed(list(enumerate(texts)))
    ]


async def confirm_delete(visit: Visit) -> Response:
    account = await session.require(visit)
    _, stored, comment = await _found(visit)
    if not permissions.may_delete(account, stored):
        raise Forbidden("error.delete_not_author")
    return await page_templates.page(
        visit,
        "confirm_delete.html",
        title=language.texts_for(visit)("delete.title"),
        comment=comment,
        key=stored.thread_key,
    )


async def delete(visit: Visit) -> Response:
    account = await session.require_for(visit, "delete")
    key = await _key_of(visit)
    await delete_comment(visit.state["context"].database, account, comment_id(visit))
    return RedirectResponse(f"/t/{key}", 303)


async def moderation(visit: Visit) -> Response:
    """The page of moderation actions on a comment and its author."""
    return await _moderation(visit, await session.require(visit))


async def _moderation(visit: Visit, account: Account, error: DomainError | None = None) -> Response:
    _, stored, comment = await _found(visit)
    if not permissions.may_moderate(account):
        raise Forbidden("error.only_moderators")
    is_banned = False
    if (author := stored.author) is not None:
        is_banned = await visit.state["context"].database.read(lambda sql: accounts.is_banned(sql, author))
    return await page_templates.page(
        visit,
        "moderate.html",
        title=language.texts_for(visit)("moderate.title"),
        status=error.status if error else 200,
        error=language.sentence(visit, error),
        is_outdated=isinstance(error, Outdated),
        comment=comment,
        key=stored.thread_key,
        author=stored.author_name,
        is_banned=is_banned,
    )


async def set_state(visit: Visit) -> Response:
    account, form = await session.require_for(visit, "moderate"), await visit.form()
    state = str(form.get("state", ""))
    if state not in ("visible", "removed", "pending"):
        raise Invalid("error.state_value", field="state")
    given = str(form.get("revision", "")) or None
    revision = schemas.whole(given, "revision", least=1, most=2**53, default=0) or None
    try:
        await moderate.set_state(
            visit.state["context"].database, account, comment_id(visit), cast("State", state), revision
        )
    except Conflict as error:
        # With the text as it is now, to be decided on.
        return await _moderation(visit, account, error)
    id_ = comment_id(visit)
    if form.get("from") == "pending":
        return RedirectResponse(f"/pending?done={id_}", 303)
    # What is held is drawn nowhere else.
    return RedirectResponse(f"/c/{id_}/moderate", 303) if state == "pending" else _back_to(await _key_of(visit), id_)


async def ban(visit: Visit) -> Response:
    account, form = await session.require_for(visit, "moderate"), await visit.form()
    name, banned = str(form.get("name", "")), str(form.get("banned", "")) == "yes"
    await _key_of(visit)
    try:
        await moderate.ban_account(visit.state["context"].database, account, name, banned=banned)
    except Invalid as error:
        return await _moderation(visit, account, error)
    return RedirectResponse(f"/c/{comment_id(visit)}/moderate", 303)


async def lock(visit: Visit) -> Response:
    account, key = await session.require_for(visit, "moderate"), schemas.key(visit.path_params["key"])
    is_locked = str((await visit.form()).get("locked", "")) == "yes"
    await moderate.lock_thread(visit.state["context"].database, account, key, locked=is_locked)
    return RedirectResponse(f"/t/{key}", 303)


async def _found(visit: Visit) -> tuple[Account | None, StoredComment, Comment]:
    """Return who asks, the comment as it is kept, and as they see it. Raises NotFound."""
    account, id_ = await session.identify(visit), comment_id(visit)
    return account, *await visit.state["context"].database.read(lambda sql: comments.seen_by(sql, account, id_))


async def _key_of(visit: Visit) -> str:
    stored = await visit.state["context"].database.read(lambda sql: comments.by_id(sql, comment_id(visit)))
    if stored is None:
        raise NotFound("error.no_comment")
    return stored.thread_key


def _back_to(key: str, id_: int) -> Response:
    return RedirectResponse(f"/t/{key}/c/{id_}#c-{id_}", 303)


routes = [
    Route("/c/{id}/vote", vote, methods=["POST"]),
    Route("/c/{id}/more", menu),
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
