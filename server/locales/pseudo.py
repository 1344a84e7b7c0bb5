"""Languages for tests, made of the English texts: `en-XA` is longer and accented, `ar-XB` runs from right to left.

A text that is not from the catalogue, does not fit, or is laid out for one direction is seen at a glance.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

_VALUES = re.compile(r"(\{\{[^{}]*\}\})")
_ACCENTED = str.maketrans(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", "åƀçđéƒĝĥîĵķļɱñöþǫŕšţûṽŵẋýžÅƁÇĐÉƑĜĤÎĴĶĻṀÑÖÞǪŔŠŢÛṼŴẊÝŽ"
)
_LONGER_BY = 0.4
_PADDING = "ñöñé "
_LETTER = re.compile("[A-Za-z]")
_WORD = re.compile(r"\S+")
# Right-to-left override and its end, between right-to-left marks.
_MIRRORED = "\u200f\u202e{}\u202c\u200f"


def _accented(text: str) -> str:
    said = _VALUES.sub("", text)
    if not _LETTER.search(said):
        return text
    whole = "".join(part if place % 2 else part.translate(_ACCENTED) for place, part in enumerate(_VALUES.split(text)))
    missing = max(1, round(_LONGER_BY * len(said)))
    return f"{whole} {(_PADDING * missing)[:missing].strip()}"


def _turned(word: re.Match[str]) -> str:
    return _MIRRORED.format(word[0]) if _LETTER.search(word[0]) else word[0]


def _mirrored(text: str) -> str:
    return "".join(part if place % 2 else _WORD.sub(_turned, part) for place, part in enumerate(_VALUES.split(text)))


PSEUDO: Mapping[str, Callable[[str], str]] = {"en-XA": _accented, "ar-XB": _mirrored}
