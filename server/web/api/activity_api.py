"""The JSON API of an account's activity: votes, notices, visits, names to mention, its profile."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from server import account_names
from server.actions import account as own
from server.errors import NotFound
from server.model import Account
from server.storage import search
from server.storage.accounts import accounts, notifications, pictures, visits
from server.storage.comments import comments, votes
from server.storage.engine.database import Sql
from server.storage.threads import threads
from server.visibility import moment
from server.web.api import thread_api
from server.web.requests import schemas, session
from server.web.requests.context import Visit
from server.web.requests.page_queue_owner import in_turn

PRIVATE = "private, no-store"
NOTICES_AT_ONCE = 100


async def mine(visit: Visit) -> Response:
    """What of a thread concerns the account alone: its votes, its pending comments, and its last visit."""
    account, key = await session.require(visit), schemas.key(visit.path_params["key"])

    def read(sql: Sql) -> dict[str, Any]:
        cast, _ = votes.of_account(sql, account.id, threads.by_key(sql, key))
        unseen = [one.comment for one in comments.unseen(sql, account, thread=key)]
        return {
            "thread": key,
            "votes": {str(comment): value for comment, value in cast.items()},
            "pending": [comment for comment in reversed(unseen) if comment.state == "pending"],
            "rejected": [comment for comment in reversed(unseen) if comment.state == "removed"],
            "visit": _visit(visits.last(sql, account.id, key)),
        }

    return thread_api.answer(await visit.state["context"].database.read(read), cache=PRIVATE)


def _visit(last: visits.LastVisit | None) -> dict[str, Any] | None:
    return {"comment": last.comment, "version": last.version, "at": moment(last.at)} if last else None


async def visited(visit: Visit) -> Response:
    """Keep up to where the account has read."""
    account, key = await session.require(visit), schemas.key(visit.path_params["key"])
    wanted = schemas.parse(await visit.body(), schemas.Visited)
    context = visit.state["context"]
    await own.remember_visit(
        context.database, context.limits, context.settings, account, key, wanted.comment, wanted.version
    )
    return thread_api.answer(
        {"visit": _visit(await context.database.read(lambda sql: visits.last(sql, account.id, key)))}
    )


async def changes(visit: Visit) -> Response:
    """Replies and mentions after the version `after`, the newest first; `unread` counts all that were not read."""
    account = await session.require(visit)
    after = schemas.whole(visit.query_params.get("after"), "after", least=0, most=thread_api.MAX_VERSION, default=0)

    def read(sql: Sql) -> dict[str, Any]:
        return {
            "version": threads.clock(sql)[0],
            "unread": notifications.unread(sql, account.id),
            "notices": notifications.after(sql, account, after, NOTICES_AT_ONCE),
        }

    return thread_api.answer(await visit.state["context"].database.read(read), cache=PRIVATE)


async def heard(visit: Visit) -> Response:
    account = await session.require(visit)
    wanted = schemas.parse(await visit.body(), schemas.Heard)
    context = visit.state["context"]
    await own.read_notices(context.database, context.limits, context.settings, account, wanted.version)
    return thread_api.answer({"unread": await context.database.read(lambda sql: notifications.unread(sql, account.id))})


async def profile(visit: Visit) -> Response:
    """An account as everybody sees it, with its visible comments, the newest first."""
    before = schemas.whole(visit.query_params.get("before"), "before", least=1, most=thread_api.MAX_VERSION, default=0)
    limit = schemas.whole(visit.query_params.get("limit"), "limit", least=1, most=100, default=20)
    account, picture, found = await visit.state["context"].database.read(
        lambda sql: profile_of(sql, visit.path_params["name"], before, limit)
    )
    return thread_api.answer(
        {
            "account": thread_api.public_account(account, picture),
            "comments": found,
            "before": found[-1].comment.id if len(found) == limit else None,
        }
    )


def profile_of(sql: Sql, name: str, before: int, limit: int) -> tuple[Account, str | None, list[comments.Found]]:
    """Return the open account of that name, its picture, and its latest comments. Raises NotFound."""
    account = named(sql, name)
    found = search.latest(sql, author=account.id, before=before, limit=limit)
    return account, pictures.shown(sql, account.id), found


def named(sql: Sql, name: str) -> Account:
    """Return the open account of that name. Raises NotFound."""
    found = accounts.by_name(sql, name)
    if found is None:
        raise NotFound("error.no_account")
    return found[0]


async def complete(visit: Visit) -> Response:
    """Names that begin so, to be mentioned: those who take part in the thread first."""
    await session.require(visit)
    key = schemas.key(visit.path_params["key"])
    begun = visit.query_params.get("q", "")[: account_names.MAX_CHARACTERS]
    found = await visit.state["context"].database.read(lambda sql: accounts.beginning(sql, begun, key, 8))
    return thread_api.answer({"names": found})


routes = [
    Route("/api/threads/{key}/mine", mine),
    Route("/api/threads/{key}/visit", visited, methods=["PUT"]),
    Route("/api/threads/{key}/names", in_turn(complete)),
    Route("/api/me/changes", in_turn(changes)),
    Route("/api/me/heard", heard, methods=["PUT"]),
    # Names of before may hold a slash.
    Route("/api/accounts/{name:path}", in_turn(profile)),
]
