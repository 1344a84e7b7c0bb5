"""The JSON API of moderators and staff."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from server import permissions
from server.actions import moderate
from server.errors import Forbidden
from server.storage import comments
from server.storage.database import Sql
from server.web import api, requests, session
from server.web.context import Visit


async def set_state(visit: Visit) -> Response:
    account = await session.require(visit)
    wanted = requests.parse(await visit.body(), requests.SetState)
    comment = await moderate.set_state(visit.state["context"].database, account, api.comment_id(visit), wanted.state)
    return api.answer({"comment": comment})


async def lock(visit: Visit) -> Response:
    account, key = await session.require(visit), requests.key(visit.path_params["key"])
    wanted = requests.parse(await visit.body(), requests.Lock)
    info = await moderate.lock_thread(visit.state["context"].database, account, key, locked=wanted.locked)
    return api.answer({"thread": key, "info": info})


async def ban(visit: Visit) -> Response:
    account = await session.require(visit)
    wanted = requests.parse(await visit.body(), requests.Ban)
    banned = await moderate.ban_account(
        visit.state["context"].database, account, visit.path_params["name"], banned=wanted.banned
    )
    return api.answer({"account": api.public_account(banned), "banned": wanted.banned})


async def pending(visit: Visit) -> Response:
    """What waits for approval, the oldest first."""
    account = await session.require(visit)
    if not permissions.may_moderate(account):
        raise Forbidden("Only moderators may do this.")

    def read(sql: Sql) -> list[dict[str, Any]]:
        return [
            {"thread": key, "comment": comments.seen_by(sql, id_, is_trusted=True)}
            for key, id_ in comments.pending(sql)
        ]

    return api.answer({"pending": await visit.state["context"].database.read(read)}, cache="private, no-store")


routes = [
    Route("/api/comments/{id}/state", set_state, methods=["PUT"]),
    Route("/api/threads/{key}/lock", lock, methods=["PUT"]),
    Route("/api/accounts/{name}/ban", ban, methods=["PUT"]),
    Route("/api/pending", pending),
]
