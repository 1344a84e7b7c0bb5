"""Comments as HTML, each drawn once for everybody, and the personal parts that are put into it. Knows no request.

What a template would ask about the viewer is a macro of its own in `parts.html`, and stands between two cuts.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import jinja2
from markupsafe import Markup, escape

from channels.messages import Comment
from server.locales import Texts
from server.model import MAX_DEPTH, Appearance
from server.web.pages.nesting import Place
from server.web.pages.slots import Cut, cut

# What the root of a page, its head, and a thread on another site's page say of how it looks.
LOOK = ("look_root", "look_head", "look_thread")


@dataclass(frozen=True, slots=True)
class Personal:
    """What an account sees of a comment beside what all see: its vote, the score with it, what is its own, or new."""

    vote: int = 0
    score: int = 0
    is_own: bool = False
    is_fresh: bool = False


@dataclass(frozen=True, slots=True)
class Fragment:
    """One comment: what stands before the replies to it, and after. `slots` are places within `before`."""

    before: bytes
    slots: tuple[tuple[str, int, int], ...]
    between: bytes
    after: bytes

    @property
    def held_bytes(self) -> int:
        return len(self.before) + len(self.between) + len(self.after)

    def filled(self, values: Mapping[str, bytes]) -> bytes:
        """Return `before` with these values in their slots; the others stay as all see them."""
        pieces, at = [], 0
        for name, start, end in self.slots:
            if name in values:
                pieces += [self.before[at:start], values[name]]
                at = end
        return b"".join((*pieces, self.before[at:]))


@dataclass(frozen=True, slots=True)
class _Node:
    """A comment as the macro draws it."""

    comment: Comment
    depth: int
    parent_name: str | None
    context: bool
    moderates: bool
    is_cut: bool = True
    mine: bool = False
    vote: int = 0
    fresh: bool = False

    @property
    def score(self) -> int:
        return self.comment.score or 0

    def cut(self, name: str) -> Markup:
        return cut(name) if self.is_cut else Markup()


def key(place: Place, drawing: Drawing, *, moderates: bool) -> Hashable:
    """Return what a fragment is kept by: whatever its HTML is made of."""
    head = place.comment
    return (
        "fragment",
        drawing.base,
        drawing.language,
        head.id,
        head.version,
        head.state,
        head.author_name,
        head.author_role,
        head.author_picture,
        head.is_of_thread_author,
        head.hidden_quotes,
        place.depth,
        place.parent_name,
        place.context,
        moderates,
    )


def _fragment(parts: Iterator[bytes], names: Iterator[str]) -> Fragment:
    """Take one comment from what was drawn of several."""
    slots: list[tuple[str, int, int]] = []
    before = between = b""
    text = bytearray()
    slot, start = "", 0
    for name in names:
        text += next(parts)
        if name == "":
            slots.append((slot, start, len(text)))
        elif name == "within":
            before = bytes(text)
            text.clear()
        elif name == "after":
            between = bytes(text)
            text.clear()
        elif name == "next":
            break
        else:
            slot, start = name, len(text)
    return Fragment(before, tuple(slots), between, bytes(text))


class Drawing:
    """Draws by the templates; `site` is what all pages have in common, and never changes.

    All links begin with the `base` of the templates: a path here, the whole address on other sites' pages.
    """

    def __init__(self, environment: jinja2.Environment, site: dict[str, Any]) -> None:
        self.environment = environment
        self.base = str(environment.globals["base"])
        self._texts = cast("Texts", environment.globals["texts"])
        self.language = self._texts.language
        self.site = site
        # For all templates: to import it, each would make its macros again for every page.
        self._module = environment.globals["parts"] = environment.get_template("parts.html").make_module({"site": site})
        self._forms: dict[tuple[str, tuple[object, ...]], Cut] = {}
        self._looks: dict[tuple[str, str], Mapping[str, Markup]] = {}

    def fragments(self, drawn: Sequence[tuple[Place, Comment]], thread_key: str, *, moderates: bool) -> list[Fragment]:
        """Draw these comments."""
        nodes = [_Node(comment, place.depth, place.parent_name, place.context, moderates) for place, comment in drawn]
        # By the macro itself: after a change there is one to draw, and a template around it costs as well.
        draw = self._module.comment  # type: ignore[attr-defined]
        made = Cut.of("".join(draw(node, thread_key, MAX_DEPTH, caller=_below) + cut("next") for node in nodes))
        parts, names = iter(made.parts), iter(made.names)
        return [_fragment(parts, names) for _ in nodes]

    def part(self, macro: str, **values: Any) -> bytes:
        """Draw one macro of `parts.html`."""
        return str(getattr(self._module, macro)(**values)).encode()

    def look(self, chosen: Appearance) -> Mapping[str, Markup]:
        """Return how the account has pages shown, by the names of `LOOK`: drawn once for all who chose the same."""
        kind = chosen.density, chosen.theme
        if kind not in self._looks:
            density, theme = kind
            self._looks[kind] = {name: Markup(self.part(name, density=density, theme=theme).decode()) for name in LOOK}
        return self._looks[kind]

    def news(
        self, thread_key: str, since: dict[str, Any] | None, mark: dict[str, int] | None, *, only_new: bool
    ) -> bytes:
        """Draw what is new to an account since its visit; `mark`: what the form "Mark as read" sends, or no form."""
        if since is not None or only_new:
            return self.part("news", thread_key=thread_key, since=since, mark=mark, only_new=only_new)
        sent = mark or {}
        form = self._form(
            "news",
            tuple(sent),
            thread_key=cut("key"),
            since=None,
            mark={field: cut(field) for field in sent} or None,
            only_new=False,
        )
        values = {field: b"%d" % value for field, value in sent.items()}
        return form.filled({"key": str(escape(thread_key)).encode(), **values})

    def unseen(self, found: Sequence[object]) -> bytes:
        """Draw the comments that their author alone sees."""
        return self.part("unseen", found=found) if found else self._form("unseen", (), found=()).filled({})

    def blanks(self, thread_key: str, *, is_anonymous: bool) -> Markup:
        """Return the templates that the script clones. Of the viewer they show only whether there is one."""
        form = self._form(
            "blanks",
            (is_anonymous,),
            thread={"key": cut("key")},
            viewer=not is_anonymous,
            placeholder=_placeholder(),
            max_depth=MAX_DEPTH,
        )
        return Markup(form.filled({"key": str(escape(thread_key)).encode()}).decode())

    def slots(self, id_: int, personal: Personal) -> dict[str, bytes]:
        """Return what stands in a comment's slots for one account."""
        written = self._texts("count.number", count=personal.score).encode()
        known = {"id": b"%d" % id_, "score": b"%d" % personal.score, "written": written}
        mine, fresh, vote = personal.is_own, personal.is_fresh, personal.vote
        cuts = {name: cut(name) for name in known}
        return {
            "marks": self._form("marks", (fresh,), fresh=fresh).filled(known),
            "vote": self._form("vote", (vote, mine), value=vote, mine=mine, **cuts).filled(known),
        }

    def _form(self, macro: str, kind: tuple[object, ...], **values: Any) -> Cut:
        """Return a macro that was drawn once for all of this `kind`, of which there are few."""
        if (macro, kind) not in self._forms:
            self._forms[macro, kind] = Cut.of(str(getattr(self._module, macro)(**values)))
        return self._forms[macro, kind]


def _below(_: _Node) -> Markup:
    """Return what stands below a comment: the place of its replies, and of what comes after them."""
    return Markup("<ol>") + cut("within") + Markup("</ol>\n") + cut("after") + Markup("\n")


def _placeholder() -> _Node:
    empty = Comment(
        id=0, version=0, parent=None, revision=1, state="visible", author=None, html="",
        created="1970-01-01T00:00:00.000Z", arrived=0, edited=None, score=0, replies=0,
    )  # fmt: skip
    return _Node(empty, 0, "", context=False, moderates=False, is_cut=False, mine=True)
