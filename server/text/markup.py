"""From Markdown to safe HTML: the one renderer of all comments."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Mapping
from html import escape, unescape
from urllib.parse import quote

import nh3

from server.text import characters, markdown

_TAGS = {
    "a", "blockquote", "br", "code", "del", "em", "hr", "li", "ol", "p", "pre", "strong", "ul",
    "h1", "h2", "h3", "h4", "h5", "h6", "i", "b", "s", "span",
}  # fmt: skip
_ABSOLUTE = re.compile(r"(?:https?://|mailto:)[^\s]+$|/t/[A-Za-z0-9._~-]{1,200}/c/\d{1,16}$", re.IGNORECASE)
_HEADING = re.compile(r"<(/?)h[1-6]>")
MAX_MENTIONS = 10
# No mark lies between these: Han, Hangul and old scripts do. To ask of every character takes a tenth of the start.
_WITH_MARKS = (
    range(0x300, 0x3400), range(0xA600, 0xAC00), range(0xFB00, 0xFF00), range(0x10100, 0x12000),
    range(0x16A00, 0x17000), range(0x1B000, 0x1F000),
)  # fmt: skip
# Vowel signs, voicing marks and joiners are parts of words, which \w does not know.
_OF_WORDS = "\\w\u200c\u200d" + "".join(
    chr(code) for code in itertools.chain(*_WITH_MARKS) if unicodedata.category(chr(code)) in ("Mn", "Mc")
)
_MENTION = re.compile(rf'(?<![\w@/])@(?:"([^"\n]{{1,40}})"|(\w[{_OF_WORDS}.-]{{0,39}}))')
_MENTION_IN_HTML = re.compile(
    rf'(?<![\w@/])@(?:(?:&quot;|")((?:[^"\n&]|&(?!quot;)[a-z0-9#]+;){{1,40}})(?:&quot;|")|(\w[{_OF_WORDS}.-]{{0,39}}))'
)
# Anything that starts like a tag is taken, if need be to the end, so that no character is read twice.
TAG = re.compile(r'(<[^<>"]*+(?:"[^"]*+"?[^<>"]*+)*+>?)')
_NO_MENTION = re.compile(r"<(/?)(?:a|code|pre)\b")
# Foreign HTML that is nested deeper loses its tags there: a parser's work grows with the depth.
MAX_HTML_DEPTH = 100
_HTML_TAG = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9]*)")
# They have no end, or end by themselves.
_ENDLESS = {
    "area", "base", "br", "col", "dd", "dt", "embed", "hr", "img", "input", "li", "link", "meta", "option", "p",
    "param", "source", "td", "th", "tr", "track", "wbr",
}  # fmt: skip
_BLOCK = re.compile(r"</?(?:blockquote|br|hr|li|ol|p|pre|ul|h[1-6])\b")


def mentions(body: str) -> list[str]:
    """Return the names that the body may mention, as `@name` or `@"more than one word"`: at most ten."""
    found = (quoted or bare.rstrip(".-") for quoted, bare in _MENTION.findall(body))
    return list(dict.fromkeys(name for name in found if name))[:MAX_MENTIONS]


def to_html(body: str, people: Mapping[str, str] | None = None) -> str:
    """Render Markdown. Raw HTML in it is shown as text; tables and remote images are not known.

    `people` gives the account's name for each mention that is one's: these become links to their profiles.
    """
    html = _allowed(markdown.render(body))
    return _with_mentions(html, people) if people else html


def positioned(body: str) -> str:
    """Render Markdown so that each element tells where it stands in it: to be read, never to be shown."""
    return markdown.render(body, positions=True)


def _with_mentions(html: str, people: Mapping[str, str]) -> str:
    """Link the mentions in safe HTML, except within links and code."""
    parts: list[str] = []
    inside = 0
    for part in TAG.split(html):
        if part.startswith("<"):
            match = _NO_MENTION.match(part)
            inside += 0 if match is None else -1 if match[1] else 1
        is_text = not inside and not part.startswith("<")
        parts.append(_MENTION_IN_HTML.sub(lambda match: _mention(match, people), part) if is_text else part)
    return "".join(parts)


def _mention(match: re.Match[str], people: Mapping[str, str]) -> str:
    bare = (match[2] or "").rstrip(".-")
    given = unescape(match[1]) if match[1] else bare
    name = people.get(given)
    if name is None:
        return match[0]
    # A name that the account had before stays as it was written.
    shown = name if name.casefold() == given.casefold() else given
    rest = match[0][len(bare) + 1 :] if match[2] else ""
    return f'<a class="mention" href="/u/{quote(name, safe="")}">@{escape(shown)}</a>{rest}'


def _absolute_links_only(tag: str, attribute: str, value: str) -> str | None:
    return value if attribute != "href" or _ABSOLUTE.match(value) else None


# Made once: that costs more than a short text's cleaning.
_CLEANER = nh3.Cleaner(
    tags=_TAGS,
    allowed_classes={"span": {"spoiler"}},
    attributes={"a": {"href", "title"}, "ol": {"start"}},
    url_schemes={"http", "https", "mailto"},
    attribute_filter=_absolute_links_only,
    link_rel="nofollow ugc noopener noreferrer",
    strip_comments=True,
    clean_content_tags={"script", "style", "svg", "math", "iframe", "object", "noscript", "template", "title"},
)


def safe(html: str) -> str:
    """Return foreign `html` reduced to the allow-list."""
    return _allowed(_shallow(html))


def plain_text(html: str) -> str:
    """Return the words that safe HTML shows, blocks on lines of their own."""
    parts = TAG.split(html)
    # Text and tags by turns.
    parts[1::2] = ["\n" if _BLOCK.match(tag) else "" for tag in parts[1::2]]
    return unescape("".join(parts)).strip()


def with_whole_links(html: str, origin: str) -> str:
    """Return safe HTML for readers elsewhere: links to this server name it."""
    parts = TAG.split(html)
    return "".join(part.replace('href="/', f'href="{origin}/') if part.startswith("<a ") else part for part in parts)


def shows_nothing(html: str) -> bool:
    return not characters.is_visible(plain_text(html))


def _shallow(html: str) -> str:
    if html.count("<") <= MAX_HTML_DEPTH:
        return html
    depth = 0

    def tag(match: re.Match[str]) -> str:
        nonlocal depth
        if match[2].lower() in _ENDLESS:
            return match[0]
        is_kept = depth + (not match[1]) <= MAX_HTML_DEPTH
        depth = max(0, depth + (-1 if match[1] else 1))
        # A parser takes it for a comment.
        return match[0] if is_kept else f"<!{match[0][1:]}"

    return _HTML_TAG.sub(tag, html)


def _allowed(html: str) -> str:
    """The only door by which HTML comes into the database."""
    cleaned = _CLEANER.clean(html)
    # The page's outline belongs to the page.
    plain = _HEADING.sub(r"<\1p>", characters.without_dangerous(cleaned)).strip()
    # Keyboard users must be able to reach hidden text.
    return plain.replace('<span class="spoiler">', '<span class="spoiler" tabindex="0">')
