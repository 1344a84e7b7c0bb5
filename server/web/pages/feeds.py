"""Atom feeds (RFC 4287): of the site, of a thread, of the replies to a comment, and of an account's notices."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from starlette.responses import Response
from starlette.routing import Route

from channels.messages import Comment
from server.errors import NotFound
from server.locales import Texts
from server.storage import search
from server.storage.accounts import accounts, notifications
from server.storage.comments import comments
from server.storage.engine.database import Sql
from server.storage.threads import threads
from server.text import markup, quotations
from server.visibility import moment
from server.web.api import thread_api
from server.web.pages.nesting import name_of
from server.web.requests import schemas
from server.web.requests.context import Visit
from server.web.requests.page_queue_owner import in_turn

ENTRIES = 50
# What XML 1.0 (2.2, Char) cannot say, however it is escaped.
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def atom(server: str, path: str, title: str, found: Iterable[Any], words: Texts) -> str:
    """Return the feed at `path` of things that have `thread`, `title` and `comment`, the newest first."""
    entries = list(found)
    feed = Element("feed", xmlns="http://www.w3.org/2005/Atom")
    _add(feed, "id", server + path)
    _add(feed, "title", title)
    _add(feed, "updated", max((_moment(one.comment) for one in entries), default=moment(0)))
    _add(feed, "link", rel="self", href=server + path)
    for one in entries:
        comment: Comment = one.comment
        link = f"{server}/t/{one.thread}/c/{comment.id}"
        name = name_of(comment) or words("comment.anonymous")
        whole = markup.with_whole_links(str(comment.html), server)
        entry = _add(feed, "entry")
        _add(entry, "id", link)
        _add(entry, "title", words("feed.entry", name=name, thread=one.title or one.thread))
        _add(_add(entry, "author"), "name", name)
        _add(entry, "published", str(comment.created))
        _add(entry, "updated", _moment(comment))
        _add(entry, "link", href=link)
        _add(entry, "content", quotations.said(whole, words.html), type="html")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{tostring(feed, encoding="unicode")}\n'


def _add(parent: Element, name: str, text: str = "", **attributes: str) -> Element:
    added = SubElement(parent, name, {one: _ILLEGAL.sub("", value) for one, value in attributes.items()})
    added.text = _ILLEGAL.sub("", text)
    return added


def _moment(comment: Comment) -> str:
    return str(comment.edited or comment.created)


def _words(visit: Visit) -> Texts:
    """Return the server's own language: a feed is one for all who read it."""
    return visit.state["context"].editions.offered.default


async def _feed(visit: Visit, title: str, found: Iterable[Any], *, path: str | None = None) -> Response:
    text = atom(visit.state["context"].settings.address, path or visit.url.path, title, found, _words(visit))
    return Response(text, headers={"Cache-Control": "no-cache"}, media_type="application/atom+xml; charset=utf-8")


async def site(visit: Visit) -> Response:
    found = await visit.state["context"].database.read(lambda sql: search.latest(sql, limit=ENTRIES))
    return await _feed(visit, "livethread", found)


async def thread(visit: Visit) -> Response:
    key = schemas.key(visit.path_params["key"])
    title, found = await visit.state["context"].database.read(
        lambda sql: (
            threads.by_key(sql, key).title or key,
            search.latest(sql, thread=key, limit=ENTRIES),
        )
    )
    return await _feed(visit, title, found)


async def answers(visit: Visit) -> Response:
    key, id_ = schemas.key(visit.path_params["key"]), thread_api.comment_id(visit)
    words = _words(visit)

    def read(sql: Sql) -> tuple[str, list[comments.Found]]:
        stored, seen = comments.seen_by(sql, None, id_)
        if stored.thread_key != key:
            raise NotFound("error.no_comment")
        name = name_of(seen) or words("comment.anonymous")
        return words("feed.replies_to", name=name), search.latest(sql, thread=key, parent=id_, limit=ENTRIES)

    title, found = await visit.state["context"].database.read(read)
    return await _feed(visit, title, found)


async def mine(visit: Visit) -> Response:
    """An account's notices, for anyone with the feed's secret address."""

    def read(sql: Sql) -> tuple[str, list[notifications.Notice]]:
        account = accounts.by_feed(sql, visit.path_params["secret"])
        if account is None:
            raise NotFound("error.no_feed")
        told = notifications.after(sql, account, 0, ENTRIES)
        return account.name, [one for one in told if one.kind in ("reply", "mention")]

    name, found = await visit.state["context"].database.read(read)
    response = await _feed(visit, _words(visit)("feed.replies_to", name=name), found, path="/inbox")
    response.headers["Cache-Control"] = "private, no-store"
    return response


routes = [
    Route("/feed", in_turn(site)),
    Route("/t/{key}/feed", in_turn(thread)),
    Route("/t/{key}/c/{id}/feed", in_turn(answers)),
    Route("/feed/mine/{secret}", in_turn(mine)),
]
