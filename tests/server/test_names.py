"""Which names may be had, by which an account is found, and which look alike."""

from __future__ import annotations

import string
import unicodedata
from importlib.resources import files
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server import account_names, lookalike_names
from server.errors import Invalid

LETTERS = string.ascii_letters + string.digits


def look_alike(one: str, other: str) -> bool:
    return not account_names.skeletons(one).isdisjoint(account_names.skeletons(other))


def table() -> dict[str, list[dict[str, Any]]]:
    file = files("confusable_homoglyphs") / "confusables.json"
    return dict(msgspec.json.decode(file.read_bytes()))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Bill", "BiII"), ("bob", "B0b"), ("mint", "rnint"), ("A B", "AB"), ("Boss", "Boss."), ("Boss", "_boss_"),
        ("O'Brien", "Oʼbrien"), ("willy", "vvilly"), ("coco", "сосо"), ("NAN", "ΝΑΝ"), ("ian", "1an"), ("Ian", "lan"),
        ("Ana", "ＡＮＡ"), ("Ana", "ana"), ("Straße", "STRASSE"),
    ],
)  # fmt: skip
def test_names_that_look_alike_share_a_skeleton(one: str, other: str) -> None:
    assert look_alike(account_names.clean(one), account_names.clean(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("たいき", "だいき"), ("राम", "रमा"), ("कमल", "कमला"), ("กา", "กำ"), ("שלום", "שָלוֹם"), ("Hoa", "Hòa"),
        ("José", "Jose"), ("ハハ", "パパ"), ("कि", "की"), ("ਸਿੰਘ", "ਸੰਘ"), ("মা", "মি"), ("علي ١٠", "علي ١"),
        ("राम", "रामः"), ("Ana", "Anna"), ("Arne", "Anne"), ("李", "季"), ("reader 10", "reader 20"),
    ],
)  # fmt: skip
def test_names_that_differ_in_a_sign_are_two(one: str, other: str) -> None:
    assert not look_alike(account_names.clean(one), account_names.clean(other))
    assert account_names.key(one) != account_names.key(other)


def test_no_confusable_of_a_letter_or_digit_makes_another_name() -> None:
    checked = 0
    for one, others in table().items():
        for letter in {other["c"] for other in others} & set(LETTERS):
            if len(one) > 1:
                continue
            try:
                name = account_names.clean(f"k{one}x")
            except Invalid:
                continue
            if account_names.is_mixed(name):
                continue
            checked += 1
            # The long s is kept as the s that it is.
            assert look_alike(name, f"k{letter}x") or name == "ksx", f"U+{ord(one):04X} for {letter}"
    assert checked > 500


def test_both_characters_of_each_pair_of_the_table_have_one_skeleton() -> None:
    # A character with marks looks like its parts do.
    pairs = [(one, other["c"].replace("\u200e", "")) for one, others in table().items() for other in others]
    single = [pair for pair in pairs if all(len(unicodedata.normalize("NFD", one)) == 1 for one in pair)]
    assert len(single) > 5_000
    assert [pair for pair in single if len({lookalike_names.skeleton(one) for one in pair}) > 1] == []


@given(st.text(max_size=60))
def test_a_skeleton_is_its_own_and_whatever_is_given_has_a_key_or_a_reason(text: str) -> None:
    assert lookalike_names.skeleton(lookalike_names.skeleton(text)) == lookalike_names.skeleton(text)
    assert account_names.key(account_names.key(text)) == account_names.key(text)
    try:
        name = account_names.clean(text)
    except Invalid:
        return
    assert account_names.clean(name) == name
    assert 1 <= len(name) <= account_names.MAX_CHARACTERS
    assert account_names.skeletons(name)
    assert account_names.key(name) == account_names.key(name.upper()) or name.upper().casefold() != name.casefold()
    assert account_names.clean(account_names.variant(name, 12))


@pytest.mark.parametrize(
    "name",
    [
        "", " ", "a\u0000b", "\u202eabc", "!!!", "...", "..", "👍", "x" * 41, "ﷺ" * 3, "a\u0300" * 10_000, "\ud800",
        "z" + "\u0335" * 9, "\u0301a", "A \u0301a", "a/b", "a／b", "a\\b", "Boss\u3164", "Boss\u115f",
        "Boss\u1160", "Boss\uffa0", "Boss\u034f", "Bo\u00adss", "Bo\u2060ss", "Boss\ufeff", "Boss\u200b", "Boss\u2800",
        "Boss\U000e0061", "Boss\ufff9", "Boss\ue000", "\u17b4Boss", "Bo\u180ess", "Boss\U000e0101",
    ],
)  # fmt: skip
def test_a_name_that_cannot_be_read_or_reached_is_refused(name: str) -> None:
    with pytest.raises(Invalid) as refusal:
        account_names.clean(name)
    assert refusal.value.field == "name"


@pytest.mark.parametrize(
    "name",
    [
        "می\u200cخواهم", "علی\u200cرضا", "क्\u200dष", "ක්\u200dෂ", "ന്\u200d", "क्\u200cष", "山田Taro", "キムPark", "김Kim",
        "Иван Smith", "Ελένη", "שָׁלוֹם", "Nguyễn Văn An", "Wei-Ling", "O'Brien", "1234", "bob👍", "Ω", "मोहनदास", "นที",
        "ტარიელ", "A? B#C%2F", "Dr. No.", "ﷺ", "½",
    ],
)  # fmt: skip
def test_a_name_of_any_script_can_be_had(name: str) -> None:
    assert account_names.key(account_names.clean(name)) == account_names.key(name)
    assert not account_names.is_reserved(account_names.clean(name))


@pytest.mark.parametrize(
    "name", ["a\u200cb", "Bob\u200d", "\u200cعلی", "علی\u200c", "م\u200dن", "क\u200dष", "क्\u200c", "👩\u200d👩x"]
)
def test_a_joiner_that_does_not_show_is_refused(name: str) -> None:
    with pytest.raises(Invalid, match="invisible"):
        account_names.clean(name)


@pytest.mark.parametrize(
    "name",
    [
        "Anonymous", "anonymous", "Ａｎｏｎｙｍｏｕｓ", "An0nymous", "Comment", "admin", "ADMlN", "Adm1n.", "moderator",
        "rnoderator", "Staff", "deleted", "[deleted]", "system", "livethread", "Live Thread", "account removed",
        "Ana (imported)", "Ana (Irnported)", "Ana [imported]", "Ana （ｉｍｐｏｒｔｅｄ）", "Ana (imported 2)",
        "Ana (|mported)", "imported",
    ],
)  # fmt: skip
def test_a_name_that_stands_for_something_else_is_reserved(name: str) -> None:
    assert account_names.is_reserved(account_names.clean(name))


@pytest.mark.parametrize("name", ["Adam", "Comme", "Mona", "Staffan", "Anon", "Modesty", "Ines", "Ана", "Importer"])
def test_a_name_that_only_begins_so_is_not_reserved(name: str) -> None:
    assert not account_names.is_reserved(account_names.clean(name))


@pytest.mark.parametrize("name", ["Аna", "Rаndоm", "Ελena", "Bo Αnn", "Ꭺnna"])
def test_a_word_of_scripts_that_do_not_go_together_is_mixed(name: str) -> None:
    assert account_names.is_mixed(account_names.clean(name))
    assert not account_names.is_mixed("Иван Smith Ελένη 山田Taro キムPark 김Kim שלוםAnn")
