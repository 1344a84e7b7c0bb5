"""The JSON API of one's own account: sessions, name, appearance, password, picture, feed, export, and its end."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.responses import Response
from starlette.routing import Route

from server.actions import account as own
from server.actions import close_account, pictures, sessions
from server.actions.sessions import token_hash
from server.errors import NotSignedIn
from server.model import Account, Appearance
from server.storage.accounts.sessions import of as sessions_of
from server.text import links
from server.visibility import moment
from server.web.api import thread_api
from server.web.requests import schemas, session, uploads
from server.web.requests.context import Visit
from server.web.requests.page_queue_owner import in_turn

PRIVATE = "private, no-store"
SESSIONS_SHOWN = 100


async def listed(visit: Visit, account: Account) -> list[dict[str, Any]]:
    """Return the account's sessions as the API says them, the present one first, then the last used."""
    context = visit.state["context"]
    lifetime, now = sessions.lifetime(context.settings), time.time_ns() // 1_000_000
    current = token_hash(session.token(visit) or "")
    found = await context.database.read(
        lambda sql: sessions_of(sql, account.id, current, lifetime, now, SESSIONS_SHOWN)
    )
    return [
        {
            "id": one.id,
            "browser": one.browser,
            "site": one.site,
            "created": moment(one.created),
            "seen": moment(one.seen),
            "current": one.is_current,
        }
        for one in found
    ]


async def show_sessions(visit: Visit) -> Response:
    return thread_api.answer({"sessions": await listed(visit, await session.require(visit))}, cache=PRIVATE)


async def end_session(visit: Visit) -> Response:
    account = await session.require(visit)
    id_ = schemas.whole(visit.path_params["id"], "id", least=1, most=thread_api.MAX_VERSION, default=0)
    await sessions.end_own_session(visit.state["context"].database, account, id_)
    return await _left(visit, account)


async def end_others(visit: Visit) -> Response:
    account = await session.require(visit)
    await sessions.end_other_sessions(visit.state["context"].database, account, session.token(visit) or "")
    return await _left(visit, account)


async def _left(visit: Visit, account: Account) -> Response:
    return thread_api.answer({"sessions": await listed(visit, account)}, cache=PRIVATE)


async def change_name(visit: Visit) -> Response:
    account = await session.require(visit)
    wanted = schemas.parse(await visit.body(), schemas.ChangeName)
    context = visit.state["context"]
    name = await own.change_name(context.database, context.limits, context.settings, account, wanted.name)
    return thread_api.answer({"account": thread_api.public_account(Account(account.id, name, account.role))})


async def change_appearance(visit: Visit) -> Response:
    account = await session.require(visit)
    wanted = schemas.parse(await visit.body(), schemas.ChangeAppearance)
    chosen = {name: value for name, value in msgspec.structs.asdict(wanted).items() if value is not msgspec.UNSET}
    return thread_api.answer({"appearance": await set_appearance(visit, account, chosen)})


async def set_appearance(visit: Visit, account: Account, chosen: Mapping[str, object]) -> Appearance:
    """Raises NotSignedIn, TooMany."""
    context = visit.state["context"]
    appearance = await own.change_appearance(context.database, context.limits, context.settings, account, chosen)
    # Nobody is logged out, but what is known of the account's sessions is of before.
    context.sessions.ended(account.id)
    return appearance


async def change_password(visit: Visit) -> Response:
    account = await session.require(visit)
    wanted = schemas.parse(await visit.body(), schemas.ChangePassword)
    await set_password(visit, account, wanted.password, wanted.new_password)
    return await _left(visit, account)


async def set_password(visit: Visit, account: Account, password: str, fresh: str) -> None:
    """Raises NotSignedIn, Invalid, TooMany."""
    context, token = visit.state["context"], session.token(visit)
    if token is None:
        raise NotSignedIn("error.log_in")
    await own.change_password(context.database, context.settings, account, token, password, fresh)


async def set_picture(visit: Visit) -> Response:
    account = await session.require(visit)
    admit_picture(visit, account)
    context = visit.state["context"]
    picture = await pictures.set_picture(context.database, context.pictures, account, await uploads.body(visit))
    return thread_api.answer({"account": thread_api.public_account(account, picture)})


def admit_picture(visit: Visit, account: Account) -> None:
    """Raises before a picture is read: TooLarge, Forbidden (pictures_off), Unavailable, TooMany."""
    context = visit.state["context"]
    uploads.check_length(visit)
    pictures.admit(context.pictures, context.limits, context.settings, account)


async def remove_picture(visit: Visit) -> Response:
    account = await session.require(visit)
    await pictures.remove_picture(visit.state["context"].database, account)
    return thread_api.answer({"account": thread_api.public_account(account)})


async def renew_feed(visit: Visit) -> Response:
    context = visit.state["context"]
    account = await session.require(visit)
    secret = await own.renew_feed(context.database, context.limits, context.settings, account)
    return thread_api.answer({"feed": f"{context.settings.address}/feed/mine/{secret}"}, 201)


async def export(visit: Visit) -> Response:
    account = await session.require(visit)
    context = visit.state["context"]
    here = context.settings.address
    found = await close_account.everything_of(context.database, account)
    # It is read elsewhere: links name this server.
    for text in (*found["comments"], *found["earlier_texts"]):
        text["body"] = links.whole(text["body"], here)
    for comment in found["comments"]:
        comment["url"] = f"{here}/t/{comment['thread']}/c/{comment['id']}"
    response = thread_api.answer(found, cache=PRIVATE)
    response.headers["Content-Disposition"] = 'attachment; filename="livethread.json"'
    return response


async def close(visit: Visit) -> Response:
    account = await session.require(visit)
    wanted = schemas.parse(await visit.body(), schemas.CloseAccount)
    context = visit.state["context"]
    token = session.token(visit) or ""
    await close_account.close_account(
        context.database, context.settings, account, wanted.password, wanted.comments, token
    )
    return thread_api.answer({"account": None})


routes = [
    Route("/api/me/sessions", show_sessions),
    Route("/api/me/sessions", end_others, methods=["DELETE"]),
    Route("/api/me/sessions/{id}", end_session, methods=["DELETE"]),
    Route("/api/me/name", change_name, methods=["PUT"]),
    Route("/api/me/appearance", change_appearance, methods=["PATCH"]),
    Route("/api/me/password", change_password, methods=["PUT"]),
    Route("/api/me/picture", set_picture, methods=["PUT"], max_body_size=uploads.BOUNDED_HERE),
    Route("/api/me/picture", remove_picture, methods=["DELETE"]),
    Route("/api/me/feed", renew_feed, methods=["POST"]),
    Route("/api/me/export", in_turn(export)),
    Route("/api/me", close, methods=["DELETE"]),
]
