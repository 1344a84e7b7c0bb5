"""Bodies and names: what may be shown, and what looks like what."""

from __future__ import annotations

import json
import re

import pytest

from server import markup, names
from server.errors import Invalid
from tests.processes import ROOT

CORPORA = ROOT.parent / "shared" / "corpora"
ALLOWED = re.compile(
    r'</?(?:blockquote|br|code|del|em|hr|li|p|pre|strong|ul|i|b|s|span)>|</a>|</ol>|<ol(?: start="\d+")?>'
    r'|<a(?: href="(?:https?://|mailto:)[^"<>]*")?(?: title="[^"<>]*")? rel="nofollow ugc noopener noreferrer">',
    re.IGNORECASE,
)


def leftover(html: str) -> str:
    """What remains of markup when all that is allowed is taken away."""
    return "".join(character for character in ALLOWED.sub("", html) if character in "<>")


@pytest.mark.parametrize(
    ("body", "html"),
    [
        ("Hello *you*", "<p>Hello <em>you</em></p>"),
        ("a\nb", "<p>a<br>\nb</p>"),
        ("<b>bold</b>", "<p>&lt;b&gt;bold&lt;/b&gt;</p>"),
        ("# Head", "<p>Head</p>"),
        ("[x](javascript:alert(1))", '<p><a rel="nofollow ugc noopener noreferrer">x</a></p>'),
        ("[x](/inside)", '<p><a rel="nofollow ugc noopener noreferrer">x</a></p>'),
        (
            "https://example.org/?a=1&b=2",
            (
                '<p><a href="https://example.org/?a=1&amp;b=2" rel="nofollow ugc noopener noreferrer">'
                "https://example.org/?a=1&amp;b=2</a></p>"
            ),
        ),
        ("> quoted", "<blockquote>\n<p>quoted</p>\n</blockquote>"),
    ],
)
def test_markdown_becomes_what_people_mean(body: str, html: str) -> None:
    assert markup.to_html(body) == html


def test_an_image_from_elsewhere_is_not_shown() -> None:
    assert "<img" not in markup.to_html("![x](https://example.org/x.png)")


def test_a_text_is_kept_without_what_is_invisible() -> None:
    assert markup.clean_text("a\x00b\u202ec\u200bd\r\ne") == "abcd\ne"
    assert markup.clean_text("e\u0301") == "é"
    assert len(markup.clean_text("a" + "\u0335" * 50)) == 5


@pytest.mark.parametrize("body", [">" * 10_000, "> " * 5_000, "- " * 5_000, "[" * 10_000, "*a " * 3_000, "`" * 9_999])
def test_a_bomb_stays_small(body: str) -> None:
    assert len(markup.to_html(body)) < 12 * len(body)


@pytest.mark.parametrize("kind", ["markdown", "html"])
def test_nothing_of_the_corpora_is_more_than_text(kind: str) -> None:
    files = ["blns", "owasp_xss_filter_evasion", "patt_xss_dev", "gen_unicode"]
    hostile = [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<svg/onload=alert(1)>",
        "<a href=' java\nscript:x'>",
    ]
    for name in files:
        path = CORPORA / f"{name}.json"
        hostile += json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    for text in hostile:
        body = markup.clean_text(text)
        html = markup.to_html(body) if kind == "markdown" else markup.safe(body)
        assert leftover(html) == "", text


@pytest.mark.parametrize(
    ("one", "other"),
    [("Ana", "Аna"), ("Bill", "BiII"), ("bob", "B0b"), ("Zoë", "zoe"), ("mint", "rnint"), ("A B", "AB")],
)
def test_names_that_look_alike_have_one_skeleton(one: str, other: str) -> None:
    assert names.skeleton(names.clean(one)) == names.skeleton(names.clean(other))


def test_names_that_differ_have_other_skeletons() -> None:
    some = ["Ana", "Anna", "رنا", "Wei-Ling", "李", "reader 10", "reader 20", "Ö", "P"]
    assert len({names.skeleton(names.clean(name)) for name in some}) == len(some)


@pytest.mark.parametrize("name", ["", " ", "\u200b", "a\u0000b", "\u202eabc", "!!!", "x" * 41, "z" + "\u0335" * 9])
def test_a_name_that_cannot_be_read_is_refused(name: str) -> None:
    with pytest.raises(Invalid):
        names.clean(name)
