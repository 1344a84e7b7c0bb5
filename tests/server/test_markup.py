"""Bodies and names: what may be shown, and what looks like what."""

from __future__ import annotations

import json
import re
import time
import unicodedata
from collections.abc import Callable
from html import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.text import characters, markup
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


LINK = ' rel="nofollow ugc noopener noreferrer"'


@pytest.mark.parametrize(
    ("body", "html"),
    [
        ("参见https://example.com/foo。**次**の文。",
         f'<p>参见<a href="https://example.com/foo"{LINK}>https://example.com/foo</a>。<strong>次</strong>の文。</p>'),
        ("www.example.com，x", f'<p><a href="http://www.example.com"{LINK}>www.example.com</a>，x</p>'),
        ("（https://e.com/a）です", f'<p>（<a href="https://e.com/a"{LINK}>https://e.com/a</a>）です</p>'),
        ("“https://e.com/a_(b)”, x", f'<p>“<a href="https://e.com/a_(b)"{LINK}>https://e.com/a_(b)</a>”, x</p>'),
        ("https://e.com/é?’s", f'<p><a href="https://e.com/%C3%A9?%E2%80%99s"{LINK}>https://e.com/é?’s</a></p>'),
        ("[x](https://e.com/。a) `https://e.com/。a`",
         f'<p><a href="https://e.com/%E3%80%82a"{LINK}>x</a> <code>https://e.com/。a</code></p>'),
        ("[x][1]\n\n[1]: https://e.com/。a", f'<p><a href="https://e.com/%E3%80%82a"{LINK}>x</a></p>'),
        ("ไป https://e.com/a\u200bต่อ", f'<p>ไป <a href="https://e.com/a"{LINK}>https://e.com/a</a>\u200bต่อ</p>'),
        ("https://e.com/a　次", f'<p><a href="https://e.com/a"{LINK}>https://e.com/a</a>　次</p>'),
        ("https://e.com/a\u200f!", f'<p><a href="https://e.com/a"{LINK}>https://e.com/a</a>\u200f!</p>'),
        ("https://e.com/a។ខ្មែរ", f'<p><a href="https://e.com/a"{LINK}>https://e.com/a</a>។ខ្មែរ</p>'),
        ("https://e.com/2*3*4", f'<p><a href="https://e.com/2*3*4"{LINK}>https://e.com/2*3*4</a></p>'),
        ("https://e.com/~u", f'<p><a href="https://e.com/~u"{LINK}>https://e.com/~u</a></p>'),
        ("[x](https://e.com/~u)", f'<p><a href="https://e.com/~u"{LINK}>x</a></p>'),
    ],
)  # fmt: skip
def test_an_address_ends_where_the_sentence_goes_on(body: str, html: str) -> None:
    assert markup.to_html(characters.clean(body)) == html


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("**「重要」**です", "<strong>「重要」</strong>です"),
        ("**重要。**です", "<strong>重要。</strong>です"),
        ("这是**《书》**的", "这是<strong>《书》</strong>的"),
        ("~10 and 1~3", "~10 and 1~3"),
        ("~5 **bold~ish** x", "~5 <strong>bold~ish</strong> x"),
        ("~~gone~~ \\~a~", "<del>gone</del> ~a~"),
        ("`~a~ ||b|| 2*3*4`", "<code>~a~ ||b|| 2*3*4</code>"),
        ("2*3*4=24, 2*x*y, 2**3**4", "2*3*4=24, 2*x*y, 2**3**4"),
        ("un*frigging*believable, **2** *3*", "un<em>frigging</em>believable, <strong>2</strong> <em>3</em>"),
        ("%EF%B7%90 and `%EF%B7%93`", "%EF%B7%90 and <code>%EF%B7%93</code>"),
        ("Bye\n--\nBo\n===", "Bye<br>\n--<br>\nBo<br>\n==="),
    ],
)
def test_signs_mean_what_people_mean(body: str, says: str) -> None:
    assert markup.to_html(body) == f"<p>{says}</p>"


