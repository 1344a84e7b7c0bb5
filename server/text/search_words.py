"""Words as search compares them: without case and accents, in every script. Pure.

A text becomes tokens with single spaces between them. Scripts that put no spaces between words become pairs of
characters, and the last one alone: any part of them can be found as a phrase.
"""

from __future__ import annotations

import functools
import itertools
import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from html import escape, unescape

from server.text import markup

# Han, kana, bopomofo, Hangul, Yi, Thai, Lao, Myanmar, Khmer, scripts of Yunnan and of Java and Bali; and pictures.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u1950-\u19df\u1a20-\u1aaf\u1b00-\u1b7f\u2190-\u2bff"
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3040-\u31ff\u3400-\u4dbf\u4e00-\ua4cf\ua960-\ua9ff\uaa60-\uaa7f"
    "\uac00-\ud7ff\uf900-\ufaff\U0001b000-\U0001b16f\U0001f000-\U0001faff\U00020000-\U000323af"
)
_RUN = re.compile(f"[{_UNSPACED}]+")
# Letters with a stroke or joined, which Unicode takes for letters of their own; letters that differ by keyboard alone.
_ALIKE = {
    "ø": "o", "ł": "l", "đ": "d", "ħ": "h", "ŧ": "t", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d",
    "ی": "ي", "ى": "ي", "ک": "ك",
}  # fmt: skip
# Accents of Latin, Greek and Cyrillic, the points of Hebrew and Arabic, tatweel; variants and colours of pictures. The
# marks of other scripts are vowels and voices: words differ by them.
_DROPPED = (
    (0x0300, 0x036F), (0x0483, 0x0489), (0x0591, 0x05BD), (0x05BF, 0x05BF), (0x05C1, 0x05C2), (0x05C4, 0x05C5),
    (0x05C7, 0x05C7), (0x0610, 0x061A), (0x0640, 0x0640), (0x064B, 0x065F), (0x0670, 0x0670), (0x06D6, 0x06DC),
    (0x06DF, 0x06E4), (0x06E7, 0x06E8), (0x06EA, 0x06ED), (0x1AB0, 0x1AFF), (0x1DC0, 0x1DFF), (0x20D0, 0x20FF),
    (0xFE00, 0xFE0F), (0xFE20, 0xFE2F), (0x1F3FB, 0x1F3FF), (0xE0000, 0xE01EF),
)  # fmt: skip
# For private use, and no letter of any font that is known: dropped from texts.
_THREAD = "\uf8fd"
# Words from this length on are found by their beginning.
BEGUN_CHARACTERS = 3
# Where other things than letters lie: between these are Han and Hangul, and beyond them old scripts.
_MIXED = (range(0x3400), range(0xA000, 0xAC00), range(0xF900, 0x12000), range(0x1B000, 0x20000))


@functools.cache
def _table() -> dict[int, str | None]:
    """Return what becomes of each character that does not stand for itself."""
    table: dict[int, str | None] = {}
    for code in itertools.chain(*_MIXED):
        character = chr(code)
        category = unicodedata.category(character)
        if category == "Cf":
            table[code] = None
        elif category[0] in "PZ" or category in ("Cc", "Cs", "Sm", "Sc", "Sk"):
            table[code] = " "
        elif category == "Nd":
            table[code] = str(unicodedata.decimal(character))
    for first, last in _DROPPED:
        table |= dict.fromkeys(range(first, last + 1))
    table[ord(_THREAD)] = None
    for letter, plain in _ALIKE.items():
        table[ord(letter)] = table[ord(letter.upper())] = plain
    return table


def _plain(text: str) -> str:
    """Return the text without case and accents, with spaces for everything outside words."""
    bare = unicodedata.normalize("NFKD", text).translate(_table()).casefold()
    return unicodedata.normalize("NFC", bare)


def _pairs(run: re.Match[str]) -> str:
    text = run[0]
    return f" {' '.join(text[at : at + 2] for at in range(len(text)))} "


