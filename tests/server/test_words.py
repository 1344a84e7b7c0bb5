"""Words are compared without case and accents, and never without what tells two words apart."""

from __future__ import annotations

import time

import pytest

from server.text import markup, search_words


def finds(query: str, html: str) -> bool:
    wanted = search_words.phrases(query)
    return bool(wanted) and all(one.is_in(search_words.tokens(markup.plain_text(html))) for one in wanted)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("cafe", "Ein Café"),
        ("CAFÉ", "ein cafe"),
        ("cafe", "ein cafe\u0301s"),
        ("strasse", "Die Straße"),
        ("STRASSE", "die straße"),
        ("straße", "STRASSE"),
        ("lodz", "Łódź"),
        ("orsted", "Ørsted"),
        ("da nang", "Đà Nẵng"),
        ("istanbul", "İSTANBUL"),
        ("œuvre", "OEUVRE"),
        ("αθηνα", "ΑΘΉΝΑ"),
        ("ὁδός", "ΟΔΟΣ"),
        ("елка", "Ёлка"),
        ("كتاب", "كِتَابٌ"),
        ("كـتـاب", "كتاب"),
        ("کتاب", "كتاب"),
        ("می\u200cخواهم", "میخواهم"),
        ("שלום", "שָׁלוֹם"),
        ("fullwidth", "ＦＵＬＬＷＩＤＴＨ"),
        ("ガギ", "ｶﾞｷﾞ"),
        ("日", "これは日本語です"),
        ("本", "日本"),
        ("日本", "これは日本語です"),
        ("日本語で", "これは日本語です"),
        ("中文", "我会说中文。"),
        ("대학", "서울대학교에서"),
        ("ไทย", "ประเทศไทย"),
        ("用", "iPhone用"),
        ("iphone用ケ", "iPhone用ケース"),
        ("𠮷野", "𠮷野家"),
        ("राम", "राम और रमा"),
        ("go", "Go is fun"),
        ("a", "a b c"),
        ("don't", "I don’t"),
        ("3.14", "It is 3.14 or so"),
        ("१२", "12"),
        ("comm", "comments"),
        ("👍", "Good 👍🏽!"),
        ("soft", "so\u00adft"),
    ],
)
def test_a_word_is_found_whatever_its_case_accents_and_script(query: str, text: str) -> None:
    assert finds(query, text)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("राम", "रमा"),
        ("たいき", "だいき"),
        ("ガキ", "かき"),
        ("go", "gopher"),
        ("ments", "comments"),
        ("日語", "日本語"),
        ("本日", "日本"),
        ("nothing", "something"),
    ],
)
def test_another_word_is_not_found(query: str, text: str) -> None:
    assert not finds(query, text)


def test_what_is_compared_is_what_is_said_and_no_markup() -> None:
    html = '<p>un<em>happy</em> <a href="/t/key/c/7">there</a> &amp; &lt;here&gt;</p>\n<p>last</p><p>first</p>'
    for query in ("unhappy", "there", "here", "last first"):
        assert finds(query, html)
    for query in ("amp", "em", "href", "key", "lastfirst", "lt"):
        assert not finds(query, html)


@pytest.mark.parametrize("query", ["", " ", '"', "* - + ()", "\0", "\u200b", "。、", "&", "\u0301"])
def test_signs_alone_are_no_words(query: str) -> None:
    assert search_words.phrases(query) == []


@pytest.mark.parametrize(
    ("query", "html", "marked"),
    [
        ("cafe", "<p><em>Café</em>, zwei Cafés</p>", "<p><em><mark>Café</mark></em>, zwei <mark>Café</mark>s</p>"),
        ("strasse", "<p>Straße &amp; mehr</p>", "<p><mark>Straße</mark> &amp; mehr</p>"),
        ("日本", "<p>これは日本語</p>", "<p>これは<mark>日本</mark>語</p>"),
        ("語", "<p>日本語</p>", "<p>日本<mark>語</mark></p>"),
        ("go", "<p>go gopher ago</p>", "<p><mark>go</mark> gopher ago</p>"),
        ("don't", "<p>I don’t</p>", "<p>I <mark>don’t</mark></p>"),
        ("cafe", "<p>cafe\u0301s</p>", "<p><mark>cafe\u0301</mark>s</p>"),
        ("amp", '<a href="/?a&amp;amp">amp &amp;</a>', '<a href="/?a&amp;amp"><mark>amp</mark> &amp;</a>'),
        ("b p", "<p>&lt;b&gt;</p>", "<p>&lt;<mark>b</mark>&gt;</p>"),
        (".* a|b [x", "<p>x a b</p>", "<p><mark>x</mark> <mark>a b</mark></p>"),
    ],
)  # fmt: skip
def test_what_was_found_is_marked_and_nothing_else_is_changed(query: str, html: str, marked: str) -> None:
    assert search_words.marked(html, search_words.phrases(query)) == marked


@pytest.mark.parametrize("part", ["a ", "日", "a\u0301", "한", "<b>", "<", "&amp;", "&", '"', "a-", "\u200d", "a日"])
def test_all_that_is_done_to_a_text_is_linear(part: str) -> None:
    wanted = search_words.phrases("a日 한 a-a-a-a 日日日")

    def cost(count: int) -> float:
        html = part * count
        began = time.process_time()
        search_words.tokens(markup.plain_text(html))
        search_words.marked(html, wanted)
        return time.process_time() - began

    cost(1_000)
    # What is fast enough at once needs no comparison.
    assert min(cost(16_000) for _ in range(3)) <= 6 * min(cost(4_000) for _ in range(3)) + 0.05