@pytest.mark.parametrize(
    "body",
    ["if (a||b||c)", "a || b || c", "f(x)||y||z", "((a)||(b)||(c))", "'a'||b||'c'", "x[0]||y||z", "5||6||7",
     "!a||!b||!c"],
)  # fmt: skip
def test_operators_hide_nothing(body: str) -> None:
    assert markup.to_html(body) == f"<p>{body}</p>"


@pytest.mark.parametrize(
    "body",
    ["||x||", "a ||x|| b", "ends: ||x||.", "(||x||)", '"||x||"', "**||x||**", "これは||x||です", "||x||, y", "¡||x||!"],
)
def test_a_spoiler_hides_what_it_stands_around(body: str) -> None:
    assert '<span class="spoiler" tabindex="0">x</span>' in markup.to_html(body)


@pytest.mark.parametrize(
    "text",
    [
        "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
        "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
        "ភាសា\u200bខ្មែរ",
        "ภาษา\u200bไทย",
        "שלום\u200f! \u200eabc \u061cعربي",
        "می\u200cخواهم \U0001f468\u200d\U0001f469\u200d\U0001f467",
        "Donau\u00addampf",
        "\u1820\u180e\u1820",
        "בְּרֵאשִׁ֖ית",
        "\u3000全角の字下げ",
        "https://e.com/cafe\u0301 https://e.com/\u212b",
        "[x](/t/cafe\u0301) <https://e.com/\u2126>",
        "`e\u0301 \u037e \u200b`",
        "```\n\u212b \u200b\ufeff e\u0301\n```",
        "a\n\n    e\u0301 \u1fef",
        "    indented code\n\ntext",
        ">     e\u0301 \u200b",
        "- a\n-     \u212b",
        "1. > \te\u0301",
        "```\n    ```\ne\u0301\n```",
        "```\n> ```\ne\u0301\n```",
        "> ```\n> a\n\ntext\n\n```\ne\u0301\n```",
        "- ```\n  a\n\ntext\n\n```\ne\u0301\n```",
    ],
)
def test_text_code_and_addresses_are_kept_to_the_letter(text: str) -> None:
    assert characters.clean(text) == text


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a\x00b\u202ec\u200bd\r\ne", "abcd\ne"),
        ("a\u2066b\u2069 `c\u202e`", "ab `c`"),
        ("e\u0301 \u212b", "é Å"),
        ("```\na\n```\ne\u0301 - \u212b", "```\na\n```\né - Å"),
        ("it`s e\u0301\n\n`` e\u0301", "it`s é\n\n`` é"),
        ("a" + "\u0335" * 50, "a" + "\u0335" * 4),
        ("a" + "\u0335\ufe0f\u200d" * 50, "a" + "\u0335\ufe0f\u200d" * 4),
        ("a" + "\ua670" * 50, "a" + "\ua670" * 4),
        ("ก" + "\u0e47" * 50, "ก" + "\u0e47" * 12),
        ("a\U000e0068\U000e0069b \U0001f3f4\U000e0067", "ab \U0001f3f4"),
        ("a\x0bb\u2028c\x85d", "a\nb\nc\nd"),
        (" \n\t\n    code\n\n", "    code"),
        ("a\ufffeb\ufdd0c\ud800", "abc"),
    ],
)
def test_only_what_is_dangerous_is_dropped(text: str, kept: str) -> None:
    assert characters.clean(text) == kept


@pytest.mark.parametrize(
    ("body", "html"),
    [
        ("![a *cat*](https://e.com/c.png)", f'<p><a href="https://e.com/c.png"{LINK}>a cat</a></p>'),
        ("![](https://e.com/c.png)", f'<p><a href="https://e.com/c.png"{LINK}>https://e.com/c.png</a></p>'),
        ('![a "b" <c>](https://e.com/ "t")', f'<p><a href="https://e.com/" title="t"{LINK}>a "b" &lt;c&gt;</a></p>'),
        ("[![a](https://e.com/c.png)](https://e.org)", f'<p><a href="https://e.org"{LINK}>a</a></p>'),
        ("![a](javascript:x)", f"<p><a{LINK}>a</a></p>"),
    ],
)
def test_an_image_is_a_link_to_it(body: str, html: str) -> None:
    assert markup.to_html(body) == html


