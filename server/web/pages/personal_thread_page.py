"""A thread's page for one reader: everybody's sheet with the reader's own marks in it. Knows no address of a page."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass

import msgspec
from markupsafe import Markup, escape
from starlette.responses import Response

from server.model import PLAIN, Account, Head, Theme
from server.storage.engine.database import Sql
from server.storage.threads import paging
from server.web.api import thread_api
from server.web.pages import catch_up, comment_fragments, nesting, page_templates, personal_marks, thread_page_builder
from server.web.pages.editions import Edition
from server.web.pages.shared_thread_page import Sheet
from server.web.pages.slots import Cut, cut
from server.web.requests import language, schemas, session
from server.web.requests.context import Visit
from server.web.requests.encodings import takes_gzip
from server.web.requests.in_pieces import InPieces
from server.web.requests.page_queue_owner import own_in_turn, shared_in_turn

# Of each branch.
REPLIES_SHOWN = 30
# Given what is new to the account, where only that is wanted.
Find = Callable[[Sql, frozenset[int]], paging.Page[Head]]


async def thread_page(
    visit: Visit, key: str, find: Find, *, is_new_only: bool = False, sort: str = "oldest", replies: int = REPLIES_SHOWN
) -> Response:
    """What all of a role see is made once until the thread changes; for an account only its own is put in."""
    viewer = await session.identify(visit)
    edition = language.edition_for(visit)
    is_packed = takes_gzip(visit.headers.get("accept-encoding", ""))
    headers = {"Vary": "Cookie, Accept-Encoding, Accept-Language"} | ({"Content-Encoding": "gzip"} if is_packed else {})
    asked = _Asked(visit, edition, key, find, sort, replies, is_new_only)
    if viewer is not None:
        if visit.state["context"].shared.knows(key, asked.question(viewer.role)):
            pieces = await _page_for(asked, viewer, is_packed)
        else:
            pieces = await own_in_turn(visit, lambda: _page_for(asked, viewer, is_packed))
        return InPieces(pieces, 200, headers | {"Cache-Control": "private, no-cache"}, "text/html; charset=utf-8")

    async def made() -> tuple[bytes, str]:
        sheet = await _kept_sheet(asked, "")
        pieces = await _finished(asked, sheet, {"nonce": page_templates.fresh_nonce().encode()}, {}, is_packed)
        return b"".join(pieces), sheet.tag

    question = "page", edition.texts.language, page_templates.path(visit), asked.theme, is_packed
    html, tag = await shared_in_turn(visit, key, question, made, lambda page: len(page[0]))
    headers |= {"Cache-Control": "no-cache", "ETag": tag}
    if tag in visit.headers.get("if-none-match", ""):
        del headers["Content-Encoding" if is_packed else "ETag"]
        return Response(status_code=304, headers=headers | {"ETag": tag})
    return Response(html, 200, headers, "text/html; charset=utf-8")


@dataclass(frozen=True, slots=True)
class _Asked:
    """Which page of a thread a request asks for. `is_new_only`: only what is new to the account, if anything is."""

    visit: Visit
    edition: Edition
    key: str
    find: Find
    sort: str
    replies: int
    is_new_only: bool

    @property
    def drawing(self) -> comment_fragments.Drawing:
        """Return what draws it: links on other sites' pages are whole."""
        return self.edition.guest_drawing if self.is_fragment else self.edition.drawing

    @property
    def is_fragment(self) -> bool:
        return self.visit.query_params.get("only") == "fragment"

    @property
    def only(self) -> str:
        return self.visit.query_params.get("part" if self.is_fragment else "only", "")

    @property
    def theme(self) -> Theme:
        """Return the colours that the site has for its pages."""
        site = session.site_of(self.visit)
        return site.theme if site and self.is_fragment else "auto"

    def question(self, role: str) -> Hashable:
        """Return what the sheet for everybody with this role is kept by."""
        return "sheet", role, self.edition.texts.language, page_templates.path(self.visit), self.theme


