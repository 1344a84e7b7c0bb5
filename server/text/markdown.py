"""Markdown to HTML by comrak, within bounds that no text passes, and with our own reading of a few signs.

Whatever is read otherwise is marked in the text by code points that no body holds, and unmarked in the HTML: so comrak
alone decides what is code, a link or a quote, and code stays to the letter. Its HTML is not safe to show yet.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from html import escape
from itertools import count, islice

import comrak

# A longer one comes from a file alone; it is shown in paragraphs as it stands, since comrak's work is not all linear.
MAX_CHARACTERS = 100_000
# How deep an element may be nested in its own kind. Deeper ones lose the element, never the words.
MAX_DEPTH = {"quote": 8, "list": 16, "span": 16}
MAX_QUOTE_DEPTH = MAX_DEPTH["quote"]
_KINDS = {
    "blockquote": "quote", "ol": "list", "ul": "list",
    "em": "span", "strong": "span", "del": "span", "span": "span",
}  # fmt: skip
_TILDE, _BAR, _STAR, _END = "\ufdd0", "\ufdd1", "\ufdd3", " \ufdd2"
_OURS = dict.fromkeys(range(0xFDD0, 0xFDD4))
_IN_ADDRESSES = {"%EF%B7%90": "~", "%EF%B7%91": "%7C", "%EF%B7%93": "*"}
# Only there: in a text the same letters are somebody's words.
_HREF = re.compile(r' href="[^"]*"')
_TAG = re.compile(r"<(/?)([a-z][a-z0-9]*)([^<>]*)>(\n?)")
_ATTRIBUTE = re.compile(r' (src|alt|title)="([^"]*)"')
_SIGNS = re.compile(r"\\[\\|~*]|~+|\|+|(?<=[0-9])\*{1,2}(?=[0-9A-Za-z])|(?<=[A-Za-z])\*{1,2}(?=[0-9])")
# Destinations of links are whole; an address in the text ends somewhere.
_ADDRESS = re.compile(
    r"^ {0,3}\[[^\]\n]*\]:[ \t]*\S*|\]\([ \t]*[^\s)]*|<[^\s>]*|((?:https?://|ftp://|www\.)[^ \t\n<]*)",
    re.IGNORECASE | re.MULTILINE,
)
# Of scripts that put no space there; spaces that comrak takes for letters, and marks that nobody sees.
_ENDS_ADDRESS = re.compile(
    "[、。〃〈-】〔-〛〝-〟｟-､！＂＇（），．：；？［］｛｝។-៚၊။།-༔๚๛\xa0\u1680\u2000-\u200b\u200e\u200f\u061c\u202f\u205f\u2060\u3000]"
)
# comrak counts all brackets again for each sign at the end of an address.
_LONG_END = re.compile(r"""[)\]?!.,:*_~'"&;]{64}""")
_AT_THE_END = "?!.,:;*_~'\""
_QUOTES = "\"'*_~"
_BEFORE_SPOILER, _AFTER_SPOILER = ".,;:!?—–…>", ".,;:!?—–…<-"


def render(text: str, *, positions: bool = False) -> str:
    """Return the HTML of Markdown; `positions`: each element tells where it stands in the text."""
    if len(text) > MAX_CHARACTERS:
        return _paragraphs(text)
    html = comrak.render_markdown(_marked(text), *_options(positions=positions))
    return _bounded(_unmarked(html))


@cache
def _options(*, positions: bool) -> tuple[comrak.ExtensionOptions, comrak.ParseOptions, comrak.RenderOptions]:
    extension = comrak.ExtensionOptions()
    extension.autolink = True
    extension.strikethrough = True
    extension.spoiler = True
    extension.cjk_friendly_emphasis = True
    parse = comrak.ParseOptions()
    # A line of signs under a text is that: a heading would lose it.
    parse.ignore_setext = True
    render = comrak.RenderOptions()
    render.escape = True
    render.hardbreaks = True
    render.ignore_empty_links = True
    render.sourcepos = positions
    return extension, parse, render


def _paragraphs(text: str) -> str:
    parts = (part.strip("\n") for part in text.split("\n\n"))
    return "".join("<p>" + escape(part).replace("\n", "<br />\n") + "</p>\n" for part in parts if part)


