"""The look of a text: skeletons and scripts by UTS #39, from Unicode's own tables. Knows no name.

The tables are those of `confusable_homoglyphs`: confusables.txt as pairs, and the scripts of every code point.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from collections import defaultdict
from functools import cache
from importlib.resources import files
from itertools import chain

import msgspec

# Default_Ignorable_Code_Point of DerivedCoreProperties.txt, and the blank of Braille: nothing is seen of them.
_INVISIBLE = (
    (0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F),
    (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x2800, 0x2800), (0x3164, 0x3164), (0xFE00, 0xFE0F),
    (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF),
)  # fmt: skip
# Pairs that confusables.txt leaves out.
_LEFT_OUT = (("w", "vv"), ("W", "VV"), ("│", "l"))
# What stands beside any script: also marks of several scripts, which Scripts.txt gives to none.
_OF_NONE = {"COMMON", "INHERITED", "Unknown"}
_JAPANESE = {"HAN", "HIRAGANA", "KATAKANA"}
# "Recommended" by UAX #31, without the two that are too like Latin (UTS #39, "Moderately Restrictive").
_BESIDE_LATIN = {
    "ARABIC", "ARMENIAN", "BENGALI", "BOPOMOFO", "DEVANAGARI", "ETHIOPIC", "GEORGIAN", "GUJARATI", "GURMUKHI", "HAN",
    "HANGUL", "HEBREW", "HIRAGANA", "KANNADA", "KATAKANA", "KHMER", "LAO", "MALAYALAM", "MYANMAR", "ORIYA", "SINHALA",
    "TAMIL", "TELUGU", "THAANA", "THAI", "TIBETAN",
}  # fmt: skip


class _Scripts(msgspec.Struct):
    iso_15924_aliases: list[str]
    code_points_ranges: list[tuple[int, int, int, int]]


class _Pair(msgspec.Struct):
    c: str


def skeleton(text: str) -> str:
    """Return the skeleton of UTS #39: it is equal for texts that look alike. Case matters, and marks do."""
    return _decomposed(_decomposed(text).translate(_table()))


def is_invisible(character: str) -> bool:
    place = bisect_right(_INVISIBLE, (ord(character), 0x110000)) - 1
    return place >= 0 and ord(character) <= _INVISIBLE[place][1]


def is_of_one_script(word: str) -> bool:
    """Say whether the word's letters go together: one script, or those that people write together."""
    scripts = {_script(one) for one in word} - _OF_NONE
    if len(scripts) <= 1 or scripts <= _JAPANESE | {"LATIN"}:
        return True
    others = scripts - {"LATIN"}
    if others <= {"HAN", "HANGUL"} or others <= {"HAN", "BOPOMOFO"}:
        return True
    return len(others) == 1 and others <= _BESIDE_LATIN


def _decomposed(text: str) -> str:
    return unicodedata.normalize("NFD", text)


def _script(character: str) -> str:
    starts, ends, names = _scripts()
    place = bisect_right(starts, ord(character)) - 1
    return names[place] if place >= 0 and ord(character) <= ends[place] else "Unknown"


@cache
def _scripts() -> tuple[list[int], list[int], list[str]]:
    table = msgspec.json.decode(_file("categories.json"), type=_Scripts)
    ranges = sorted(table.code_points_ranges)
    return (
        [first for first, *_ in ranges],
        [last for _, last, *_ in ranges],
        [table.iso_15924_aliases[script] for *_, script, _ in ranges],
    )


@cache
def _table() -> dict[int, str]:
    """Return what each character becomes that does not stand for itself."""
    unseen = (code for first, last in _INVISIBLE for code in range(first, last + 1))
    return {ord(one): text for one, text in _prototypes().items()} | dict.fromkeys(unseen, "")


@cache
def _prototypes() -> dict[str, str]:
    """Return what stands in a skeleton for each character that looks like others.

    The table has each pair in both directions: what hangs together looks alike, and one of it stands for all.
    """
    leads_to: dict[str, str] = {}

    def end_of(text: str) -> str:
        while (further := leads_to.setdefault(text, text)) != text:
            leads_to[text] = leads_to[further]
            text = further
        return text

    table = msgspec.json.decode(_file("confusables.json"), type=dict[str, list[_Pair]])
    pairs = ((_bare(one), _bare(other.c)) for one, others in table.items() for other in others)
    for one, other in chain(pairs, _LEFT_OUT):
        leads_to[end_of(other)] = end_of(one)
    alike = defaultdict(list)
    for text in list(leads_to):
        alike[end_of(text)].append(text)
    first = {text: min(some, key=_rank) for some in alike.values() for text in some if len(text) == 1}
    return {one: "".join(first.get(part, part) for part in text) for one, text in first.items()}


def _bare(text: str) -> str:
    # Some of its characters of right-to-left scripts are wrapped in direction marks.
    return _decomposed(text.replace("\u200e", ""))


def _rank(text: str) -> tuple[bool, bool, bool, bool, str]:
    """A character never stands for a sequence: m is shown as rn, not rn as m."""
    return len(text) == 1, not text.isascii(), not text.isalpha(), not text.islower(), text


def _file(name: str) -> bytes:
    return (files("confusable_homoglyphs") / name).read_bytes()
