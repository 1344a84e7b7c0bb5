"""The JSON API of moderators and staff."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import Route

from server import permissions
from server.actions import moderate, pictures
from server.errors import Forbidden
from server.storage.comments import comments
from server.web.api import thread_api
from server.web.requests import schemas, session
from server.web.requests.context import Visit

PENDING_AT_ONCE = 200


async def set_state(visit: Visit) -> Response:
    account = await session.require_for(visit, "moderate")
    wanted = schemas.parse(await visit.body(), schemas.SetState)
    comment = await moderate.set_state(
        visit.state["context"].database, account, thread_api.comment_id(visit), wanted.state, wanted.revision
    )
    return thread_api.answer({"comment": comment})


async def lock(visit: Visit) -> Response:
    account, key = await session.require_for(visit, "moderate"), schemas.key(visit.path_params["key"])
    wanted = schemas.parse(await visit.body(), schemas.Lock)
    info = await moderate.lock_thread(visit.state["context"].database, account, key, locked=wanted.locked)
    return thread_api.answer({"thread": key, "info": info})


async def ban(visit: Visit) -> Response:
    account = await session.require_for(visit, "moderate")
    wanted = schemas.parse(await visit.body(), schemas.Ban)
    banned = await moderate.ban_account(
        visit.state["context"].database, account, visit.path_params["name"], banned=wanted.banned
    )
    return thread_api.answer({"account": thread_api.public_account(banned), "banned": wanted.banned})


async def remove_picture(visit: Visit) -> Response:
    account = await session.require_for(visit, "moderate")
    database = visit.state["context"].database
    found = await pictures.remove_picture_of(database, account, visit.path_params["name"])
    return thread_api.answer({"account": thread_api.public_account(found)})


async def pending(visit: Visit) -> Response:
    """What waits for approval, the oldest first."""
    account = await session.require(visit)
    if not permissions.may_moderate(account):
        raise Forbidden("error.only_moderators")

    found = await visit.state["context"].database.read(lambda sql: comments.pending(sql, account, PENDING_AT_ONCE))
    listed = [{"thread": one.thread, "comment": one.comment} for one in found]
    return thread_api.answer({"pending": listed}, cache="private, no-store")


routes = [
    Route("/api/comments/{id}/state", set_state, methods=["PUT"]),
    Route("/api/threads/{key}/lock", lock, methods=["PUT"]),
    Route("/api/accounts/{name:path}/ban", ban, methods=["PUT"]),
    Route("/api/accounts/{name:path}/picture", remove_picture, methods=["DELETE"]),
    Route("/api/pending", pending),
]