def _marked(text: str) -> str:
    """Mark single tildes and operators as text, and where bare addresses end."""
    text = text if text.isascii() else text.translate(_OURS)
    if "~" in text or "||" in text or "*" in text:
        text = _SIGNS.sub(_sign, text)
    # Most texts have no address, and looking for one takes longer than comrak.
    return _ADDRESS.sub(_address, text) if "://" in text or "www." in text.lower() else text


def _unmarked(html: str) -> str:
    html = html.replace(_END, "").replace(_TILDE, "~").replace(_BAR, "|").replace(_STAR, "*")
    return _HREF.sub(_unmarked_address, html) if "%EF%B7%9" in html else html


def _unmarked_address(match: re.Match[str]) -> str:
    address = match[0]
    for ours, sign in _IN_ADDRESSES.items():
        address = address.replace(ours, sign)
    return address


def _sign(match: re.Match[str]) -> str:
    sign = match[0]
    if sign == "~":
        # One is about, or up to: two strike out.
        return _TILDE
    if sign[0] == "*":
        # Between digits it multiplies, and two are a power.
        return _STAR * len(sign)
    return _BAR * 2 if sign == "||" and not _hides(match.string, match.start(), match.end()) else sign


def _hides(text: str, start: int, end: int) -> bool:
    """Say whether `||` stands where a spoiler may begin or end, not between two operands."""
    before, after = text[start - 1 : start].strip(), text[end : end + 1].strip()
    outside = next((text[at] for at in range(start - 1, -1, -1) if text[at] not in _QUOTES), " ")
    beyond = next((text[at] for at in islice(count(end), len(text) - end) if text[at] not in _QUOTES), " ")
    opens = after and (_may_stand_at(outside, "Ps", "Pi", _BEFORE_SPOILER))
    closes = before and (_may_stand_at(beyond, "Pe", "Pf", _AFTER_SPOILER))
    return bool(opens or closes)


def _may_stand_at(letter: str, bracket: str, quote: str, signs: str) -> bool:
    kind = unicodedata.category(letter)
    is_unspaced = letter >= "\u0e00" and kind[0] in "LMP" and not "\u10a0" <= letter <= "\u177f" and kind != "Ll"
    is_foreign = kind == "Po" and not letter.isascii()
    return letter.isspace() or kind in (bracket, quote) or letter in signs or is_unspaced or is_foreign


def _address(match: re.Match[str]) -> str:
    """Let an address in the text end before the punctuation of a sentence that is written without spaces."""
    address = match[1]
    if address is None or (address.isascii() and len(address) < 64):
        return match[0]
    for ending in (_ENDS_ADDRESS.search(address), _LONG_END.search(address)):
        address = address[: ending.start()] if ending else address
    end = len(address)
    while end and (address[end - 1] in _AT_THE_END or _is_foreign_sign(address[end - 1])):
        end -= 1
    while end < len(address) and address[end].isascii():
        end += 1
    return match[0] if end == len(match[1]) else f"{match[1][:end]}{_END}{match[1][end:]}"


def _is_foreign_sign(letter: str) -> bool:
    return not letter.isascii() and unicodedata.category(letter)[0] == "P"


def _bounded(html: str) -> str:
    """Return comrak's HTML with nothing nested too deep, and with links for its images."""
    if "<img" not in html and html.count("<") <= 2 * min(MAX_DEPTH.values()):
        return html
    depth = dict.fromkeys(MAX_DEPTH, 0)
    links = 0

    def tag(match: re.Match[str]) -> str:
        nonlocal links
        is_end, name, rest, line_end = match.groups()
        if name == "img":
            return _linked(rest, is_within=links > 0) + line_end
        if name == "a":
            links += -1 if is_end else 1
        kind = _KINDS.get(name)
        if kind is None:
            return match[0] if name != "li" or depth["list"] <= MAX_DEPTH["list"] else "" if is_end else "\n"
        is_kept = depth[kind] + (not is_end) <= MAX_DEPTH[kind]
        depth[kind] += -1 if is_end else 1
        return match[0] if is_kept else line_end if kind == "span" else ""

    return _TAG.sub(tag, html)


def _linked(attributes: str, *, is_within: bool) -> str:
    """Return the link shown for an image: its alternative text, or else its address."""
    image: dict[str, str] = dict(_ATTRIBUTE.findall(attributes))
    says = image.get("alt") or image.get("src", "")
    if is_within or not says:
        return says
    title = f' title="{image["title"]}"' if "title" in image else ""
    return f'<a href="{image.get("src", "")}"{title}>{says}</a>'