def test_marks_that_are_written_as_entities_are_bounded_too() -> None:
    assert markup.to_html("a" + "&#x335;" * 50) == "<p>a" + "\u0335" * 4 + "</p>"


@pytest.mark.parametrize(
    "body",
    ["[note]: a", "#", "&nbsp;", "\u3164", "\u2800", "\u200d", "&#8203;", ">", "- ", "***", "\u00ad", "```\n```",
     "&#x3164; &zwnj;", "\u115f\u1160\uffa0", "[x]: https://e.com\n\n>\n> &ensp;", "\ufe0f", "\u0301", "||&nbsp;||",
     "\U0001d159"],
)  # fmt: skip
def test_what_shows_nothing_is_told(body: str) -> None:
    assert markup.shows_nothing(markup.to_html(characters.clean(body)))


@pytest.mark.parametrize(
    "body", [".", "👍", "字", "\u0915\u094d", "`x`", "[a]: b\n\nc", "![x](y)", "¿", "<b>", "\\", "|"]
)
def test_what_shows_something_is_told(body: str) -> None:
    assert not markup.shows_nothing(markup.to_html(characters.clean(body)))


WORDS = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Cn", "Co", "Z"], exclude_characters="\u200b"), min_size=1
)
SIGNS = st.sampled_from(
    [*"*_~|`[]()!<>&#\\-+\"'/.: \n\t", "    ", "||", "~~", "```", "https://", "www.", "> ", "- ", "1. ", "@"]
)
TEXTS = st.lists(st.one_of(SIGNS, WORDS, st.text()), max_size=40).map("".join)


@settings(deadline=None, max_examples=50)
@given(TEXTS)
def test_code_is_shown_to_the_letter(text: str) -> None:
    code = characters.clean(f"x\n{text}\nx").replace("~~~", "~~")
    html = markup.to_html(f"~~~\n{code}\n~~~")
    assert html == f"<pre><code>{escape(code, quote=False)}\n</code></pre>".replace("\xa0", "&nbsp;")


@settings(deadline=None, max_examples=50)
@given(TEXTS)
def test_a_text_that_was_cleaned_stays_as_it_is(text: str) -> None:
    once = characters.clean(text)
    assert characters.clean(once) == once


@settings(deadline=None, max_examples=50)
@given(TEXTS)
def test_no_word_is_lost_and_only_what_is_allowed_is_made(text: str) -> None:
    body = characters.clean(f"{text}\n\nlast")
    html = markup.to_html(body)
    assert leftover(html.replace('<span class="spoiler" tabindex="0">', "<span>")) == ""
    assert "last" in markup.plain_text(html) or "```" in body or "~~~" in body
    assert not re.search("[\ufdd0-\ufdd3]|%EF%B7%9", html)


@settings(deadline=None, max_examples=50)
@given(st.text(st.sampled_from("ab* _~|`>-+#1.!()\n字。é"), max_size=60))
def test_letters_are_all_shown_in_their_order(text: str) -> None:
    body = characters.clean(text)
    shown = re.sub(r"\W|_", "", markup.plain_text(markup.to_html(body)))
    wanted = re.sub(r"\W|_", "", body)
    # The language of a fence and the number of a list's item are not shown.
    assert re.sub("[1ab字é]", "", shown) == ""
    assert shown == wanted or "```" in body or "1" in body or "~~~" in body


def nested(*tags: str) -> int:
    """Return how deep `tags` stand within each other in what a text makes."""
    deepest = depth = 0
    for tag in re.findall(r"</?[a-z]+", "".join(tags)):
        depth += -1 if tag[1] == "/" else tag[1:] not in ("br", "hr")
        deepest = max(deepest, depth)
    return deepest


