"""Every catalogue says all that the English one says, in its language's forms, with the same values and no markup."""

from __future__ import annotations

import gzip
import re
from collections import defaultdict
from typing import Any

import pytest
from babel import Locale

from server.locales import flat, read, real, texts
from server.web import client_texts
from server.web.assets import Assets

CATEGORIES = ("zero", "one", "two", "few", "many", "other")
FORM = re.compile(rf"(.+)_({'|'.join(CATEGORIES)})")
# A tag, a comment, or a reference to a character.
MARKUP = re.compile(r"<[A-Za-z/!?]|&[#\w]+;")
CLIENT_BYTES = 6 * 1024
# The other way to address a reader, the other word for a thing, and the other space before a sign.
MIXED = {
    "de": r"\b([Dd]u|[Dd]ein\w*|[Dd]ich|[Dd]ir)\b|\S…| …",
    "es": r"\b([Uu]sted|[Vv]os|debates?|en vivo)\b",
    "fr": r"\b([Tt]u|[Tt]on|[Tt]es|[Tt]oi)\b| [?!:;»]|« ",
    "ja": r"お前|君|[!?:](?=[^\x00-\x7f])",
    "pl": r"\b(Pan[iaou]?|Państw\w*)\b",
    "pt-BR": r"\b([Tt]u|[Tt]eus?|[Tt]uas?|ficheiros?|ecrã)\b",
    "ru": r"\b([Тт]ы|[Тт]ебя|[Тт]ебе|[Тт]во[йяёи]\w*)\b|учётн",
    "zh-Hans": r"你|版主|帖",
}


def by_name(sections: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Return every text by its key: its forms by their categories, or itself under ""."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for key, text in flat(sections):
        form = FORM.fullmatch(key)
        found[form[1] if form else key][form[2] if form else ""] = text
    return found


def values(text: str) -> set[str]:
    return set(re.findall(r"{{(\w+)", text))


def faults(language: str, sections: dict[str, Any]) -> list[str]:
    english, own = by_name(read("en")), by_name(sections)
    wanted = {*Locale.parse(language, sep="-").plural_form.tags, "other"}
    found = [f"{name}: not there" for name in english.keys() - own.keys()]
    found += [f"{name}: not in English" for name in own.keys() - english.keys()]
    for name in english.keys() & own.keys():
        is_plural = "" not in english[name]
        if own[name].keys() != (wanted if is_plural else {""}):
            found.append(f"{name}: has the forms {sorted(own[name])}")
        given = values("".join(english[name].values()))
        for text in own[name].values():
            # "One comment" needs no number.
            if not given - ({"count"} if is_plural else set()) <= values(text) <= given:
                found.append(f"{name}: has the values {sorted(values(text))}")
            if MARKUP.search(text):
                found.append(f"{name}: has markup in it")
            if not text.strip(" ,،、") and english[name].get("", "").strip(" ,"):
                found.append(f"{name}: is empty")
    return sorted(found)


@pytest.mark.parametrize("language", real())
def test_a_catalogue_has_every_text_in_every_form(language: str) -> None:
    assert faults(language, read(language)) == []


@pytest.mark.parametrize("language", MIXED)
def test_a_catalogue_speaks_in_one_way(language: str) -> None:
    other = MIXED[language]
    assert [f"{key}: {text}" for key, text in flat(read(language)) if re.search(other, text)] == []


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("pl", "1 komentarz, 2 komentarze, 5 komentarzy, 12 komentarzy, 21 komentarzy, 22 komentarze"),
        ("ru", "1 комментарий, 2 комментария, 5 комментариев, 12 комментариев, 21 комментарий, 22 комментария"),
        ("ar", "تعليق واحد, تعليقان, 5 تعليقات, 12 تعليقًا, 21 تعليقًا, 22 تعليقًا"),
        ("ja", "1件のコメント, 2件のコメント, 5件のコメント, 12件のコメント, 21件のコメント, 22件のコメント"),
    ],
)
def test_a_count_is_said_as_people_say_it(language: str, said: str) -> None:
    counts = (1, 2, 5, 12, 21, 22)
    assert ", ".join(texts(language)("count.counted_comments", count=count) for count in counts) == said


@pytest.mark.parametrize("language", real())
def test_what_the_script_is_given_is_small(language: str) -> None:
    assets, own = Assets([texts(language)]), texts(language)
    words = client_texts.as_json(own, assets.words | assets.embedded_words | assets.lazy_words)
    assert len(gzip.compress(words)) <= CLIENT_BYTES


def test_a_fault_in_a_catalogue_is_found() -> None:
    good = {key: text for key, text in flat(read("en")) if not FORM.fullmatch(key)}
    plural = {FORM.sub(r"\1", key): text for key, text in flat(read("en")) if key.endswith("_other")}
    polish = good | {
        f"{name}_{form}": text for name, text in plural.items() for form in ("one", "few", "many", "other")
    }
    assert faults("pl", polish) == []
    assert faults("en", polish) != []
    for wrong, fault in (
        ({"action.reply": None}, "action.reply: not there"),
        ({"action.answer": "x"}, "action.answer: not in English"),
        ({"unread.count_few": None}, "unread.count: has the forms ['many', 'one', 'other']"),
        ({"comment.by": "By"}, "comment.by: has the values []"),
        ({"comment.by": "By {{name}} {{other}}"}, "comment.by: has the values ['name', 'other']"),
        ({"action.reply": "<b>Reply"}, "action.reply: has markup in it"),
        ({"action.reply": "Reply&nbsp;"}, "action.reply: has markup in it"),
        ({"action.reply": " "}, "action.reply: is empty"),
    ):
        changed = {key: text for key, text in (polish | wrong).items() if text is not None}
        assert faults("pl", changed) == [fault]
