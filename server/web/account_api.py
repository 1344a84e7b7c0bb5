"""The JSON API of what belongs to one account: votes, notices, visits, its profile, its export and its end."""

from __future__ import annotations

import secrets
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from server import names
from server.actions import close_account
from server.errors import NotFound
from server.model import Account
from server.storage import accounts, comments, notices, rows, search, threads, visits, votes
from server.storage.database import Sql
from server.storage.write import Write
from server.web import api, requests, session
from server.web.context import Visit, address
from server.web.whose_turn import in_turn

PRIVATE = "private, no-store"
NOTICES_AT_ONCE = 100


async def mine(visit: Visit) -> Response:
    """What of a thread concerns the account alone: its votes, its pending comments, and its last visit."""
    account, key = await session.require(visit), requests.key(visit.path_params["key"])

    def read(sql: Sql) -> dict[str, Any]:
        waiting = comments.pending(sql, thread=key, author=account.id)
        return {
            "thread": key,
            "votes": {str(comment): value for comment, value in votes.cast_by(sql, account.id, key).items()},
            "pending": [comments.seen_by(sql, id_, is_trusted=True) for _, id_ in waiting],
            "visit": _visit(visits.last(sql, account.id, key)),
        }

    return api.answer(await visit.state["context"].database.read(read), cache=PRIVATE)


def _visit(last: visits.LastVisit | None) -> dict[str, Any] | None:
    return {"comment": last.comment, "version": last.version, "at": rows.moment(last.at)} if last else None


async def visited(visit: Visit) -> Response:
    """Keep up to where the account has read."""
    account, key = await session.require(visit), requests.key(visit.path_params["key"])
    wanted = requests.parse(await visit.body(), requests.Visited)
    database = visit.state["context"].database

    def work(write: Write) -> None:
        accounts.confirm(write.sql, account)
        visits.remember(write, account.id, key, wanted.comment, wanted.version)

    await database.write(work)
    return api.answer({"visit": _visit(await database.read(lambda sql: visits.last(sql, account.id, key)))})


async def changes(visit: Visit) -> Response:
    """Replies and mentions after the version `after`, the newest first; `unread` counts all that were not read."""
    account = await session.require(visit)
    after = requests.whole(visit.query_params.get("after"), "after", least=0, most=api.MAX_VERSION, default=0)

    def read(sql: Sql) -> dict[str, Any]:
        return {
            "version": threads.clock(sql)[0],
            "unread": notices.unread(sql, account.id),
            "notices": notices.after(sql, account.id, after, NOTICES_AT_ONCE),
        }

    return api.answer(await visit.state["context"].database.read(read), cache=PRIVATE)


async def heard(visit: Visit) -> Response:
    account = await session.require(visit)
    wanted = requests.parse(await visit.body(), requests.Heard)
    await read_notices(visit, account, wanted.version)
    database = visit.state["context"].database
    return api.answer({"unread": await database.read(lambda sql: notices.unread(sql, account.id))})


async def read_notices(visit: Visit, account: Account, version: int) -> None:
    """Keep that the account has read what it was told up to `version`."""

    def work(write: Write) -> None:
        accounts.confirm(write.sql, account)
        notices.heard(write, account.id, version)

    await visit.state["context"].database.write(work)


async def renew_feed(visit: Visit) -> Response:
    """Make the secret address of the account's own feed anew: the one before is nobody's from now on."""
    account = await session.require(visit)
    secret = secrets.token_urlsafe(24)

    def work(write: Write) -> None:
        accounts.confirm(write.sql, account)
        accounts.set_feed(write, account.id, secret)

    await visit.state["context"].database.write(work)
    return api.answer({"feed": f"{visit.state['context'].settings.origin}/feed/mine/{secret}"}, 201)


async def export(visit: Visit) -> Response:
    account = await session.require(visit)
    response = api.answer(await close_account.everything_of(visit.state["context"].database, account), cache=PRIVATE)
    response.headers["Content-Disposition"] = 'attachment; filename="livethread.json"'
    return response


async def close(visit: Visit) -> Response:
    account = await session.require(visit)
    wanted = requests.parse(await visit.body(), requests.CloseAccount)
    context = visit.state["context"]
    await close_account.close_account(
        context.database, context.limits, context.settings, account, wanted.password, wanted.comments, address(visit)
    )
    return api.answer({"account": None})


async def profile(visit: Visit) -> Response:
    """An account as everybody sees it, with its visible comments, the newest first."""
    before = requests.whole(visit.query_params.get("before"), "before", least=1, most=api.MAX_VERSION, default=2**53)
    limit = requests.whole(visit.query_params.get("limit"), "limit", least=1, most=100, default=20)
    account, found = await visit.state["context"].database.read(
        lambda sql: _profile(sql, visit.path_params["name"], before, limit)
    )
    return api.answer(
        {
            "account": api.public_account(account),
            "comments": found,
            "before": found[-1].comment.id if len(found) == limit else None,
        }
    )


def _profile(sql: Sql, name: str, before: int, limit: int) -> tuple[Account, list[search.Found]]:
    account = named(sql, name)
    return account, search.latest(sql, author=account.id, before=before, limit=limit)


def named(sql: Sql, name: str) -> Account:
    """Return the open account of that name. Raises NotFound."""
    found = accounts.by_skeleton(sql, names.skeleton(name)) if name else None
    if found is None:
        raise NotFound("There is no such account.")
    return found[0]


async def complete(visit: Visit) -> Response:
    """Names that begin so, to be mentioned: those who take part in the thread first."""
    await session.require(visit)
    key = requests.key(visit.path_params["key"])
    begun = visit.query_params.get("q", "")[: names.MAX_CHARACTERS]
    found = await visit.state["context"].database.read(lambda sql: accounts.beginning(sql, begun, key, 8))
    return api.answer({"names": found})


routes = [
    Route("/api/threads/{key}/mine", mine),
    Route("/api/threads/{key}/visit", visited, methods=["PUT"]),
    Route("/api/threads/{key}/names", in_turn(complete)),
    Route("/api/me/changes", in_turn(changes)),
    Route("/api/me/heard", heard, methods=["PUT"]),
    Route("/api/me/feed", renew_feed, methods=["POST"]),
    Route("/api/me/export", in_turn(export)),
    Route("/api/me", close, methods=["DELETE"]),
    Route("/api/accounts/{name}", in_turn(profile)),
]
