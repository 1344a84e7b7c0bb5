"""What changed between two texts: exact where that is cheap, and never dear."""

from __future__ import annotations

import random

import pytest

from server.differences import Effort, changed_parts


def side(parts: list[tuple[str, str]], left_out: str) -> str:
    return "".join(text for what, text in parts if what != left_out)


def test_a_changed_word_is_gone_and_new() -> None:
    parts = changed_parts("The old word.", "The new word.", Effort())
    assert parts == [("same", "The "), ("gone", "old"), ("new", "new"), ("same", " word.")]


@pytest.mark.parametrize("steps", [0, 20, 200_000])
def test_the_parts_hold_both_texts_whole_whatever_the_effort(steps: int) -> None:
    chance = random.Random(7)
    for _ in range(300):
        before, after = ("".join(chance.choices("ab. \n", k=chance.randrange(20))) for _ in range(2))
        parts = changed_parts(before, after, Effort(steps))
        assert (side(parts, "new"), side(parts, "gone")) == (before, after)


def test_few_edits_of_a_long_text_are_found_word_by_word() -> None:
    before = " ".join(f"word{number}" for number in range(1_500))
    after = before.replace("word7 ", "other ").replace("word1400 ", "")
    parts = changed_parts(before, after, Effort())
    assert [part for part in parts if part[0] != "same"] == [("gone", "word7"), ("new", "other"), ("gone", " word1400")]


def test_hostile_texts_take_no_more_than_the_effort_they_share() -> None:
    effort = Effort(50_000)
    for _ in range(100):
        changed_parts("a " * 5_000, "a b " * 2_500, effort)
    # A round of the search is never broken off.
    assert -20_000 < effort.left <= 0
