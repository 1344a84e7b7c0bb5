"""The files of other systems: what each says of pages, people, answers and states, and what is refused."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from server import thread_keys
from server.importing import xml
from tests.server.test_imports import Run, asked, run, tree_of
from tests.server.test_porting import FIXTURES

__all__ = ["run"]

DISQUS = """<?xml version="1.0" encoding="{encoding}"?>
<disqus xmlns="http://disqus.com" xmlns:dsq="http://disqus.com/disqus-internals">
<category dsq:id="1"><title>General</title></category>
<thread dsq:id="10"><id/><link>https://blog.example/a/</link><title>A &amp; “b”</title>
<isClosed>true</isClosed></thread>
<thread dsq:id="11"><id/></thread>
<post dsq:id="2"><message><![CDATA[<p>Two: caf\u00e9 <script>x</script></p>]]></message>
<createdAt>2013-10-11T06:51:33Z</createdAt>
<isDeleted>false</isDeleted><isSpam>false</isSpam><author><name>Ana</name><username>ana1</username></author>
<thread dsq:id="10"/><parent dsq:id="1"/></post>
<post dsq:id="1"><message>One</message><createdAt>2013-10-10T06:51:33Z</createdAt><isDeleted>true</isDeleted>
<isSpam>false</isSpam><author><name>Bo</name><email>bo@example.org</email></author><thread dsq:id="10"/></post>
<post dsq:id="3"><message>Buy</message><createdAt>2013-10-10T06:51:33Z</createdAt><isSpam>true</isSpam>
<author><name>Bo</name></author><thread dsq:id="10"/></post>
<post dsq:id="4"><message>Lost</message><createdAt>2013-10-10T06:51:33Z</createdAt>
<author><name>Ana</name><email>other@example.org</email></author><thread dsq:id="77"/><parent dsq:id="3"/></post>
<post dsq:id="5"><message>When</message><createdAt>then</createdAt><thread dsq:id="10"/></post>
</disqus>"""

WORDPRESS = """<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:wp="{namespace}"><channel><title>Blog</title>
<item><title>A post</title><link>https://blog.example/2020/a/</link><wp:post_id>5</wp:post_id>
<wp:comment_status>closed</wp:comment_status><wp:status>publish</wp:status>
{comments}
</item>
<item><title>Secret</title><link>https://blog.example/?p=6</link><wp:post_id>6</wp:post_id><wp:status>draft</wp:status>
<wp:comment><wp:comment_id>9</wp:comment_id><wp:comment_date_gmt>2020-01-01 00:00:00</wp:comment_date_gmt>
<wp:comment_content>hush</wp:comment_content></wp:comment></item>
</channel></rss>"""


def wp(id_: int, parent: int = 0, *, approved: str = "1", text: str = "Says", user: int = 0, kind: str = "") -> str:
    return (
        f"<wp:comment><wp:comment_id>{id_}</wp:comment_id><wp:comment_author><![CDATA[Sam]]></wp:comment_author>"
        f"<wp:comment_author_email>sam{user}@example.org</wp:comment_author_email>"
        f"<wp:comment_date_gmt>2020-01-01 00:00:0{id_}</wp:comment_date_gmt>"
        f"<wp:comment_content><![CDATA[{text}]]></wp:comment_content><wp:comment_type>{kind}</wp:comment_type>"
        f"<wp:comment_approved>{approved}</wp:comment_approved><wp:comment_parent>{parent}</wp:comment_parent>"
        f"<wp:comment_user_id>{user}</wp:comment_user_id></wp:comment>"
    )


@pytest.mark.parametrize("encoding", ["utf-8", "ISO-8859-1"])
def test_disqus(run: Run, tmp_path: Path, encoding: str) -> None:
    content = DISQUS.format(encoding=encoding).encode(encoding, "xmlcharrefreplace").replace(b"One", b"One\x0b")
    (tmp_path / "d.xml").write_bytes(content)
    status, output, _ = run("import", "disqus", tmp_path / "d.xml", "--verbose")
    assert (status, "3 imported" in output) == (0, True)
    assert "record 3: skipped: it was marked as spam" in output
    assert "record 5: skipped: createdAt is not a time" in output
    database = tmp_path / "own.db"
    assert tree_of(database) == {"1": None, "2": "1", "4": None}
    assert asked(database, "SELECT key, title, url, locked, comments FROM threads ORDER BY id") == [
        ("a", "A & “b”", "https://blog.example/a/", 1, 1),
        ("d~77", "", "", 0, 1),
    ]
    found = asked(database, "SELECT source, state, body, html FROM comments ORDER BY source")
    assert found[0] == ("disqus:1", "removed", "", "")
    assert found[1][3] == "<p>Two: café </p>"
    assert len(asked(database, "SELECT 1 FROM accounts")) == 2
    assert "example.org" not in str(asked(database, "SELECT * FROM people"))


@pytest.mark.parametrize("namespace", ["https://wordpress.org/export/1.2/", "http://wordpress.org/export/1.0/"])
def test_wordpress(run: Run, tmp_path: Path, namespace: str) -> None:
    comments = [
        wp(2, 1, text="One\nline\n\n\nTwo <b>bold</b>"), wp(1, user=7, text="<p>As it\nis</p>"), wp(3, approved="0"),
        wp(4, approved="spam"), wp(5, 1, approved="trash"), wp(6, 5, kind="pingback", user=7),
    ]  # fmt: skip
    (tmp_path / "w.xml").write_text(WORDPRESS.format(namespace=namespace, comments="".join(comments)))
    status, output, _ = run("import", "wordpress", tmp_path / "w.xml", "--verbose")
    assert (status, "5 imported" in output) == (0, True)
    assert "record 4: skipped: it was marked as spam" in output
    assert "record 7: skipped: its post is not public" in output
    database = tmp_path / "own.db"
    assert tree_of(database) == {"1": None, "2": "1", "3": None, "5": "1", "6": "5"}
    assert asked(database, "SELECT key, title, locked, comments FROM threads") == [("2020~a", "A post", 1, 3)]
    html = dict(asked(database, "SELECT source, html FROM comments"))
    assert html["wordpress:2"] == "<p>One<br>line</p>\n<p>Two <b>bold</b></p>"
    states = dict(asked(database, "SELECT source, state FROM comments"))
    assert [states[f"wordpress:{n}"] for n in (1, 2, 3, 5, 6)] == [
        "visible",
        "visible",
        "pending",
        "removed",
        "visible",
    ]
    authors = dict(asked(database, "SELECT source, author FROM comments"))
    assert authors["wordpress:1"] == authors["wordpress:6"] != authors["wordpress:2"]


@pytest.mark.parametrize("format_", ["disqus", "wordpress"])
@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"<html><body/></html>", "it is <html>, not <"),
        (b'<!DOCTYPE x [<!ENTITY a "aaaa">]>\n<rss>&a;</rss>', "DOCTYPE"),
        (b"<?xml version='1.0'?>\n<rss><channel>\n<item></channel></rss>", "Nothing was imported"),
        (b"`<?xml version='1.0'?><disqus/>", "line 1: it is not XML"),
        (b"<?xml version='1.0' encoding='base64'?><rss/>", "its encoding base64 is not known"),
        (b"<?xml version='1.0' encoding='klingon'?><rss/>", "its encoding klingon is not known"),
        (b'{"a": 1}', "line 1: it is not XML"),
    ],
)
def test_xml_that_is_not_the_formats_changes_nothing(
    run: Run, tmp_path: Path, format_: str, content: bytes, says: str
) -> None:
    (tmp_path / "x.xml").write_bytes(content)
    status, _, errors = run("import", format_, tmp_path / "x.xml")
    assert (status, says in errors) == (2, True), errors
    assert not (tmp_path / "own.db").exists()


@pytest.mark.parametrize(
    ("within", "says"),
    [("<a>" * 200, f"nested deeper than {xml.MAX_DEPTH}"), ("x" * (17 * 2**20), "a text in it is longer than 16 MiB")],
    ids=["deep", "long"],
)
def test_xml_is_bounded(run: Run, tmp_path: Path, within: str, says: str) -> None:
    (tmp_path / "x.xml").write_text(f"<disqus><post>{within}")
    status, _, errors = run("import", "disqus", tmp_path / "x.xml")
    assert (status, says in errors) == (2, True), errors


def test_isso(run: Run, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "comments.db") as sql:
        sql.executescript(
            "CREATE TABLE threads (id INTEGER PRIMARY KEY, uri, title);"
            "CREATE TABLE comments (tid, id INTEGER PRIMARY KEY, parent, created, modified, mode, text, author, email,"
            " likes, dislikes);"
            "INSERT INTO threads VALUES (1, '/blog/a/', 'A'), (2, '/b', NULL);"
        )
        rows: list[tuple[Any, ...]] = [
            (1, 1, 2, 1.5e9, None, 1, "*One*", "Ana", "a@example.org", 3, 1),
            (1, 2, None, 1.5e9, 1.6e9, 4, "", None, None, 0, 0),
            (2, 3, None, 1.5e9, None, 2, "Held", None, "b@example.org", 0, 0),
            (2, 4, 9, 1.5e9, None, 1, b"\xff", "Ana", "a@example.org", 0, 0),
            (7, 5, 4, 1.5e9, None, 1, "Lost", "Ana", "c@example.org", 0, 0),
        ]
        sql.executemany("INSERT INTO comments VALUES (?,?,?,?,?,?,?,?,?,?,?)", rows)
    sql.close()
    status, output, _ = run("import", "isso", tmp_path / "comments.db", "--verbose")
    assert (status, "4 imported" in output) == (0, True)
    assert "record 4: skipped: not an Isso comment" in output
    database = tmp_path / "own.db"
    assert tree_of(database) == {"1": "2", "2": None, "3": None, "5": None}
    assert {row[0] for row in asked(database, "SELECT key FROM threads")} == {"blog~a", "b", "comments~7"}
    found = asked(database, "SELECT html, state, base_up, base_down FROM comments ORDER BY source")
    assert found[0] == ("<p><em>One</em></p>", "visible", 3, 1)
    assert [row[1] for row in found] == ["visible", "removed", "pending", "visible"]
    for content in (b"", b"not a database", b"SQLite format 3\0 and then"):
        (tmp_path / "broken.db").write_bytes(content)
        assert run("import", "isso", tmp_path / "broken.db")[0] == 2


def test_commento(run: Run, tmp_path: Path) -> None:
    def comment(hex_: str, parent: str = "root", **more: Any) -> dict[str, Any]:
        return {
            "commentHex": hex_, "parentHex": parent, "domain": "blog.example", "url": "/a", "commenterHex": "u1",
            "markdown": "*One*", "score": 2, "state": "approved", "creationDate": "2021-03-12T11:21:56.5Z",
        } | more  # fmt: skip

    comments = [
        comment("2", "1"), comment("1", commenterHex="anonymous", markdown="", html="<b>x</b>"),
        comment("3", "1", deleted=True), comment("4", "3", commenterHex="u2", state="unapproved"),
        comment("5", score="x"), comment("6", deleted="x"),
    ]  # fmt: skip
    people = [{"commenterHex": "u1", "name": "Sam"}, {"commenterHex": "u2", "name": "Sam"}]
    (tmp_path / "c.json").write_text(json.dumps({"version": 1, "comments": comments, "commenters": people}))
    status, output, _ = run("import", "commento", tmp_path / "c.json", "--verbose")
    assert (status, "5 imported" in output) == (0, True)
    assert "record 5: imported: the field score was not understood" in output
    assert "record 6: skipped: not a Commento comment" in output
    database = tmp_path / "own.db"
    assert tree_of(database) == {"1": None, "2": "1", "3": "1", "4": "3", "5": None}
    assert asked(database, "SELECT key, url FROM threads") == [("a", "https://blog.example/a")]
    names = dict(asked(database, "SELECT source, a.name FROM comments c LEFT JOIN accounts a ON a.id = c.author"))
    assert names == {
        "commento:1": None, "commento:2": "Sam", "commento:3": None, "commento:4": "Sam (imported)",
        "commento:5": "Sam",
    }  # fmt: skip


def test_artalk(run: Run, tmp_path: Path) -> None:
    def comment(id_: str, rid: str = "0", **more: Any) -> dict[str, Any]:
        return {
            "id": id_, "rid": rid, "content": "*One*", "nick": "Sam", "email": "s@example.org", "page_key": "/a.html",
            "created_at": "2022-04-29 14:44:04 +0800 CST", "page_title": "A", "site_name": "One",
            "site_urls": "https://one.example/,https://www.one.example", "is_pending": "false", "vote_up": "3",
            "vote_down": "1", "page_admin_only": "",
        } | more  # fmt: skip

    comments = [
        comment("2", "1"), comment("1"), comment("3", is_pending="true", email="t@example.org"),
        comment("4", site_urls="https://two.example", site_name="Two"), comment("5", vote_up="many"),
        comment("6", page_key="https://one.example/b"), comment("7", is_pending=[]),
    ]  # fmt: skip
    (tmp_path / "a.artrans").write_text(json.dumps(comments))
    status, output, _ = run("import", "artalk", tmp_path / "a.artrans", "--verbose")
    assert (status, "6 imported" in output) == (0, True)
    assert "record 5: imported: the field vote_up was not understood" in output
    assert "record 7: skipped: not an Artalk comment" in output
    database = tmp_path / "own.db"
    assert tree_of(database) == {"1": None, "2": "1", "3": None, "4": None, "5": None, "6": None}
    assert asked(database, "SELECT key, title, url, comments FROM threads ORDER BY id") == [
        ("a.html", "A", "https://one.example/a.html", 3),
        (thread_keys.key_of("https://two.example/a.html", is_long=True), "A", "https://two.example/a.html", 1),
        ("b", "A", "https://one.example/b", 1),
    ]
    found = asked(database, "SELECT created, base_up, base_down FROM comments WHERE source = 'artalk:1'")
    assert found == [(1651214644000, 3, 1)]
    assert len(asked(database, "SELECT 1 FROM accounts")) == 3


def test_discourse(run: Run, tmp_path: Path) -> None:
    def post(number: int, to: int | None = None, **more: Any) -> dict[str, Any]:
        return {
            "post_number": number, "reply_to_post_number": to, "username": "ana", "name": "Ana", "user_id": 5,
            "created_at": "2013-02-04T15:26:32.362-05:00", "cooked": "<p>Hi</p>",
        } | more  # fmt: skip

    posts = [
        post(1), post(3, 2), post(2, 1, deleted_at="2014-01-01T00:00:00Z"), post(4, post_type=4),
        post(5, 4, raw="*Hi*"), post(6, created_at=None),
    ]  # fmt: skip
    topic = {"id": 57, "slug": "a-topic", "title": "A topic", "closed": True, "post_stream": {"posts": posts}}
    (tmp_path / "t.json").write_text(json.dumps(topic))
    status, output, _ = run("import", "discourse", tmp_path / "t.json")
    assert (status, "4 imported" in output, "2 skipped" in output) == (0, True, True)
    database = tmp_path / "own.db"
    assert tree_of(database) == {"1": None, "2": "1", "3": "2", "5": None}
    assert asked(database, "SELECT key, title, locked FROM threads") == [("a-topic~57", "A topic", 1)]
    assert asked(database, "SELECT body, html FROM comments WHERE source = 'discourse:5'") == [("*Hi*", "<p>Hi</p>")]
    assert asked(database, "SELECT created FROM comments WHERE source = 'discourse:1'") == [(1360009592362,)]


@pytest.mark.skipif(not FIXTURES.exists(), reason="the real files are not beside this checkout")
@pytest.mark.parametrize(
    ("format_", "name", "count"),
    [
        ("disqus", "disqus/isso-tests-disqus.xml", 6), ("wordpress", "wordpress/isso-tests-wordpress.xml", 8),
        ("wordpress", "wordpress/themeunittestdata.wordpress.xml", 33), ("isso", "isso/comments.db", 15),
        ("commento", "commento/remark42-commento.json", 3), ("commento", "commento/remark42-restapi-commento.json", 7),
        ("discourse", "discourse/discourse_api-topic.json", 4), ("remark42", "remark42/native-backup-sample.jsonl", 2),
        ("remark42", "remark42/tree.json", 12), ("remark42", "remark42/tree_del.json", 9),
    ],
)  # fmt: skip
def test_every_record_of_a_real_file_comes_in_once(
    run: Run, tmp_path: Path, format_: str, name: str, count: int
) -> None:
    status, output, _ = run("import", format_, FIXTURES / name)
    assert (status, f" {count} imported" in output, "0 skipped" in output) == (0, True, True), output
    assert len(asked(tmp_path / "own.db", "SELECT 1 FROM comments")) == count
    assert " 0 imported" in run("import", format_, FIXTURES / name)[1]
