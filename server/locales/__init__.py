"""The catalogue: all that people read, one file per language. Knows no request, no template and no error.

A file is i18next JSON v4: keys in sections, `{{value}}`, and one form for each CLDR plural category
(`key_one`, `key_other`), chosen by the value `count`. `{{value, number}}` writes a number as the language does.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from server.locales.pseudo import PSEUDO
from server.locales.times import Times

FOLDER = Path(__file__).parent
DEFAULT = "en"
Value = str | int
# A text and, in every second place, the name of a value with its format.
_Form = tuple[str, ...]
_VALUE = re.compile(r"\{\{(\w+(?:, number)?)\}\}")
_CATEGORIES = ("zero", "one", "two", "few", "many", "other")
# As whom a language writes numbers and times, where it is not said by its name.
_WRITTEN_AS = {"en": "en-GB", "en-XA": "en", "ar-XB": "ar"}
# CLDR's minimumGroupingDigits, which Babel does not know.
_GROUPS_FROM_FIVE_DIGITS = ("es", "pl")
_PLURAL = re.compile(rf"(.+)_({'|'.join(_CATEGORIES)})")


class Texts:
    """The texts of one language, compiled. `texts("section.key", name=…)` is one of them with its values."""

    def __init__(self, language: str, sections: dict[str, Any]) -> None:
        """`sections` is the catalogue as its file has it. Raises ValueError for one that cannot be read."""
        # Here, because of all processes only those that say something need it.
        from babel import Locale  # noqa: PLC0415
        from babel.numbers import format_decimal, get_minus_sign_symbol  # noqa: PLC0415

        locale = Locale.parse(_WRITTEN_AS.get(language, language), sep="-")
        self.language = language
        self._is_real = language not in PSEUDO
        self.direction = locale.text_direction
        self._category: Callable[[int], str] = locale.plural_form
        self.times = Times(locale)
        least_grouped = 10_000 if locale.language in _GROUPS_FROM_FIVE_DIGITS else 0

        # Most numbers on a page are small, and many are equal.
        @functools.lru_cache(1_000)
        def number(value: Value) -> str:
            digits = format_decimal(abs(int(value)), locale=locale, group_separator=abs(int(value)) >= least_grouped)
            # Babel writes the hyphen of ASCII in every language.
            return digits if int(value) >= 0 else get_minus_sign_symbol(locale) + digits

        self._number = number
        self._forms: dict[str, dict[str, _Form]] = {}
        self._plain: dict[str, Markup] = {}
        self._given = given = dict(flat(sections))
        for key, text in given.items():
            found = _PLURAL.fullmatch(key)
            name, category = (found[1], found[2]) if found else (key, "other")
            form = tuple(_VALUE.split(text))
            if any("{{" in part or "$t(" in part for part in form[::2]):
                raise ValueError(f"{language}: {key} has something in it that is no value")
            self._forms.setdefault(name, {})[category] = form
            if found is None and len(form) == 1:
                self._plain[name] = escape(text)
        for name, forms in self._forms.items():
            if "other" not in forms:
                raise ValueError(f"{language}: {name} has no form for other")
            if language == DEFAULT and len(forms) == 1 and f"{name}_other" in given and "count" not in forms["other"]:
                raise ValueError(f"{language}: {name} has a form for other and no count")

    def __call__(self, key: str, /, **values: Value) -> str:
        """Return a text. Raises KeyError if the catalogue has none of this key, or a value is missing."""
        return "".join(self._parts(key, values, str))

    def html(self, key: str, /, **values: Value) -> Markup:
        """Return a text as HTML: it and its values are escaped, but for values that are Markup."""
        plain = self._plain.get(key)
        return plain if plain is not None and not values else Markup("").join(self._parts(key, values, escape))

    def forms(self, key: str) -> Iterator[tuple[str, str]]:
        """Yield a text as the catalogue has it: under its key, or as a form for each plural category."""
        named = (key, *(f"{key}_{category}" for category in _CATEGORIES))
        return ((name, self._given[name]) for name in named if name in self._given)

    @property
    def name(self) -> str:
        """Return the language's name in itself, as "Deutsch" or "Português (Brasil)"."""
        from babel import Locale  # noqa: PLC0415

        known = Locale.parse(self.language, sep="-").get_display_name() if self._is_real else None
        return (known or self.language)[:1].upper() + (known or self.language)[1:]

    def moment(self, at: datetime) -> str:
        """Return "6 Jan 2026, 14:02 UTC"."""
        return self._moment(self.times.day(at), at)

    def recent_moment(self, at: datetime, now: datetime) -> str:
        """Return "14:02 UTC" of today, else "6 Jan, 14:02 UTC"."""
        is_today = at.date() == now.date()
        return f"{self.times.time(at)} UTC" if is_today else self._moment(self.times.short_day(at), at)

    def _moment(self, day: str, at: datetime) -> str:
        return f"{self('time.day_and_time', day=day, time=self.times.time(at))} UTC"

    def __iter__(self) -> Iterator[str]:
        return iter(self._forms)

    def __contains__(self, key: object) -> bool:
        return key in self._forms

    def _parts(self, key: str, values: dict[str, Value], written: Callable[[Any], Any]) -> Iterator[Any]:
        forms = self._forms[key]
        category = self._category(int(values["count"])) if len(forms) > 1 else "other"
        for place, part in enumerate(forms.get(category) or forms["other"]):
            if place % 2 == 0:
                yield written(part)
            elif part.endswith(", number"):
                yield written(self._number(values[part.removesuffix(", number")]))
            else:
                yield written(values[part])


def flat(sections: dict[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Yield every key of a catalogue as `section.key`, with its text."""
    for name, inner in sections.items():
        if isinstance(inner, dict):
            yield from flat(inner, f"{before}{name}.")
        else:
            yield f"{before}{name}", inner


def read(language: str) -> dict[str, Any]:
    """Return the catalogue of a language as its file has it."""
    found: dict[str, Any] = json.loads((FOLDER / f"{language}.json").read_text(encoding="utf-8"))
    return found


def whole(sections: dict[str, Any]) -> dict[str, str]:
    """Return a catalogue with the English text, in all its forms, wherever it has none."""
    own = dict(flat(sections))
    names = {_name(key) for key in own}
    return {key: text for key, text in flat(read(DEFAULT)) if _name(key) not in names} | own


def _name(key: str) -> str:
    """Return the key of a text under which one of its forms stands."""
    found = _PLURAL.fullmatch(key)
    return found[1] if found else key


@functools.cache
def real() -> tuple[str, ...]:
    """Return the languages that there are, English first."""
    found = sorted(path.stem for path in FOLDER.glob("*.json"))
    return DEFAULT, *(language for language in found if language != DEFAULT)


@functools.cache
def texts(language: str = DEFAULT) -> Texts:
    """Return the texts of a language, compiled once per process."""
    if language in PSEUDO:
        return Texts(language, {key: PSEUDO[language](text) for key, text in flat(read(DEFAULT))})
    return Texts(language, whole(read(language)))