async def _page_for(asked: _Asked, viewer: Account, is_packed: bool) -> list[bytes]:
    """Return the page, in pieces, for one account; its nonce is not secret: nonces count per account."""
    context, now = asked.visit.state["context"], catch_up.now()
    own = await context.own_marks.of(viewer, asked.key, now)
    fresh = own.since.fresh if own.since else frozenset()
    is_alone = asked.is_new_only and bool(fresh)
    sheet = await (_sheet(asked, viewer.role, fresh) if is_alone else _kept_sheet(asked, viewer.role))
    mark = catch_up.read_up_to(sheet.version, now) if own.is_unread else None
    values = {
        "name": str(escape(viewer.name)).encode(),
        "account": str(viewer.id).encode(),
        "flags": (b"" if viewer.appearance.shortcuts else b" keyless") + (b" signed" if viewer.is_signed else b""),
        "told": asked.edition.texts("count.number", count=own.told).encode() if own.told else b"",
        "nonce": page_templates.fresh_nonce().encode(),
        "news": asked.drawing.news(asked.key, catch_up.told(own.since, asked.edition.texts), mark, only_new=is_alone),
        "unseen": asked.drawing.unseen(own.unseen),
        **{name: html.encode() for name, html in asked.drawing.look(viewer.appearance).items()},
    }
    changed = sheet.changed(asked.drawing, personal_marks.personal(own, viewer, sheet))
    return await _finished(asked, sheet, values, changed, is_packed)


async def _finished(
    asked: _Asked, sheet: Sheet, values: dict[str, bytes], changed: dict[int, bytes], is_packed: bool
) -> list[bytes]:
    if not is_packed:
        return sheet.plain(values, changed)
    await thread_page_builder.pack(asked.visit.state["context"].shared, sheet)
    return [sheet.packed(values, changed)]


async def _kept_sheet(asked: _Asked, role: str) -> Sheet:
    """Return the sheet that is kept until the thread changes. `role`: "" for those without an account."""
    return await asked.visit.state["context"].shared.get(
        asked.key,
        asked.question(role),
        lambda: _sheet(asked, role, frozenset()),
        lambda sheet: sheet.held_bytes,
    )


async def _sheet(asked: _Asked, role: str, fresh: frozenset[int]) -> Sheet:
    """Return the page as everybody with the role sees it; with `fresh`, of these comments alone."""
    visit, context = asked.visit, asked.visit.state["context"]
    viewer = {"id": cut("account"), "name": cut("name"), "role": role, "flags": cut("flags")} if role else None
    look = {name: cut(name) for name in comment_fragments.LOOK} if role else asked.drawing.look(PLAIN)
    reply = visit.query_params.get("reply")
    parent = schemas.whole(reply, "reply", least=1, most=thread_api.MAX_VERSION, default=0)
    part = asked.drawing.part
    no_news = asked.drawing.news(asked.key, None, None, only_new=False)

    def within(found: thread_page_builder.Found) -> dict[int, Cut]:
        answered = found.comments.get(parent)
        if answered is None or answered.state != "visible":
            return {}
        composed = page_templates.composer(parent, nesting.name_in(answered), "", cut("nonce"))
        described = page_templates.describe(found.page.thread, found.page.epoch)
        return {parent: Cut.of(part("answering", thread=described, viewer=viewer, composed=composed).decode())}

    def after(found: thread_page_builder.Found) -> dict[int, bytes]:
        return {
            root: part("more_replies", thread_key=asked.key, sort=asked.sort, root=root, cut=one)
            for root, one in found.page.cuts.items()
        }

    def shell(found: thread_page_builder.Found) -> str:
        page = found.page
        return page_templates.html(
            visit,
            "thread.html",
            page.thread.title or asked.edition.texts("thread.title", key=asked.key),
            viewer,
            asked.drawing,
            thread=page_templates.describe(page.thread, page.epoch),
            posting=page_templates.posting(page.thread, context.settings.address) if page.thread.id else "",
            is_any=bool(found.roots),
            start=nesting.start_path(page),
            next_cursor=page.next,
            cuts_json=msgspec.json.encode(page.cuts).decode(),
            replies=asked.replies,
            remaining=None if page.start or fresh else page.remaining,
            is_first_page=not page.start,
            blanks=asked.drawing.blanks(asked.key, is_anonymous=viewer is None),
            sort=asked.sort,
            is_held="held" in visit.query_params,
            is_expired="anew" in visit.query_params,
            gone=visit.query_params.get("gone"),
            above=visit.path_params.get("id", ""),
            is_fragment=asked.is_fragment,
            theme=asked.theme,
            only_author=asked.only == "author",
            only_new=bool(fresh),
            nonce=cut("nonce"),
            told=cut("told"),
            news=cut("news") if role else Markup(no_news.decode()),
            unseen=cut("unseen"),
            comments=cut("comments"),
            **look,
        )

    return await thread_page_builder.make(
        context.database,
        context.shared,
        asked.drawing,
        lambda sql: asked.find(sql, fresh),
        is_flat=asked.sort == "flat",
        moderates=role in ("moderator", "staff"),
        tag=lambda page: (
            f'W/"{page.epoch}-{page.thread.version}-{context.assets.version}-{asked.theme}-{asked.drawing.language}"'
        ),
        shell=shell,
        within=within,
        after=after,
    )
