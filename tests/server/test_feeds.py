"""Atom feeds are XML that a strict parser reads, whatever titles, names and comments hold."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest

from channels.messages import Author, Comment
from server.locales import texts
from server.web.pages.feeds import atom

SERVER = "https://example.org/talk"
ATOM = "{http://www.w3.org/2005/Atom}"
HOSTILE = {
    **{f"U+{code:04X}": (f"a{chr(code)}b", "ab") for code in range(32) if chr(code) not in "\t\n\r"},
    "U+FFFE": ("a\ufffeb", "ab"),
    "U+FFFF": ("a\uffffb", "ab"),
    "half a character": ("a\ud800b\udfffc", "abc"),
    "halves the wrong way round": ("\udc00\ud800", ""),
    "the ends of the ranges": ("\ud7ff\ue000\ufffd\U00010000\U0010ffff", "\ud7ff\ue000\ufffd\U00010000\U0010ffff"),
    "the end of a section": ("]]>", "]]>"),
    "a section": ("<![CDATA[<b>]]>", "<![CDATA[<b>]]>"),
    "markup": ("</name></author><x a='\"'>&lt;&bogus;<!-- <?x ?>", "</name></author><x a='\"'>&lt;&bogus;<!-- <?x ?>"),
    "ends of lines": ("a\tb\r\nc\rd\ne", "a\tb\nc\nd\ne"),
    "controls that XML knows": ("\x7f\x80\x85\x9f\u2028\ufeff", "\x7f\x80\x85\x9f\u2028\ufeff"),
}


def _parsed(text: str, **author: Any) -> ElementTree.Element:
    comment = Comment(id=7, version=1, html=text, created="2026-01-02T03:04:05.000Z", edited=None, **author)
    found = [SimpleNamespace(thread="a-key", title=text, comment=comment)]
    feed = atom(SERVER, "/t/a-key/feed", text, found, texts())
    return ElementTree.fromstring(feed.encode())


@pytest.mark.parametrize(("given", "kept"), HOSTILE.values(), ids=HOSTILE.keys())
def test_every_text_comes_out_as_it_was_but_for_what_xml_cannot_say(given: str, kept: str) -> None:
    feed = _parsed(given, author=Author(name=f"{given}!", avatar="/a", badge=None))
    entry = feed.find(f"{ATOM}entry")
    assert entry is not None
    said = {one.tag.removeprefix(ATOM): one for one in entry}
    assert feed.findtext(f"{ATOM}title", "") == kept
    assert said["author"].findtext(f"{ATOM}name") == f"{kept}!"
    assert said["title"].text == texts()("feed.entry", name=f"{kept}!", thread=kept or "")
    assert (said["content"].text or "", said["content"].attrib) == (kept, {"type": "html"})
    assert {one.tag for one in entry.iter()} == {
        f"{ATOM}{tag}" for tag in ("entry", "id", "title", "author", "name", "published", "updated", "link", "content")
    }


def test_a_feed_says_where_it_is_and_where_its_comments_are() -> None:
    feed = _parsed('<p>Mine, and <a href="/t/a-key/c/3">another</a></p>', author=None)
    assert feed.tag == f"{ATOM}feed"
    links = [(one.get("rel"), one.get("href")) for one in feed.iter(f"{ATOM}link")]
    assert links == [("self", f"{SERVER}/t/a-key/feed"), (None, f"{SERVER}/t/a-key/c/7")]
    assert [one.text for one in feed.iter(f"{ATOM}id")] == [href for _, href in links]
    assert {one.text for one in feed.iter(f"{ATOM}updated")} == {"2026-01-02T03:04:05.000Z"}
    assert feed.findtext(f"{ATOM}entry/{ATOM}author/{ATOM}name") == texts()("comment.anonymous")
    assert f'href="{SERVER}/t/a-key/c/3"' in feed.findtext(f"{ATOM}entry/{ATOM}content", "")
    assert atom(SERVER, "/feed", "x", [], texts()).count("<updated>1970-01-01T00:00:00.000Z<") == 1
