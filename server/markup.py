"""From what people write to HTML that is safe to show: the one renderer of all bodies."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from html import escape, unescape
from urllib.parse import quote

import comrak
import nh3

from server.errors import Invalid
from server.model import MAX_BODY_CHARACTERS

MAX_QUOTE_DEPTH = 8
_TAGS = {
    "a", "blockquote", "br", "code", "del", "em", "hr", "li", "ol", "p", "pre", "strong", "ul",
    "h1", "h2", "h3", "h4", "h5", "h6", "i", "b", "s", "span",
}  # fmt: skip
# What is no part of a text: controls, invisible characters, and those that turn the direction of what follows.
_DROPPED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
_MARKS = "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
_TOO_MANY_MARKS = re.compile(f"({_MARKS}{{4}}){_MARKS}+")
_DEEP_QUOTE = re.compile(rf"^(?:[ \t]*>){{{MAX_QUOTE_DEPTH + 1}}}[ \t>]*", re.MULTILINE)
_DEEP_LIST = re.compile(r"^(?:[ \t]*(?:[-+*]|\d{1,9}[.)])[ \t]+){9,}", re.MULTILINE)
_ABSOLUTE = re.compile(r"(?:https?://|mailto:)[^\s]+$|/t/[A-Za-z0-9._~-]{1,200}/c/\d{1,16}$", re.IGNORECASE)
_HEADING = re.compile(r"<(/?)h[1-6]>")
MAX_MENTIONS = 10
_MENTION = re.compile(r'(?<![\w@/])@(?:"([^"\n]{1,40})"|(\w[\w.-]{0,39}))')
_MENTION_IN_HTML = re.compile(r'(?<![\w@/])@(?:(?:&quot;|")([^"\n&]{1,40})(?:&quot;|")|(\w[\w.-]{0,39}))')
_TAG = re.compile(r'(<(?:[^>"]|"[^"]*")*>)')
_NO_MENTION = re.compile(r"<(/?)(?:a|code|pre)\b")
# Emphasis and brackets nested by the thousand cost more than they say.
_RUN = re.compile(r"([*_~\[\]!`]{32})[*_~\[\]!`]+")


def clean_text(text: str) -> str:
    """Return a body as it is kept: NFC, unix line ends, nothing invisible, at most four combining marks in a row."""
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    return _TOO_MANY_MARKS.sub(r"\1", _DROPPED.sub("", text)).strip()


def clean_body(text: str) -> str:
    """Return the body that may be kept. Raises Invalid (field body) where nothing is left or it is too long."""
    body = clean_text(text)
    if len(text) > MAX_BODY_CHARACTERS:
        raise Invalid(
            f"A comment has at most {MAX_BODY_CHARACTERS:,} characters; this one has {len(text):,}.", field="body"
        )
    if not body:
        raise Invalid("The comment is empty.", field="body")
    return body


def mentions(body: str) -> list[str]:
    """Return the names that the body may mention, as `@name` or `@"more than one word"`: at most ten."""
    found = (quoted or bare.rstrip(".-") for quoted, bare in _MENTION.findall(body))
    return list(dict.fromkeys(name for name in found if name))[:MAX_MENTIONS]


def to_html(body: str, people: Mapping[str, str] | None = None) -> str:
    """Render Markdown. Raw HTML in it is shown as text; tables and remote images are not known.

    `people` gives the account's name for each mention that is one's: these become links to their profiles.
    """
    html = safe(_rendered(bounded(body)))
    return _with_mentions(html, people) if people else html


def bounded(body: str) -> str:
    """Return the body without what is only costly: beyond a few levels a quote is no longer read, and each multiplies
    the work. Its lines stay."""
    return _RUN.sub(r"\1", _DEEP_LIST.sub("- ", _DEEP_QUOTE.sub("> " * MAX_QUOTE_DEPTH, body)))


def positioned(text: str) -> str:
    """Render bounded Markdown so that each element tells where it stands in it: to be read, never to be shown."""
    return _rendered(text, positions=True)


def _rendered(text: str, *, positions: bool = False) -> str:
    extension = comrak.ExtensionOptions()
    extension.autolink = True
    extension.strikethrough = True
    extension.spoiler = True
    render = comrak.RenderOptions()
    render.escape = True
    render.hardbreaks = True
    render.sourcepos = positions
    return comrak.render_markdown(text, extension_options=extension, render_options=render)


def _with_mentions(html: str, people: Mapping[str, str]) -> str:
    """Link what is mentioned in the text of safe HTML, but not within links and code."""
    parts: list[str] = []
    inside = 0
    for part in _TAG.split(html):
        if part.startswith("<"):
            match = _NO_MENTION.match(part)
            inside += 0 if match is None else -1 if match[1] else 1
        is_text = not inside and not part.startswith("<")
        parts.append(_MENTION_IN_HTML.sub(lambda match: _mention(match, people), part) if is_text else part)
    return "".join(parts)


def _mention(match: re.Match[str], people: Mapping[str, str]) -> str:
    bare = (match[2] or "").rstrip(".-")
    name = people.get(unescape(match[1]) if match[1] else bare)
    if name is None:
        return match[0]
    rest = match[0][len(bare) + 1 :] if match[2] else ""
    return f'<a class="mention" href="/u/{quote(name, safe="")}">@{escape(name)}</a>{rest}'


def _absolute_links_only(tag: str, attribute: str, value: str) -> str | None:
    return value if attribute != "href" or _ABSOLUTE.match(value) else None


def safe(html: str) -> str:
    """Return `html` reduced to the allow-list: the only door by which HTML comes into the database."""
    cleaned = nh3.clean(
        html,
        tags=_TAGS,
        allowed_classes={"span": {"spoiler"}},
        attributes={"a": {"href", "title"}, "ol": {"start"}},
        url_schemes={"http", "https", "mailto"},
        attribute_filter=_absolute_links_only,
        link_rel="nofollow ugc noopener noreferrer",
        strip_comments=True,
        clean_content_tags={"script", "style", "svg", "math", "iframe", "object", "noscript", "template", "title"},
    )
    # The page's outline belongs to the page.
    plain = _HEADING.sub(lambda match: f"<{match[1]}p>", _DROPPED.sub("", cleaned)).strip()
    # Whoever reads with the keyboard must come to what is hidden.
    return plain.replace('<span class="spoiler">', '<span class="spoiler" tabindex="0">')
