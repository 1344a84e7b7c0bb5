"""Which languages there are, which a reader is given, and those that are made for tests."""

from __future__ import annotations

import re

import pytest

from server.locales import flat, read, real, texts
from server.locales.offered import Offered
from server.locales.pseudo import PSEUDO

OFFERED = Offered(["en", "ar-XB", "en-XA"])


@pytest.mark.parametrize("language", PSEUDO)
def test_a_language_for_tests_has_all_texts_with_their_values(language: str) -> None:
    made = texts(language)
    for key, text in flat(read("en")):
        (form,) = dict(made.forms(key)).values()
        assert re.findall("{{.*?}}", form) == re.findall("{{.*?}}", text)
        assert (form != text) == bool(re.search("[A-Za-z]", re.sub("{{.*?}}", "", text))), key
    assert made("count.comments", count=2) != made("count.comments", count=1)


def test_one_language_for_tests_is_longer_and_one_is_mirrored() -> None:
    long = texts("en-XA")
    sizes = [sum(len(text) for _, text in forms) for forms in (flat(read("en")), _all("en-XA"))]
    assert 1.3 < sizes[1] / sizes[0] < 1.5
    assert long("action.log_in").startswith("Ļöĝ îñ ")
    assert (texts("ar-XB").direction, long.direction) == ("rtl", "ltr")
    assert texts("ar-XB")("action.log_in") == "\u200f\u202eLog\u202c\u200f \u200f\u202ein\u202c\u200f"


def _all(language: str) -> list[tuple[str, str]]:
    made = texts(language)
    return [form for key in made for form in made.forms(key)]


def test_languages_for_tests_are_offered_to_nobody_who_was_not_told_of_them() -> None:
    assert set(real()).isdisjoint(PSEUDO)
    assert real()[0] == "en"
    assert OFFERED.for_header("ar") is None


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("en", "en"), ("EN-us", "en"), ("en-XA, en;q=0.9", "en-XA"), ("sv, ar-xb;q=0.8, en;q=0.9", "en"),
        ("sv;q=1, en;q=0, ar-XB;q=0.001", "ar-XB"), ("sv", None), ("", None), ("*", None), ("en;q=2", None),
        ("en;q=x, ar-XB", "ar-XB"), ("e n", None), ("sv," * 10 + "en", None), ("x" * 10_000 + ",en", None),
        ("en-GB-oxendict", "en"), (";;,,q=,\x00,en", "en"),
    ],
)  # fmt: skip
def test_a_header_is_given_what_it_wants_most(header: str, language: str | None) -> None:
    found = OFFERED.for_header(header)
    assert (found and found.language) == language
