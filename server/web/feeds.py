"""Atom feeds (RFC 4287): of the site, of a thread, of the answers to a comment, and of what concerns an account."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from starlette.responses import Response
from starlette.routing import Route

from channels.change import Comment
from server.errors import NotFound
from server.storage import accounts, comments, notices, rows, search, threads
from server.storage.database import Sql
from server.web import api, requests
from server.web.context import Visit
from server.web.tree import name_of
from server.web.whose_turn import in_turn

ENTRIES = 50
# What XML 1.0 cannot say, however it is escaped.
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def atom(settings_origin: str, path: str, title: str, found: Iterable[Any]) -> str:
    """Return the feed at `path` of things that have `thread`, `title` and `comment`, the newest first."""
    entries = list(found)
    updated = max((_moment(one.comment) for one in entries), default=rows.moment(0))
    lines = [
        '<?xml version="1.0" encoding="utf-8"?>',
        '<feed xmlns="http://www.w3.org/2005/Atom">',
        f"<id>{escape(settings_origin + path)}</id>",
        f"<title>{escape(title)}</title>",
        f"<updated>{updated}</updated>",
        f'<link rel="self" href={quoteattr(settings_origin + path)}/>',
    ]
    for one in entries:
        comment: Comment = one.comment
        link = f"{settings_origin}/t/{one.thread}/c/{comment.id}"
        name = name_of(comment)
        lines += [
            "<entry>",
            f"<id>{escape(link)}</id>",
            f"<title>{escape(f'{name} in {one.title or one.thread}')}</title>",
            f"<author><name>{escape(name)}</name></author>",
            f"<published>{comment.created}</published><updated>{_moment(comment)}</updated>",
            f"<link href={quoteattr(link)}/>",
            f'<content type="html">{escape(str(comment.html))}</content>',
            "</entry>",
        ]
    return _ILLEGAL.sub("", "\n".join([*lines, "</feed>", ""]))


def _moment(comment: Comment) -> str:
    return str(comment.edited or comment.created)


async def _feed(visit: Visit, title: str, found: Iterable[Any], *, path: str | None = None) -> Response:
    text = atom(visit.state["context"].settings.origin, path or visit.url.path, title, found)
    return Response(text, headers={"Cache-Control": "no-cache"}, media_type="application/atom+xml; charset=utf-8")


async def site(visit: Visit) -> Response:
    found = await visit.state["context"].database.read(
        lambda sql: search.latest(sql, before=api.MAX_VERSION, limit=ENTRIES)
    )
    return await _feed(visit, "livethread", found)


async def thread(visit: Visit) -> Response:
    key = requests.key(visit.path_params["key"])
    title, found = await visit.state["context"].database.read(
        lambda sql: (
            threads.by_key(sql, key).title or key,
            search.latest(sql, thread=key, before=api.MAX_VERSION, limit=ENTRIES),
        )
    )
    return await _feed(visit, title, found)


async def answers(visit: Visit) -> Response:
    key, id_ = requests.key(visit.path_params["key"]), api.comment_id(visit)

    def read(sql: Sql) -> tuple[str, list[search.Found]]:
        stored = comments.by_id(sql, id_)
        if stored is None or not stored.shown or stored.thread_key != key:
            raise NotFound("There is no such comment.")
        who = name_of(rows.public(sql, id_))
        return f"Answers to {who}", search.latest(sql, parent=id_, before=api.MAX_VERSION, limit=ENTRIES)

    title, found = await visit.state["context"].database.read(read)
    return await _feed(visit, title, found)


async def mine(visit: Visit) -> Response:
    """What concerns an account, for whoever knows the feed's secret."""

    def read(sql: Sql) -> tuple[str, list[notices.Notice]]:
        account = accounts.by_feed(sql, visit.path_params["secret"])
        if account is None:
            raise NotFound("There is no such feed.")
        return account.name, notices.after(sql, account.id, 0, ENTRIES)

    name, found = await visit.state["context"].database.read(read)
    response = await _feed(visit, f"Replies to {name}", found, path="/inbox")
    response.headers["Cache-Control"] = "private, no-store"
    return response


routes = [
    Route("/feed", in_turn(site)),
    Route("/t/{key}/feed", in_turn(thread)),
    Route("/t/{key}/c/{id}/feed", in_turn(answers)),
    Route("/feed/mine/{secret}", in_turn(mine)),
]
