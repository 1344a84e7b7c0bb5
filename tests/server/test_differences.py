"""What changed between two texts: exact where that is cheap, and never dear."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from server.text.diff import changed_parts


def side(parts: Sequence[tuple[str, str]], left_out: str) -> str:
    return "".join(text for what, text in parts if what != left_out)


def test_a_changed_word_is_gone_and_new() -> None:
    parts = changed_parts("The old word.", "The new word.")
    assert parts == [("same", "The "), ("gone", "old"), ("new", "new"), ("same", " word.")]


@pytest.mark.parametrize("seconds", [0.000001, 1])
def test_the_parts_hold_both_texts_whole_whatever_the_time(seconds: float) -> None:
    chance = random.Random(7)
    for _ in range(300):
        before, after = ("".join(chance.choices("ab. \n", k=chance.randrange(20))) for _ in range(2))
        parts = changed_parts(before, after, seconds)
        assert (side(parts, "new"), side(parts, "gone")) == (before, after)


def test_few_edits_of_a_long_text_are_found_word_by_word() -> None:
    before = " ".join(f"word{number}" for number in range(1_500))
    after = before.replace("word7 ", "other ").replace("word1400 ", "")
    parts = changed_parts(before, after)
    assert [part for part in parts if part[0] != "same"] == [("gone", "word7"), ("new", "other"), ("gone", " word1400")]


def test_hostile_texts_take_no_more_than_their_time() -> None:
    chance = random.Random(7)
    before, after = (" ".join(chance.choices("abc", k=5_000)) for _ in range(2))
    parts = changed_parts(before, after, 0.000001)
    assert (side(parts, "new"), side(parts, "gone")) == (before, after)
    assert len(parts) < 20 < len(changed_parts(before, after, 60))


def test_more_words_than_there_are_letters_below_the_surrogates_are_told_apart() -> None:
    before = " ".join(f"w{number}" for number in range(60_000))
    assert changed_parts(before, before.replace("w59999", "x")) == [
        ("same", before.removesuffix("w59999")),
        ("gone", "w59999"),
        ("new", "x"),
    ]
