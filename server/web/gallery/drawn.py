"""How the gallery draws: comments and threads as their pages do, and of a whole page what is its own."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from markupsafe import Markup

from server.model import Account, StoredComment, Thread
from server.storage.comments.comments import Found
from server.storage.threads.branches import Cut as Branch
from server.web.gallery import made_up
from server.web.pages import nesting, page_templates, shared_thread_page
from server.web.pages.comment_fragments import Drawing, Personal
from server.web.requests import language
from server.web.requests.context import Visit

_NAMED = re.compile(r' (id|for|aria-labelledby|aria-describedby)="([^"]+)"')


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One state. `act`: by what the gallery's script brings it about; `says`: what the server answers then."""

    name: str
    html: Markup
    act: str = ""
    says: str = ""


class Gallery:
    """Draws what one request asks for."""

    def __init__(self, visit: Visit, *, is_elsewhere: bool = False) -> None:
        """`is_elsewhere`: it draws as for pages of other sites."""
        self.visit = visit
        self.words = language.texts_for(visit)
        edition = language.edition_for(visit)
        self.drawing: Drawing = edition.guest_drawing if is_elsewhere else edition.drawing
        self.languages = visit.state["context"].editions.offered.texts.values()

    def comments(
        self,
        found: Sequence[StoredComment],
        personal: Mapping[int, Personal] | None = None,
        cuts: Mapping[int, Branch] | None = None,
        *,
        moderates: bool = False,
        is_flat: bool = False,
    ) -> Markup:
        """Return the items of a thread's list."""
        roots = nesting.places((), map(made_up.head, found), is_flat=is_flat)
        texts = {one.id: made_up.seen(one) for one in found}
        drawn = [(place, texts[place.comment.id]) for place, is_begin in nesting.walked(roots) if is_begin]
        fragments = {
            comment.id: fragment
            for (_, comment), fragment in zip(
                drawn, self.drawing.fragments(drawn, "gallery", moderates=moderates), strict=True
            )
        }
        for id_, one in (personal or {}).items():
            before = fragments[id_].filled(self.drawing.slots(id_, one))
            fragments[id_] = replace(fragments[id_], before=before, slots=())
        after = {
            root: self.drawing.part("more_replies", thread_key="gallery", sort="oldest", root=root, cut=cut)
            for root, cut in (cuts or {}).items()
        }
        runs, _ = shared_thread_page.runs_of(roots, fragments, (), after)
        return Markup(self._with_pictures(b"".join(run.plain for run in runs).decode()))

    def listed(self, html: Markup, *attributes: str) -> Markup:
        """Return comments in the least that makes them a thread."""
        own = Markup(" ").join(attributes)
        return Markup('<div class="thread"{}><ol class="comments">{}</ol></div>').format(own, html)

    def thread(
        self,
        thread: Thread,
        found: Sequence[StoredComment] = (),
        viewer: Account | None = made_up.ANA,
        *,
        is_whole: bool = False,
        personal: Mapping[int, Personal] | None = None,
        cuts: Mapping[int, Branch] | None = None,
        since: dict[str, Any] | None = None,
        unseen: Sequence[Found] = (),
        **more: Any,
    ) -> Markup:
        """Return a thread as its page has it; `is_whole`: with what stands above it."""
        moderates = viewer is not None and viewer.role != "reader"
        seen_as = {"id": viewer.id, "name": viewer.name, "role": viewer.role, "flags": ""} if viewer else None
        only_new = bool(more.get("only_new"))
        mark = {"version": 1, "at": 1} if viewer else None
        sort = more.get("sort", "oldest")
        values: dict[str, Any] = {
            "posting": "", "is_any": bool(found), "start": "", "next_cursor": "", "replies": 30, "remaining": None,
            "is_first_page": True, "sort": sort, "is_held": False, "is_expired": False, "gone": None, "above": "1",
            "theme": "auto", "only_author": False, "only_new": False, "told": "",
        }  # fmt: skip
        html = page_templates.html(
            self.visit,
            "thread.html",
            thread.title,
            seen_as,
            self.drawing,
            thread=page_templates.describe(thread, "gallery"),
            cuts_json=msgspec.json.encode(cuts or {}).decode(),
            blanks=self.drawing.blanks(thread.key, is_anonymous=seen_as is None),
            is_fragment=not is_whole,
            nonce=page_templates.fresh_nonce(),
            news=Markup(self.drawing.news(thread.key, since, mark, only_new=only_new).decode()),
            unseen=Markup(self.drawing.unseen(unseen).decode()),
            comments=self.comments(found, personal, cuts, moderates=moderates, is_flat=sort == "flat"),
            **values | more,
        )
        return main_of(html) if is_whole else Markup(html)

    def page(self, name: str, template: str, title: str, viewer: Account | None = None, /, **values: Any) -> Exhibit:
        """Return what a page has of its own."""
        return Exhibit(name, with_names(name, main_of(self.whole(template, title, viewer, **values))))

    def whole(
        self, template: str, title: str, viewer: Account | None = None, /, *, told: int = 0, **values: Any
    ) -> str:
        seen_as = {"id": viewer.id, "name": viewer.name, "role": viewer.role} if viewer else None
        bell = self.words("count.number", count=told) if told else ""
        return self._with_pictures(page_templates.html(self.visit, template, title, seen_as, told=bell, **values))

    def _with_pictures(self, html: str) -> str:
        """Return it with a file of ours for the picture that nobody has uploaded."""
        base = self.drawing.base
        return html.replace(f"{base}/picture/{made_up.PICTURE}.webp", f"{base}{self.drawing.site['static']}/icon.png")


def main_of(html: str) -> Markup:
    """Return it with the element around it, on which its style depends."""
    return _element(html, "<main>", "</main>")


def header_of(html: str) -> Markup:
    return _element(html, '<header class="site">', "</header>")


def _element(html: str, begin: str, end: str) -> Markup:
    return Markup(begin + html.partition(begin)[2].partition(end)[0] + end)


def with_names(name: str, html: Markup) -> Markup:
    """Return it with ids that no other exhibit has: each was drawn for a page of its own."""
    return Markup(_NAMED.sub(lambda found: f' {found[1]}="{name}-{found[2]}"', html))
