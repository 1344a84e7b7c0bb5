"""A text that came as HTML is edited as Markdown, which makes the same HTML again."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from server.actions import sign_in
from server.actions.edit import edit_comment
from server.rate_limits import Limits
from server.settings import read
from server.storage.comments import comments
from server.storage.engine.database import Database
from server.storage.engine.write import Write
from server.storage.threads import threads
from server.text import characters, markup, quotations
from server.text.html_to_markdown import to_markdown
from tests.server.test_markup import TEXTS

SETTINGS = read({"LIVETHREAD_SECRET": "a-secret-of-the-tests", "LIVETHREAD_LIMITS": "off"})


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>A <b>bold</b> <i>word</i></p><p>and <s>another</s></p>", "A **bold** *word*\n\nand ~~another~~"),
        ("<p>one<br>two</p>", "one\ntwo"),
        ('<a href="https://e.com/a_b">x</a>', "[x](https://e.com/a_b)"),
        ("<ul><li>a</li><li>b<ol><li>c</li></ol></li></ul>", "- a\n- b\n  1. c"),
        ("<blockquote><p>q</p></blockquote><p>x</p>", "> q\n\nx"),
        ("<pre><code>a &lt; b *c*\n  d</code></pre>", "```\na < b *c*\n  d\n```"),
        ('<span class="spoiler">x</span>', "||x||"),
        ("<p>2 * 3 * 4, a_b_c, 1. &lt;b&gt;</p>", r"2 \* 3 \* 4, a\_b\_c, 1\. \<b\>"),
    ],
)
def test_html_is_edited_as_markdown(html: str, text: str) -> None:
    assert to_markdown(markup.safe(html)) == text


@settings(deadline=None, max_examples=50)
@given(TEXTS)
def test_no_word_is_lost_on_the_way_back(text: str) -> None:
    html = markup.to_html(characters.clean(text))
    back = markup.to_html(to_markdown(html))
    assert words(back) == words(html)


@settings(deadline=None, max_examples=50)
@given(
    some.lists(some.sampled_from(["*a*", "**b**", "`c`", "\n\n", "> q\n\n", "- l\n", "x", " ", "~~d~~"])).map(" ".join)
)
def test_markdown_that_people_write_comes_back_as_it_was_shown(text: str) -> None:
    html = markup.to_html(characters.clean(text))
    assert quotations.plain(markup.to_html(to_markdown(html))) == quotations.plain(html)


def words(html: str) -> list[str]:
    return re.findall(r"[^\W_]+", markup.plain_text(html))


async def test_editing_a_comment_that_came_as_html_makes_no_tags_visible(database: Database) -> None:
    ana = await sign_in.create_account(database, "Ana", None, "reader")
    assert ana is not None
    html = markup.safe("<p>A <b>bold</b> word &amp; <a href='https://e.com'>a link</a></p>")

    def insert(write: Write) -> int:
        thread = threads.ensure(write, "t")
        new = comments.NewComment(thread, None, 0, ana.id, html, html, write.now, format="html")
        return comments.insert(write, new)

    id_ = await database.write(insert)
    stored = await database.read(lambda sql: comments.by_id(sql, id_))
    assert stored is not None
    text = await database.read(lambda sql: comments.text(sql, stored))
    assert text == "A **bold** word \\& [a link](https://e.com)"
    limits = Limits(is_on=False)
    same = await edit_comment(database, limits, SETTINGS, ana, id_, text, 1)
    assert (same.revision, same.html) == (1, html)
    edited = await edit_comment(database, limits, SETTINGS, ana, id_, f"{text}\n\nMore.", 1)
    assert edited.html == html.replace("<b>", "<strong>").replace("</b>", "</strong>") + "\n<p>More.</p>"


async def test_markdown_that_an_import_kept_is_what_is_edited(database: Database) -> None:
    ana = await sign_in.create_account(database, "Ana", None, "reader")
    assert ana is not None

    def insert(write: Write) -> int:
        thread = threads.ensure(write, "t")
        return comments.insert(
            write, comments.NewComment(thread, None, 0, ana.id, "*a* ![x](y)", "<p><em>a</em></p>", write.now)
        )

    id_ = await database.write(insert)
    stored = await database.read(lambda sql: comments.by_id(sql, id_))
    assert stored is not None
    assert await database.read(lambda sql: comments.text(sql, stored)) == "*a* ![x](y)"