def tokens(text: str) -> str:
    """Return the tokens of a text, with single spaces between them."""
    return " ".join(_RUN.sub(_pairs, _plain(text)).split())


@dataclass(frozen=True, slots=True)
class Phrase:
    """One word that is searched for; by its beginning where `is_begun`.

    `tokens` have to follow each other; `text` is the word itself, without case and accents.
    """

    tokens: str
    text: str
    is_begun: bool

    def is_in(self, tokens: str) -> bool:
        return f" {self.tokens}{'' if self.is_begun else ' '}" in f" {tokens} "


def phrases(query: str) -> list[Phrase]:
    """Return the words of a query, each once; those of nothing but signs are none."""
    found: dict[str, Phrase] = {}
    for word in query.split():
        parts = tokens(word).split()
        # The last character stands in the pair before it as well.
        if len(parts) > 1 and _RUN.match(parts[-1]) and parts[-2][1:] == parts[-1]:
            parts.pop()
        if parts:
            is_begun = len(parts[-1]) >= BEGUN_CHARACTERS or _RUN.match(parts[-1]) is not None
            found[" ".join(parts)] = Phrase(" ".join(parts), " ".join(_plain(word).split()), is_begun)
    return list(found.values())


def of_thread(thread: int) -> str:
    """Return the word by which the comments of a thread are indexed: no text has such a character."""
    return f"{_THREAD}{thread}"


def matching(wanted: list[Phrase], endings: Callable[[str], list[str]], threads: list[int] | None = None) -> str:
    """Return FTS5's query for all of these, in `threads` if given. Quoted: nothing in them is FTS5's own language.

    `endings` returns the words that begin like one, or none where a search for the beginning itself is better.
    """
    queries = [_query(one, endings) for one in wanted]
    if threads is not None:
        queries.append(_any_of(map(of_thread, threads)))
    return " AND ".join(queries)


def _query(phrase: Phrase, endings: Callable[[str], list[str]]) -> str:
    if not phrase.is_begun:
        return f'"{phrase.tokens}"'
    before, space, beginning = phrase.tokens.rpartition(" ")
    found = endings(beginning)
    return _any_of(f"{before}{space}{one}" for one in found) if found else f'"{phrase.tokens}" *'


def _any_of(phrases: Iterable[str]) -> str:
    return "(" + " OR ".join(f'"{one}"' for one in phrases) + ")"


def marked(html: str, wanted: list[Phrase]) -> str:
    """Return safe HTML with `<mark>` around matches of the phrases, except matches divided by a tag."""
    sought = re.compile("|".join(map(_pattern, sorted(wanted, key=lambda one: -len(one.text)))))
    parts = (part if part.startswith("<") else _marked(part, sought) for part in markup.TAG.split(html))
    return "".join(parts)


def _pattern(phrase: Phrase) -> str:
    text = " +".join(map(re.escape, phrase.text.split()))
    before = "" if _RUN.match(phrase.text) else f"(?<![^ {_UNSPACED}])"
    return before + text + ("" if phrase.is_begun else f"(?![^ {_UNSPACED}])")


def _marked(text: str, sought: re.Pattern[str]) -> str:
    """Mark the matches in one run of text, as written in HTML."""
    if not text.strip():
        return text
    text = unescape(text)
    plain = [_plain_character(character) for character in text]
    places = [place for place, part in enumerate(plain) for _ in part]
    parts, end = [], 0
    for found in sought.finditer("".join(plain)):
        first = places[found.start()]
        last = places[found.end()] if found.end() < len(places) else len(text)
        parts += [escape(text[end:first], quote=False), f"<mark>{escape(text[first:last], quote=False)}</mark>"]
        end = last
    return "".join([*parts, escape(text[end:], quote=False)])


@functools.lru_cache(4096)
def _plain_character(character: str) -> str:
    return _plain(character)
