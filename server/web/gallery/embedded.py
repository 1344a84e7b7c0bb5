"""The gallery's threads under an article of another site: in templates, what the server would answer there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from markupsafe import Markup

from server.model import Account, StoredComment
from server.web.gallery import made_up
from server.web.gallery.drawn import Exhibit, Gallery
from server.web.gallery.made_up import ANA, LONG_NAME, MOD, chain, comment, thread

_ELEMENT = Markup(
    '<live-thread key="{name}" data-key="{name}" data-act="{act}" class="{kind}" loading="eager">'
    '<a href="#{name}">{link}</a></live-thread>'
)
_ANSWER = Markup('<template id="answer-{name}">{html}</template>')


def exhibits(gallery: Gallery) -> Iterator[Exhibit]:
    def one(
        name: str,
        *found: StoredComment,
        viewer: Account | None = None,
        act: str = "",
        kind: str = "",
        of: dict[str, Any] | None = None,
        **more: Any,
    ) -> Exhibit:
        name = f"embedded-{name}"
        element = _ELEMENT.format(name=name, act=act, kind=kind, link=gallery.words("sites.link_text"))
        html = gallery.thread(thread(name, **(of or {})), found, viewer, **more)
        return Exhibit(name, element + _ANSWER.format(name=name, html=html))

    some = comment(made_up.LONG, LONG_NAME, account=made_up.AUTHOR), comment(name="Cleo", is_edited=True)
    yield one("logged-out", *some)
    yield one("writing-logged-out", *some, act="write")
    yield one("logged-in", *some, viewer=ANA)
    yield one("writing", *some, viewer=ANA, act="write")
    yield one("moderator", comment(state="removed"), comment(), viewer=MOD)
    yield one("locked", *some, of={"locked": True})
    yield one("empty", of={"comments": 0})
    yield one("held", *some, viewer=ANA, is_held=True)
    yield one("pictures", *_pictured())
    yield one("depth", *chain(8))
    yield one("narrow", *chain(3), *some, viewer=ANA, act="write", kind="narrow")
    yield one("dark", *some, viewer=ANA, kind="night", theme="dark")
    refused = _ELEMENT.format(name="embedded-refused", act="", kind="", link=gallery.words("sites.link_text"))
    yield Exhibit("embedded-refused", refused)


def _pictured() -> tuple[StoredComment, ...]:
    first = comment(picture=made_up.PICTURE)
    return first, comment(name="Cleo", parent=first, picture=made_up.PICTURE)
