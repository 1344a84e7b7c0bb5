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
    """`languages`: their tags, the one for everybody else first. Their texts are read once somebody wants them."""

    def __init__(self, languages: Sequence[str]) -> None:
        self._languages = tuple(languages)
        self._by_tag = {language.lower(): language for language in languages}
        # Another country's is better than another language.
        self._by_language = {
            language.partition("-")[0]: language for language in reversed(languages) if language not in PSEUDO
        }
        self._for_header = lru_cache(_MOST_REMEMBERED)(self._of_header)

    @property
    def texts(self) -> dict[str, Texts]:
        return {language: texts(language) for language in self._languages}

    @property
    def default(self) -> Texts:
        return texts(self._languages[0])

    def named(self, language: str) -> Texts | None:
        """Return the texts of exactly this language, if it is offered."""
        return texts(language) if language in self._languages else None

    def matching(self, tag: str) -> Texts | None:
        """Return the texts for who wants this language (RFC 4647, lookup), or another country's form of it."""
        found = self._matching(tag)
        return texts(found) if found else None

    def for_header(self, accept_language: str) -> Texts | None:
        """Return the texts that an Accept-Language header (RFC 9110, 12.5.4) wants most; None: none of ours."""
        found = self._for_header(accept_language[:_MOST_CHARACTERS])
        return texts(found) if found else None

    def tag_for(self, lang: str, accept_language: str) -> str:
        """Return the language for who names one, and else for who sends this header, without reading its texts."""
        return self._matching(lang) or self._for_header(accept_language[:_MOST_CHARACTERS]) or self._languages[0]

    def _matching(self, tag: str) -> str | None:
        wanted = tag.lower()
        while wanted:
            if found := self._by_tag.get(wanted):
                return found
            wanted = wanted.rpartition("-")[0]
        return None if _TRADITIONAL.match(tag.lower()) else self._by_language.get(tag.lower().partition("-")[0])

    def _of_header(self, header: str) -> str | None:
        wanted = sorted(_wanted(header), key=lambda one: -one[1])
        return next((found for tag, _ in wanted if (found := self._matching(tag))), None)


def _wanted(header: str) -> Iterator[tuple[str, float]]:
    """Yield what a header asks for, with its weight. What is no language of it is left out, as `*` is."""
    for part in header.split(",")[:_MOST_WANTED]:
        found = _WANTED.fullmatch(part)
        if found and (weight := float(found[2] or 1)) > 0:
            yield found[1], weight
