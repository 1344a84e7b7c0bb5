"""Bodies on their way through a running server: hostile ones, empty ones, by plain forms, and to readers elsewhere."""

from __future__ import annotations

import re
from html import unescape

import httpx2
import pytest

from tests.journeys.people import Person
from tests.processes import Server

HOSTILE = {
    "rounds that never end": ("-" + " " * 10) * 8 + "x",
    "more of them": ("-" + " " * 150) * 60 + "x",
    "numbers": ("1." + " " * 20) * 8 + "x",
    "quotes": ">" * 9_990 + "words",
    "lists": "- " * 4_990 + "words",
    "lines of a list": "* * x\n" * 1_600,
    "an address and brackets": "www.a.b" + ")" * 9_990,
    "emphasis": "*a **b " * 1_400,
    "spoilers": "||a " * 2_500,
    "mentions": "@a" * 5_000,
}


@pytest.fixture(scope="module")
def writer(app: Server) -> Person:
    return Person(app, "Body Builder")


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_no_text_stops_the_server(app: Server, writer: Person, key: str, body: str) -> None:
    shown = writer.do("POST", "/api/preview", body=body)["html"]
    assert writer.post(key, body)["html"] == shown
    assert httpx2.get(f"{app.origin}/health", trust_env=False, timeout=5).status_code == 200


def test_a_server_that_read_hostile_texts_ends_when_it_is_told_to(app: Server, writer: Person) -> None:
    with Server(app.folder.parent, LIVETHREAD_DATABASE=str(app.folder / "another.db")) as other:
        someone = Person(other, "Body Builder")
        for body in HOSTILE.values():
            someone.do("POST", "/api/preview", body=body)
        assert other.process is not None
        other.process.terminate()
        assert other.ended() == 0


@pytest.mark.parametrize("body", ["[note]: a", "#", "&nbsp;", "\u3164", ">", "***"])
def test_what_would_show_nothing_is_refused_everywhere(writer: Person, key: str, body: str) -> None:
    said = writer.post(key, "Words.")
    wanted = {"body": body, "nonce": "n" * 20}
    for method, path, content in (
        ("POST", "/api/preview", {"body": body}),
        ("POST", f"/api/threads/{key}/comments", wanted),
        ("PATCH", f"/api/comments/{said['id']}", {"body": body, "revision": 1}),
    ):
        assert writer.do(method, path, expect=422, **content)["error"]["field"] == "body"
    assert writer.do("GET", f"/api/threads/{key}")["info"]["comments"] == 1


def post_form(writer: Person, key: str, **fields: str) -> httpx2.Response:
    return writer.http.post(f"/t/{key}/comments", data={"parent": "", **fields})


def nonce_of(writer: Person, key: str) -> str:
    """Return the nonce of the form of the thread's page."""
    found = re.search(r'name="nonce" value="([^"]+)"', writer.http.get(f"/t/{key}").text)
    assert found is not None
    return found[1]


def test_line_ends_of_a_form_count_as_one_character(writer: Person, key: str) -> None:
    text = "a line\r\n" * 1_428
    assert len(text) > 10_000 > len(text.replace("\r\n", "\n"))
    assert post_form(writer, key, body=text, nonce=nonce_of(writer, key)).status_code == 303
    assert post_form(writer, key, body="x\n" * 5_001, nonce=nonce_of(writer, key)).status_code == 422


def test_back_and_post_again_is_one_comment(writer: Person, key: str) -> None:
    first = post_form(writer, key, body="Twice\r\n", nonce=nonce_of(writer, key))
    again = post_form(writer, key, body="Twice\r\n", nonce=nonce_of(writer, key))
    assert first.headers["location"] == again.headers["location"]
    (said,) = writer.do("GET", f"/api/threads/{key}")["comments"]
    for fields in ({"body": "Another"}, {"body": "Twice", "parent": str(said["id"])}):
        assert post_form(writer, key, nonce=nonce_of(writer, key), **fields).status_code == 303
    assert writer.do("GET", f"/api/threads/{key}")["info"]["comments"] == 3
    # With a nonce of its own, a program means it.
    writer.post(key, "Twice")
    # What was deleted may be said again.
    for comment in writer.do("GET", f"/api/threads/{key}?sort=flat")["comments"]:
        writer.do("DELETE", f"/api/comments/{comment['id']}")
    assert post_form(writer, key, body="Twice", nonce=nonce_of(writer, key)).status_code == 303
    assert writer.do("GET", f"/api/threads/{key}")["info"]["comments"] == 1


def test_links_name_the_server_for_readers_elsewhere(app: Server, writer: Person, key: str) -> None:
    said = writer.post(key, "Words.")
    link = f"/t/{key}/c/{said['id']}"
    body = f'> Words.\n>\n> — [Builder]({link})\n\n@"Body Builder" `href="/x"` [x](/t/other)'
    quoting = writer.post(key, body)
    assert f'href="{link}"' in quoting["html"]
    for html in (
        writer.do("POST", "/api/preview", body=body)["html"],
        unescape(httpx2.get(f"{app.origin}/t/{key}/feed", trust_env=False).text),
        unescape(httpx2.get(f"{app.origin}/feed", trust_env=False).text),
    ):
        assert f'href="{app.origin}{link}"' in html
        assert f'href="{app.origin}/u/Body%20Builder"' in html
        assert '<code>href="/x"</code>' in html
    (exported,) = (one for one in writer.do("GET", "/api/me/export")["comments"] if one["id"] == quoting["id"])
    assert f"[Builder]({app.origin}{link})" in exported["body"]
    assert exported["url"] == f"{app.origin}/t/{key}/c/{quoting['id']}"
