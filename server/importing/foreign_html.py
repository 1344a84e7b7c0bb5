"""Foreign HTML for display: embeds become links, and excessive markup is reduced to its text."""

from __future__ import annotations

import re
from html import escape, unescape

from server.text import markup

# Elements within each other cost a parser their number times their depth, and how deep they are only it can tell.
MAX_ELEMENTS = 1_000
_ELEMENT = re.compile(r"<(?!(?:p|br|hr|img|wbr)\b)[A-Za-z]", re.IGNORECASE)
_EMBEDDED = re.compile(r"<(?:img|iframe|video|audio|embed)\b([^<>]*+)>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""\b(src|alt|class)\s{0,10}=\s{0,10}(?:"([^"]*+)"|'([^']*+)')""", re.IGNORECASE)
_EMPTY_LINES = re.compile(r"\n(?:[ \t]*+\n)+")


def safe(html: str) -> str:
    """Return `html` reduced to the allow-list, in time proportional to its length."""
    linked = _EMBEDDED.sub(_link, html)
    elements = _ELEMENT.finditer(linked)
    if sum(1 for _ in elements) <= MAX_ELEMENTS:
        return markup.safe(linked)
    paragraphs = (part.strip() for part in _EMPTY_LINES.split(markup.plain_text(linked)))
    return markup.safe("".join(f"<p>{escape(part).replace(chr(10), '<br>')}</p>\n" for part in paragraphs if part))


def _link(match: re.Match[str]) -> str:
    has = {name.lower(): unescape(one or other) for name, one, other in _ATTRIBUTE.findall(match[1])}
    says, kind, address = has.get("alt", "").strip(), has.get("class", ""), has.get("src", "")
    if "emoji" in kind or not address:
        return escape(says)
    return "" if "avatar" in kind else f'<a href="{escape(address)}">{escape(says or address)}</a>'