@pytest.mark.parametrize(
    "made",
    [
        lambda n: ">" * n + "last",
        lambda n: "- " * n + "last",
        lambda n: "> - " * n + "last",
        lambda n: "*a **b " * n + "last" + "** *" * n,
        lambda n: "".join(f"{'  ' * at}- a\n" for at in range(min(n, 90))) + "\nlast",
    ],
)
def test_nothing_is_nested_deeper_than_a_parser_likes(made: Callable[[int], str]) -> None:
    for times in (5, 400, 2_000):
        html = markup.to_html(made(times))
        assert nested(html) < 80
        assert "last" in html


def test_foreign_html_is_nested_no_deeper_either() -> None:
    html = (
        "<div>" * 3_000 + "<b>" * 3_000 + "<blockquote>" * 3_000 + "<p>words<br>" + "</blockquote>" * 3_000 + "<p>end"
    )
    assert nested(markup.safe(html)) <= markup.MAX_HTML_DEPTH + 2
    assert markup.safe("<p>a<br>" * 300).count("<p>") == 300
    assert markup.safe("<ul>" + "<li><p>a" * 300 + "</ul><em>b</em>").endswith("<em>b</em>")


def bombs() -> dict[str, Callable[[int], str]]:
    pieces = [
        ">", "> ", "- ", "> - ", "1. ", "[", "![", "](", "[a](", "*a ", "**a *b ", "_", "`", "~~a ", "||a ", "<", "<a ",
        "&", "&a;", "www.", "http://", "http://a。", "a@", "a@a.", "a:", ")", "- a\n", "```\n", "a\n-\n", "[a]: u\n",
        "* * x\n", "\\", "\t", "-\t", "|", "||", "~", "字。", "e\u0301", "\u200b", "\U0001f3f4\U000e0067", "@a", '@"a',
        "#", "a\n", "-" + " " * 10, "''||", "`a``b```", ".", "!", "- a\n\n",
    ]  # fmt: skip
    made = {repr(piece): lambda n, piece=piece: piece * (n // len(piece)) for piece in pieces}
    path = CORPORA / "gen_markdown_pathological.json"
    corpus = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    made |= {
        f"corpus {at}": lambda n, text=text: (text * (1 + n // len(text)))[:n] for at, text in enumerate(corpus) if text
    }
    return made | {
        "an address and brackets": lambda n: "www.a.b" + ")" * n,
        "brackets and others": lambda n: "www.a.b" + ")." * (n // 2),
        "rounds that never end": lambda n: ("-" + " " * (n // 8)) * 8 + "x",
        "deep lists and empty lines": lambda n: "- " * (n // 3) + "a" + "\n" * (n // 3),
        "brackets in brackets": lambda n: "[" * (n // 2) + "]" * (n // 2),
        "marks": lambda n: "a" + "\u0335" * n,
        "stars in a word": lambda n: "x" + "*" * n + "y",
    }


@pytest.mark.parametrize("made", bombs().values(), ids=bombs())
def test_no_text_takes_more_than_its_length(made: Callable[[int], str]) -> None:
    """Of the longest text, no more than a hundred times an honest one's."""

    def seconds(text: str) -> float:
        began = time.process_time()
        markup.to_html(characters.clean(text), {"a": "a"})
        return time.process_time() - began

    honest = "Some *honest* text with a [link](https://e.com) and `code`.\n\n> A quote.\n\n- one\n- two\n\n" * 120
    usual = min(seconds(honest[:10_000]) for _ in range(2))
    assert min(seconds(made(10_000)) for _ in range(2)) < 25 * usual


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
        body = characters.clean(text)
        html = markup.to_html(body) if kind == "markdown" else markup.safe(body)
        assert leftover(html) == "", text


def test_the_marks_of_every_script_are_parts_of_words() -> None:
    marks = [mark for mark in map(chr, range(0x300, 0x1F000)) if unicodedata.category(mark) in ("Mn", "Mc")]
    assert len(marks) > 2000
    assert [mark for mark in marks if not any(mark in name for name in markup.mentions(f"@x{mark}y"))] == []
