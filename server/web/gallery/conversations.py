"""The gallery's comments, composers and threads: each state by itself."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from markupsafe import Markup

from server.errors import DomainError, TooMany, Unavailable
from server.model import Account
from server.storage.accounts.visits import Since
from server.storage.comments.comments import Found
from server.storage.threads.branches import Cut
from server.web.gallery import made_up
from server.web.gallery.drawn import Exhibit, Gallery
from server.web.gallery.made_up import ANA, LONG_NAME, MOD, chain, comment, seen, thread
from server.web.pages import catch_up
from server.web.pages.comment_fragments import Personal

_keys = itertools.count(1)


def exhibits(gallery: Gallery) -> Iterator[Exhibit]:
    yield from _comments(gallery)
    yield from _branches(gallery)
    yield from _threads(gallery)
    yield from _made_by_the_script(gallery)


def _comments(gallery: Gallery) -> Iterator[Exhibit]:
    """One comment each."""

    def one(exhibit: str, body: str = made_up.SHORT, own: Personal | None = None, **more: Any) -> Exhibit:
        made = comment(body, **more)
        return Exhibit(f"comment-{exhibit}", gallery.listed(gallery.comments([made], {made.id: own} if own else {})))

    yield one("short")
    yield one("long", made_up.LONG)
    for name, body in made_up.RICH.items():
        yield one(name, body, name="Cleo")
    yield one("author", account=made_up.AUTHOR, name="Bo")
    yield one("moderator", name="Mo", role="moderator")
    yield one("staff", name="Stella", role="staff")
    yield one("anonymous", name=None)
    yield one("picture", picture=made_up.PICTURE)
    yield one("long-name", name=LONG_NAME, account=made_up.AUTHOR, is_edited=True, age=600_000, score=-1_234)
    yield one("edited", is_edited=True)
    yield one("old", age=1_500_000)
    yield one("now", age=0)
    yield one("own", own=Personal(is_own=True, score=3))
    yield one("voted", own=Personal(vote=1, score=12_345))
    yield one("voted-down", own=Personal(vote=-1, score=-7))
    yield one("new", own=Personal(is_fresh=True, score=3))
    yield one("rtl", made_up.RTL, name="ليلى")
    yield one("mixed", made_up.MIXED, name="ليلى")
    quoted = comment(made_up.RICH["quote"], hidden_quotes="0")
    yield Exhibit("comment-quote-gone", gallery.listed(gallery.comments([quoted])))
    held = [Found("gallery", "", seen(comment(state=state, shown=0), ANA)) for state in ("pending", "removed")]
    for name, one_held in zip(("pending", "rejected"), held, strict=True):
        html = Markup(gallery.drawing.unseen([one_held]).decode())
        yield Exhibit(f"comment-{name}", Markup('<div class="thread">{}</div>').format(html))


def _branches(gallery: Gallery) -> Iterator[Exhibit]:
    """Comments and what hangs below them."""
    for state in ("deleted", "removed", "pending"):
        gone = comment(state=state)
        below = comment(name="Cleo", parent=gone)
        yield Exhibit(f"comment-{state}-answered", gallery.listed(gallery.comments([gone, below])))
    gone = comment(state="removed")
    below = comment(name="Cleo", parent=gone)
    yield Exhibit("comment-removed-for-a-moderator", gallery.listed(gallery.comments([gone, below], moderates=True)))
    deep = chain(9)
    yield Exhibit("depth", gallery.listed(gallery.comments(deep)))
    yield Exhibit("depth-words", gallery.listed(gallery.comments(chain(8, made_up.LONG_WORD))))
    yield Exhibit("flat", gallery.listed(gallery.comments(chain(2), is_flat=True), Markup(' sort="flat"')))
    pictured = comment(picture=made_up.PICTURE)
    below = comment(name="Cleo", parent=pictured, picture=made_up.PICTURE)
    yield Exhibit("comment-picture-answered", gallery.listed(gallery.comments([pictured, below])))
    root, *rest = chain(2)
    cut = {root.id: Cut(str(rest[-1].id), 1_234, 1_236)}
    yield Exhibit("more-replies", gallery.listed(gallery.comments([root, *rest], None, cut)))
    linked = comment(made_up.LONG)
    html = str(gallery.comments([linked])).replace("depth-0", "depth-0 target", 1)
    yield Exhibit("comment-linked", gallery.listed(Markup(html)))


def _threads(gallery: Gallery) -> Iterator[Exhibit]:
    """What stands around the comments, as the server draws it."""

    def one(
        name: str, *found: Any, viewer: Account | None = ANA, of: dict[str, Any] | None = None, **more: Any
    ) -> Exhibit:
        key = f"gallery-{next(_keys)}"
        return Exhibit(f"thread-{name}", gallery.thread(thread(key, **(of or {})), found, viewer, **more))

    since = catch_up.told(Since(made_up.now() - 90 * made_up.MINUTE, frozenset(range(18)), 2, 1, 3), gallery.words)
    fresh = comment(name="Cleo")
    yield one("page", comment(), is_whole=True)
    yield one("page-long", comment(), is_whole=True, of={"title": f"{made_up.LONG_WORD} {made_up.SHORT * 3}"})
    yield one("empty", of={"comments": 0})
    yield one("logged-out", comment(), viewer=None)
    yield one("locked", comment(), of={"locked": True})
    yield one("locked-moderator", comment(), viewer=MOD, of={"locked": True})
    yield one("moderator", comment(state="removed"), comment(), viewer=MOD)
    yield one("since", comment(), fresh, since=since, personal={fresh.id: Personal(is_fresh=True, score=3)})
    yield one(
        "only-new", comment(), fresh, since=since, personal={fresh.id: Personal(is_fresh=True, score=3)}, only_new=True
    )
    yield one("only-author", comment(), comment(name="Bo", account=made_up.AUTHOR), only_author=True)
    for sort in ("newest", "top", "flat"):
        yield one(sort, *chain(1), sort=sort)
    yield one("held", comment(), is_held=True)
    yield one("expired", comment(), is_expired=True)
    yield one("gone-deleted", comment(), gone="deleted")
    yield one("gone-removed", comment(), gone="removed")
    yield one("more", comment(), next_cursor="1", remaining=12_345, of={"comments": 12_346})
    yield one("further-page", comment(), next_cursor="1", is_first_page=False)
    yield one("unseen", comment(), unseen=[Found("gallery", "", seen(comment(state="pending", shown=0), ANA))])


def _made_by_the_script(gallery: Gallery) -> Iterator[Exhibit]:
    """Threads that the gallery's script brings into each of these states."""
    says = {
        "composer-error": TooMany("error.busy", seconds=12),
        "composer-retry": Unavailable("error.too_busy_to_save"),
        "editor-outdated": DomainError("error.outdated"),
    }
    viewers = {"menu-moderator": MOD, "composer-logged-out": None}
    for act in ACTS:
        error = says.get(act)
        first = comment(
            made_up.RICH["links"] if act in ("composer-preview", "quote") else made_up.SHORT, "Cleo", account=5
        )
        own = comment(made_up.LONG, "Ana", age=90)
        answer = comment("Indeed.", LONG_NAME, parent=first, account=6, age=60)
        html = gallery.thread(thread(f"gallery-{act}", comments=3), [first, answer, own], viewers.get(act, ANA))
        yield Exhibit(act, html, act, error.sentence(gallery.words) if error else "")


# Each is a function of the same name in static/gallery.js.
ACTS = (
    "connection-live", "connection-late", "connection-doubtful", "connection-lost", "connection-ended",
    "held-replies", "arrived", "arrived-and-held", "says", "leads", "since", "since-only-new",
    "composer-open", "composer-text", "composer-near", "composer-over", "composer-error", "composer-retry",
    "composer-preview", "composer-several", "composer-names", "composer-typing", "composer-logged-out",
    "composer-session-ended", "composer-parent-changed", "composer-locked", "post-sending", "post-own", "post-held",
    "comment-outdated", "comment-gone", "folded", "menu-own", "menu-other", "menu-moderator", "menu-delete",
    "editor", "editor-discard", "editor-outdated", "quote",
)  # fmt: skip
