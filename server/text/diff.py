"""The difference between two texts, word by word and within a time limit. Pure."""

from __future__ import annotations

import re
from itertools import groupby
from typing import Literal

import fast_diff_match_patch

Part = tuple[Literal["same", "gone", "new"], str]
# For one pair of texts; where it does not suffice, all between the first and the last change counts as changed.
MAX_SECONDS = 0.05
_WORD = re.compile(r"\s+|\w+|[^\w\s]")
_KINDS: dict[str, Literal["same", "gone", "new"]] = {"=": "same", "-": "gone", "+": "new"}
# Half characters are none.
_SURROGATES = range(0xD800, 0xE000)


def changed_parts(before: str, after: str, max_seconds: float = MAX_SECONDS) -> list[Part]:
    """Return `after` in parts, with deleted parts of `before` in between, each before its replacement."""
    letters: dict[str, str] = {}
    words: list[str] = []

    def spelled(text: str) -> str:
        """Return the text with one letter for each word, for a comparison by letters."""
        for word in _WORD.findall(text):
            if word not in letters:
                letters[word] = chr(len(words) + (len(_SURROGATES) if len(words) >= _SURROGATES.start else 0))
                words.append(word)
        return "".join(letters[word] for word in _WORD.findall(text))

    found = fast_diff_match_patch.diff(
        spelled(before), spelled(after), timelimit=max_seconds, checklines=False, cleanup="No", counts_only=False
    )
    by_letter = {letter: word for word, letter in letters.items()}
    parts: list[Part] = [(_KINDS[kind], "".join(map(by_letter.__getitem__, text))) for kind, text in found]
    in_order: list[Part] = []
    for _, run in groupby(parts, lambda part: part[0] == "same"):
        in_order += sorted(run, key=lambda part: part[0] == "new")
    return [(kind, "".join(text for _, text in run)) for kind, run in groupby(in_order, lambda part: part[0])]
