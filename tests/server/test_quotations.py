"""Taking quotes out of a text: the words go from its Markdown and its HTML alike, and everything else stays."""

from __future__ import annotations

import random

import pytest

from server.text import quotations
from server.text.characters import clean_body
from server.text.markup import to_html

LINK = "[Ana](/t/k/c/7)"
TEXTS = {
    "as the page makes it": (f"> SECRET one\n>\n> — {LINK}\n\nOwn.", "> What was quoted here is gone.\n\nOwn."),
    "without a space or an empty line": (f">SECRET {LINK}\n\nOwn", "> What was quoted here is gone.\n\nOwn"),
    "with a lazy line": (f"> SECRET\nSECRET {LINK}\n\nOwn", "> What was quoted here is gone.\n\nOwn"),
    "in a list": (
        f"- > SECRET\n  > {LINK}\n- Own",
        "- > What was quoted here is gone.\n- Own",
    ),
    "within another quote": (
        f"> > SECRET\n> > {LINK}\n>\n> of Bo [Bo](/t/k/c/8)\n\nOwn",
        "> > What was quoted here is gone.\n>\n> of Bo [Bo](/t/k/c/8)\n\nOwn",
    ),
    "with others in it": (
        f"> > SECRET of Bo [Bo](/t/k/c/8)\n>\n> SECRET {LINK}\n\nOwn",
        "> What was quoted here is gone.\n\nOwn",
    ),
    "before a heading": (f"> SECRET {LINK}\n# Own", "> What was quoted here is gone.\n# Own"),
    "before a line that would be taken in": (
        f"> SECRET {LINK}\n> ***\nOwn",
        "> What was quoted here is gone.\n\nOwn",
    ),
    "twice": (
        f"> SECRET {LINK}\n\nOwn\n\n> SECRET {LINK}",
        "> What was quoted here is gone.\n\nOwn\n\n> What was quoted here is gone.",
    ),
    "code": (f"> ```\n> SECRET\n> ```\n> {LINK}\n\nOwn", "> What was quoted here is gone.\n\nOwn"),
    "after letters of several bytes": (
        f"Grüße 東京\n\n1. > SECRET ü {LINK}",
        "Grüße 東京\n\n1. > What was quoted here is gone.",
    ),
}  # fmt: skip


def places_of(html: str, source: int) -> set[int]:
    return {place for place, one in enumerate(quotations.find(html)) if ("k", source) in one.sources}


@pytest.mark.parametrize(("body", "left"), TEXTS.values(), ids=TEXTS)
def test_a_quote_goes_from_the_markdown_and_from_the_html(body: str, left: str) -> None:
    html = to_html(body)
    places = places_of(html, 7)
    assert quotations.cut_markdown(body, html, places) == left
    without = quotations.cut(html, places)
    assert "SECRET" not in without
    assert "Own" in without or "東京" in without
    assert to_html(left) == without


def test_the_places_of_what_is_left_are_counted_anew() -> None:
    body = f"> a {LINK}\n\nx\n\n> > b [B](/t/k/c/1)\n>\n> c {LINK}\n\ny\n\n> d [D](/t/k/c/2)"
    html = to_html(body)
    places = places_of(html, 7)
    assert places == {0, 1}
    after = quotations.places_after(html, places)
    assert after == {3: 2}
    assert quotations.find(quotations.cut(html, places))[2].sources == {("k", 2)}


def arranged(chance: random.Random, *ends: str) -> str:
    """Words in quotes and lists, however deep and broken; some lines have one of `ends`."""
    lines = []
    for number in range(chance.randrange(3, 25)):
        before = "".join(chance.choice(("> ", ">", "> > ", "- ", "  ", "1. ", "", "    ")) for _ in range(3))
        words = (end if end.startswith(">") else f"word{number} {end}".rstrip() for end in ends)
        lines.append(before + chance.choice((*words, "", "```", "# h")))
    return clean_body("x\n" + "\n".join(lines))


@pytest.mark.parametrize("seed", range(60))
def test_no_arrangement_of_quotes_keeps_a_word_of_them(seed: int) -> None:
    body = arranged(random.Random(seed), "", LINK, "[B](/t/k/c/8)")
    html = to_html(body)
    places = places_of(html, 7)
    left = quotations.cut_markdown(body, html, places)
    without = quotations.cut(html, places)
    assert places_of(without, 7) == set()
    if places and left is not None:
        assert quotations.plain(to_html(left)) == quotations.plain(without)
        assert places_of(to_html(left), 7) == set()


def put_back(text: str, body: str) -> tuple[str, dict[int, int]] | None:
    html = to_html(body)
    return quotations.put_back(text, body, html, places_of(html, 7))


@pytest.mark.parametrize(("body", "left"), TEXTS.values(), ids=TEXTS)
def test_a_quote_that_was_cut_comes_back_into_what_was_made_of_the_rest(body: str, left: str) -> None:
    found = put_back(f"{left}\n\nMore.", body)
    assert found is not None
    text, moved = found
    assert text.startswith(body.split("\n", maxsplit=1)[0])
    assert text.endswith("\n\nMore.")
    assert places_of(to_html(text), 7) == places_of(to_html(body), 7) <= moved.keys()


def test_what_comes_back_is_told_by_its_places_before_and_after() -> None:
    body = f"> > b [B](/t/k/c/1)\n>\n> c {LINK}\n\ny\n\n> d [D](/t/k/c/2)"
    left = f"> {quotations.GONE}\n\ny\n\n> d [D](/t/k/c/2)"
    assert put_back(f"> new\n\n{left}", body) == (f"> new\n\n{body}", {1: 0, 2: 1})


@pytest.mark.parametrize("text", ["Own.", f"> {quotations.GONE} Indeed!\n\nOwn.", f"> {quotations.GONE}\nlazy"])
def test_an_empty_place_that_was_taken_out_or_written_over_stays_so(text: str) -> None:
    assert put_back(text, f"> SECRET {LINK}\n\nOwn.") is None


@pytest.mark.parametrize("seed", range(60))
def test_whatever_comes_back_can_be_cut_again(seed: int) -> None:
    chance = random.Random(seed)
    body = arranged(chance, "", LINK, f"> {quotations.GONE}")
    html = to_html(body)
    left = quotations.cut_markdown(body, html, places_of(html, 7))
    if left is None:
        return
    text = "\n".join(line for line in left.split("\n") if chance.random() < 0.9) + "\n\nmore"
    found = put_back(text, body)
    if found is not None:
        made, moved = found
        assert quotations.cut_markdown(made, to_html(made), moved) == text
        if not places_of(to_html(text), 7):
            assert places_of(to_html(made), 7) <= moved.keys()


def test_an_html_text_that_no_markdown_made_is_told_apart() -> None:
    html = '<p>Own</p><blockquote>SECRET <a href="/t/k/c/7">Ana</a></blockquote>'
    assert quotations.cut_markdown(html, html, {0}) is None
