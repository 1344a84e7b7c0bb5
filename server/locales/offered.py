"""The languages that a server offers, and which of them a reader is given. Knows no request."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from server.locales import Texts, texts
from server.locales.pseudo import PSEUDO

# Of a header; browsers send a handful.
_MOST_WANTED, _MOST_CHARACTERS, _MOST_REMEMBERED = 10, 200, 1_000
_WANTED = re.compile(r"\s*([A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*)\s*(?:;\s*q=([01](?:\.\d{1,3})?)\s*)?")
# Who reads this way reads the other Chinese with difficulty.
_TRADITIONAL = re.compile(r"zh-(?:hant|tw|hk|mo)\b")


class Offered:
    """`languages`: their tags, the one for everybody else first."""

    def __init__(self, languages: Sequence[str]) -> None:
        self.texts = {language: texts(language) for language in languages}
        self.default = texts(languages[0])
        self._by_tag = {language.lower(): found for language, found in self.texts.items()}
        # Another country's is better than another language.
        self._by_language = {
            language.partition("-")[0]: found
            for language, found in reversed(self.texts.items())
            if language not in PSEUDO
        }
        self._for_header = lru_cache(_MOST_REMEMBERED)(self._of_header)

    def named(self, language: str) -> Texts | None:
        """Return the texts of exactly this language, if it is offered."""
        return self.texts.get(language)

    def matching(self, tag: str) -> Texts | None:
        """Return the texts for who wants this language (RFC 4647, lookup), or another country's form of it."""
        wanted = tag.lower()
        while wanted:
            if found := self._by_tag.get(wanted):
                return found
            wanted = wanted.rpartition("-")[0]
        return None if _TRADITIONAL.match(tag.lower()) else self._by_language.get(tag.lower().partition("-")[0])

    def for_header(self, accept_language: str) -> Texts | None:
        """Return the texts that an Accept-Language header (RFC 9110, 12.5.4) wants most; None: none of ours."""
        return self._for_header(accept_language[:_MOST_CHARACTERS])

    def _of_header(self, header: str) -> Texts | None:
        wanted = sorted(_wanted(header), key=lambda one: -one[1])
        return next((found for tag, _ in wanted if (found := self.matching(tag))), None)


def _wanted(header: str) -> Iterator[tuple[str, float]]:
    """Yield what a header asks for, with its weight. What is no language of it is left out, as `*` is."""
    for part in header.split(",")[:_MOST_WANTED]:
        found = _WANTED.fullmatch(part)
        if found and (weight := float(found[2] or 1)) > 0:
            yield found[1], weight
