"""Quotes within a text: finding them in HTML and Markdown, their sources, and cutting them out. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from html import unescape

from server.model import MAX_BODY_CHARACTERS
from server.text import markup

# A mark that is kept in texts and sent with them; `said` and the script put the reader's words in its place.
GONE = "What was quoted here is gone."
_GONE_PARAGRAPH = f"<p>{GONE}</p>"
_GONE_HTML = f"<blockquote>\n{_GONE_PARAGRAPH}\n</blockquote>"
_MARK = re.compile(
    r'<blockquote\b(?: data-sourcepos="(\d+):(\d+)-(\d+):\d+")?[^<>]*+>|(</blockquote>)'
    r'|href="/t/([A-Za-z0-9._~-]{1,200})/c/(\d{1,16})"'
)
_LINK = re.compile(
    r'(?:—\s*+)?<a [^<>]*?href="/t/[^"<>]*/c/(\d{1,16})"[^<>]*+>(?:[^<]|<(?!/?a\b))*+</a>',
)
_SPACE = re.compile(r"\s+")
# So many characters in a row are not shared by chance.
SHARED_CHARACTERS = 12
# What one text may quote: whom each quote quotes has to be found as it is written.
MAX_SOURCES, MAX_QUOTES = 10, 20
# Quotes that name no source, and those within others, counted each: they are walked as often as one of them goes.
MAX_QUOTES_AT_ALL = 200


@dataclass(slots=True)
class Quotation:
    """One quote of an HTML text, from `start` to `end`; `sources` are (thread's key, id) of what it links to itself.

    `lines` are (first line, its column, last line) in the Markdown, from 1, where the HTML tells them.
    """

    start: int
    end: int = 0
    sources: set[tuple[str, int]] = field(default_factory=set)
    lines: tuple[int, int, int] | None = None


def said(html: str, words: Callable[[str], str]) -> str:
    """Return the HTML with the words of a language for the quotes that are gone; `words` returns them as HTML."""
    return html.replace(_GONE_PARAGRAPH, f"<p>{words('comment.quote_gone')}</p>") if GONE in html else html


def find(html: str) -> list[Quotation]:
    """Return the quotes of safe HTML in the order in which they begin: a place is the index in this list."""
    if "<blockquote" not in html:
        return []
    found: list[Quotation] = []
    within: list[Quotation] = []
    for mark in _MARK.finditer(html):
        line, column, last_line, is_end, key, id_ = mark.groups()
        if id_:
            if within:
                within[-1].sources.add((key, int(id_)))
        elif not is_end:
            lines = (int(line), int(column), int(last_line)) if line else None
            within.append(Quotation(mark.start(), lines=lines))
            found.append(within[-1])
        elif within:
            within.pop().end = mark.end()
    return [one for one in found if one.end]


def are_too_many(html: str) -> bool:
    """Say whether the HTML quotes more than one text may."""
    found = find(html)
    sources = [one.sources for one in found if one.sources]
    return (
        len(found) > MAX_QUOTES_AT_ALL
        or len(sources) > MAX_QUOTES
        or len({source for some in sources for source in some}) > MAX_SOURCES
    )


def own_html(html: str, found: list[Quotation], one: Quotation) -> str:
    """Return the HTML of one of the quotes found in `html`, without those within it that name a source themselves."""
    text, end = "", one.start
    for other in found:
        if other.sources and end <= other.start and other.end < one.end:
            text, end = text + html[end : other.start], other.end
    return text + html[end : one.end]


def cut(html: str, places: Collection[int]) -> str:
    """Return the HTML with a gap for each of these quotes, and for the quotes inside them."""
    left, end = [], 0
    for one in _outermost(find(html), places):
        left += [html[end : one.start], _GONE_HTML]
        end = one.end
    return "".join([*left, html[end:]])


def places_after(html: str, places: Collection[int]) -> dict[int, int]:
    """Return where the quotes that are left by `cut(html, places)` stand then, by where they stand now."""
    found = find(html)
    gone = _outermost(found, places)
    # An empty place is a quote as well.
    left = [
        place
        for place, one in enumerate(found)
        if not any(other.start < one.start and one.end < other.end for other in gone)
    ]
    return {place: after for after, place in enumerate(left) if found[place] not in gone}


def cut_markdown(body: str, html: str, places: Collection[int]) -> str | None:
    """Return the Markdown without these quotes of the HTML that it makes; None if it does not make this HTML."""
    found = find(markup.positioned(body))
    if len(found) != len(find(html)):
        return None
    wanted = cut(markup.to_html(body), places)
    for is_apart in (False, True):
        left = _cut_lines(body, _outermost(found, places), is_apart=is_apart)
        made = markup.to_html(left)
        # An empty line more makes paragraphs of a list's lines: that says the same.
        if made == wanted or (is_apart and _outline(made) == _outline(wanted)):
            return left
    return None


def put_back(text: str, body: str, html: str, places: Collection[int]) -> tuple[str, dict[int, int]] | None:
    """Put quotes that were cut from `body` back into `text`, which somebody made of what was left.

    Return the Markdown, and where these quotes, and those in them, stand in `body` by where they stand now. Without
    them it is `text` again. None if none can be put back for sure: an empty place was taken out, or written over.
    """
    left = cut_markdown(body, html, places)
    if left is None:
        return None
    there, shown = find(markup.positioned(body)), find(markup.positioned(left))
    gone = _outermost(there, places)
    outside = [one for one in there if not any(other.start < one.start and one.end < other.end for other in gone)]
    empty, still = _empty_lines(left), _empty_lines(text)
    # Where some were taken out, none of the others tells which of them it is.
    if len(empty) != len(still):
        return None
    by_line = dict(zip(empty, still, strict=True))
    lines, at = text.split("\n"), body.split("\n")
    back: list[int] = []
    for one, other in reversed(list(zip(outside, shown, strict=False))):
        assert one.lines is not None
        assert other.lines is not None
        line = by_line.get(other.lines[0] - 1)
        if one in gone and line is not None:
            lines[line : line + 1] = at[one.lines[0] - 1 : one.lines[2]]
            back.insert(0, there.index(one))
    return _moved("\n".join(lines), text, html, back)


def _empty_lines(text: str) -> list[int]:
    return [number for number, line in enumerate(text.split("\n")) if line.endswith(f"> {GONE}")]


def _moved(made: str, text: str, html: str, places: list[int]) -> tuple[str, dict[int, int]] | None:
    """Return where the quotes that stood at `places` of `html` stand in what was made, if it is as it should be."""
    new_html = markup.to_html(made)
    before, after = find(html), find(new_html)
    moved: dict[int, int] = {}
    for place in places:
        whole = html[before[place].start : before[place].end]
        said = _outline(whole)
        likely = (new for new, one in enumerate(after) if _outline(new_html[one.start : one.end]) == said)
        now = next((new for new in likely if new not in moved), None)
        if now is None:
            return None
        moved |= {now + inside: place + inside for inside in range(len(find(whole)))}
    if not moved or len(made) > MAX_BODY_CHARACTERS or are_too_many(new_html):
        return None
    return (made, moved) if cut_markdown(made, new_html, moved) == text else None


def _cut_lines(text: str, quotes: list[Quotation], *, is_apart: bool) -> str:
    """Take the lines of these quotes out, and put an empty line behind them where what follows has to stand apart."""
    lines = text.split("\n")
    for one in reversed(quotes):
        assert one.lines is not None
        first, column, last = one.lines
        # What stands before a quote is the quote or the list that it is in.
        before = lines[first - 1].encode()[: column - 1].decode(errors="ignore")
        rest = re.sub(r"[^>\s]", " ", before).rstrip()
        apart = [rest] if is_apart and last < len(lines) and lines[last].strip(" \t>") else []
        lines[first - 1 : last] = [f"{before}> {GONE}", *apart]
    return "\n".join(lines).strip()


def _outline(html: str) -> list[str]:
    return [plain(part) for part in re.split(r"(?=<blockquote|</blockquote)", html)]


def _outermost(found: list[Quotation], places: Collection[int]) -> list[Quotation]:
    chosen: list[Quotation] = []
    for place in sorted(places):
        if place < len(found) and not (chosen and found[place].start < chosen[-1].end):
            chosen.append(found[place])
    return chosen


def plain(html: str) -> str:
    """Return what HTML says, without any space, to be compared."""
    return _SPACE.sub("", unescape(markup.TAG.sub("", html)))


def said_in(html: str, source: int) -> str:
    """Return what a quote says, without the link to its source."""
    return plain(_LINK.sub(lambda link: "" if int(link[1]) == source else link[0], html))


def parts(text: str, step: int = 1) -> set[str]:
    """Return runs of a plain text that another does not share by chance: all of them, or one in `step`."""
    return {text[at : at + SHARED_CHARACTERS] for at in range(0, max(1, len(text) - SHARED_CHARACTERS + 1), step)}
