"""Texts come from the catalogue, in the forms of their language."""

from __future__ import annotations

import pytest
from markupsafe import Markup

from server import errors
from server.locales import Texts, whole


def test_a_count_takes_the_form_of_its_language() -> None:
    forms = {"days_one": "{{count}} day", "days_other": "{{count}} days"}
    assert [Texts("en", forms)("days", count=count) for count in (0, 1, 2)] == ["0 days", "1 day", "2 days"]
    forms = {"days_one": "{{count}} dzień", "days_few": "{{count}} dni", "days_many": "{{count}} dni."}
    polish = Texts("pl", {**forms, "days_other": "{{count}} dnia"})
    assert [polish("days", count=count) for count in (1, 3, 5, 22)] == ["1 dzień", "3 dni", "5 dni.", "22 dni"]


def test_a_category_without_a_form_takes_the_form_for_other() -> None:
    assert Texts("ar", {"days_one": "one", "days_other": "{{count}}"})("days", count=2) == "2"


@pytest.mark.parametrize(("language", "number"), [("en", "10,000"), ("de", "10.000"), ("pl", "10\xa0000")])
def test_a_number_is_written_as_its_language_does(language: str, number: str) -> None:
    assert Texts(language, {"most": "{{most, number}}!"})("most", most=10_000) == f"{number}!"


def test_a_text_in_a_page_escapes_all_but_markup() -> None:
    found = Texts("en", {"in": {"thread": "<In> {{thread}} by {{author}}", "plain": "A & B"}})
    assert found.html("in.thread", thread=Markup("<a>T</a>"), author="<b>") == "&lt;In&gt; <a>T</a> by &lt;b&gt;"
    assert found.html("in.plain") == "A &amp; B"
    assert found("in.thread", thread="<T>", author="<b>") == "<In> <T> by <b>"


@pytest.mark.parametrize(
    "wrong",
    [{"a": "{{first name}}"}, {"a": "$t(other)"}, {"a_one": "one"}, {"a_few": "few"}, {"a_other": "of another"}],
)
def test_a_catalogue_that_would_fail_while_serving_fails_at_the_start(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="en: a has"):
        Texts("en", wrong)


def test_directions_are_those_of_the_scripts() -> None:
    assert [Texts(language, {}).direction for language in ("en", "ar")] == ["ltr", "rtl"]


def test_an_error_says_its_sentence_in_the_language_of_the_reader() -> None:
    error = errors.Invalid("error.password_short", field="password", count=8)
    assert str(error) == "A password needs at least 8 characters."
    german = Texts("de", {"error": {"password_short_other": "Mindestens {{count}} Zeichen."}})
    assert error.sentence(german) == "Mindestens 8 Zeichen."


def test_a_text_that_a_catalogue_lacks_is_english_in_all_its_forms() -> None:
    japanese = Texts("ja", whole({"unread": {"count_other": "未読 {{count, number}}"}}))
    assert [japanese("unread.count", count=count) for count in (1, 2)] == ["未読 1", "未読 2"]
    assert dict(japanese.forms("unread.count")) == {"unread.count_other": "未読 {{count, number}}"}
    assert japanese("unread.new_replies", count=2) == "2 new replies"
    assert japanese("action.reply") == "Reply"
