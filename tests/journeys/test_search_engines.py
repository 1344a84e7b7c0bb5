"""What search engines and previews are told of a thread."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx2
import pytest

from tests.journeys.people import Person
from tests.processes import Server

AWKWARD = 'A </script><script>alert(1)</script> & "quoted" title'


def told(app: Server, key: str) -> dict[str, Any] | None:
    html = httpx2.get(f"{app.origin}/t/{key}", trust_env=False, timeout=20).text
    found = re.findall(r'(?s)<script type="application/ld\+json">(.*?)</script>', html)
    assert html.count("<script") == 1 + len(found)
    return dict(json.loads(found[0])) if found else None


def test_a_thread_is_a_posting_with_its_author_and_its_count(app: Server, key: str, name: str) -> None:
    assert told(app, key) is None
    author, chief = Person(app, name), Person(app, f"{name} C", "staff")
    author.post(key, "A first")
    described: dict[str, Any] = {
        "title": AWKWARD,
        "url": "https://blog.example/a?b=1&c=2",
        "summary": "In short",
        "author": name,
    }
    chief.do("PUT", f"/api/threads/{key}", **described)
    posting = told(app, key)
    assert posting is not None
    assert (posting["@context"], posting["@type"]) == ("https://schema.org", "DiscussionForumPosting")
    assert (posting["headline"], posting["text"]) == (AWKWARD, "In short")
    assert posting["mainEntityOfPage"] == described["url"]
    assert posting["url"] == f"{app.origin}/t/{key}"
    assert posting["author"]["name"] == name
    assert httpx2.get(posting["author"]["url"], trust_env=False, timeout=20).status_code == 200
    assert posting["commentCount"] == posting["interactionStatistic"]["userInteractionCount"] == 1
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", posting["datePublished"])
    author.post(key, "Another")
    assert (told(app, key) or {})["commentCount"] == 2


@pytest.mark.parametrize("part", ["canonical", "og:url", "alternate"])
def test_the_addresses_in_the_head_are_whole_or_lead_somewhere(app: Server, key: str, name: str, part: str) -> None:
    Person(app, name).post(key, "A first")
    head = httpx2.get(f"{app.origin}/t/{key}", trust_env=False, timeout=20).text.partition("</head>")[0]
    (tag,) = [one for one in re.findall(r"<(?:link|meta) [^>]*>", head) if f'"{part}"' in one]
    (address,) = re.findall(r'(?:href|content)="([^"]*)"', tag)
    whole = address if "://" in address else app.origin + address
    assert part == "alternate" or address == whole
    assert httpx2.get(whole, trust_env=False, timeout=20).status_code == 200


def test_titles_name_the_site_and_only_threads_and_their_list_are_for_search_engines(
    app: Server, key: str, name: str
) -> None:
    Person(app, name).post(key, "A first")
    pages = {f"/t/{key}": True, "/": True, f"/u/{name}": False, "/search": False, "/login": False, "/nowhere": False}
    for path, is_indexed in pages.items():
        html = httpx2.get(app.origin + path, trust_env=False, timeout=20).text
        assert re.search(r"<title>(.+ · )?livethread</title>", html), path
        assert ('<meta name="robots" content="noindex">' in html) is not is_indexed, path
        (icon,) = re.findall(r'<link rel="apple-touch-icon" href="(.*?)">', html)
    assert httpx2.get(app.origin + icon, trust_env=False).headers["content-type"] == "image/png"
    home = httpx2.get(app.origin, trust_env=False).text
    assert f'<link rel="canonical" href="{app.origin}/">' in home
    assert 'type="application/atom+xml"' in home
