"""Where a page of ours may lead: nothing that looks like a path of this site is another site's for some browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx2
import pytest

from server import urls
from server.actions.describe_thread import set_description
from server.errors import Invalid
from server.storage.engine.database import Database
from tests.journeys.people import ONE_OFF, PASSWORD
from tests.processes import Server

LOCAL = [
    "/",
    "/t/key",
    "/t/key?sort=top&cursor=1#c-2",
    "/a//b",
    "/t/caf\u00e9",
    "/%5Cevil.com",
    "/.//evil.com",
    "/@evil.com",
]
PAGES = [
    "https://example.org/", "http://example.org", "https://example.org:8443/a?b#c", "HTTPS://EXAMPLE.ORG/",
    "https://m\u00fcnchen.example/\u00fc", "https://[2001:db8::1]:8443/", "https://medium.example/@ana/words",
    "https://example.org./", "http://localhost:8000/", "https://a_b.example/",
]  # fmt: skip
# With what browsers drop, and what they read as a slash.
NEITHER = [
    "", "//evil.com", "///evil.com", "/\\evil.com", "\\/evil.com", "\\\\evil.com", "/\t/evil.com", "/\n/evil.com",
    "/\r/evil.com", "\t//evil.com", " //evil.com", "/ /evil.com", "/\x00/evil.com", "/\u00a0/evil.com", "/\u2028/e",
    "/\u202e/evil.com", "/\ufeff/evil.com", "/\u00ad/evil.com", "/a\\b", "evil.com", "./evil.com", "?a", "#a",
    "javascript:alert(1)", "JaVaScRiPt:alert(1)", "java\tscript:alert(1)", "\x01javascript:x", "data:text/html,x",
    "vbscript:x", "ftp://example.org/", "mailto:a@example.org", "https:evil.com", "https:/evil.com", "https:///evil.com",
    "https:\\\\evil.com", "https://user@evil.com/", "https://user:word@evil.com/", "https://example.org@evil.com/",
    "https://example.org\\@evil.com/", "https://example.org%40evil.com/", "https://:80/", "https://example.org:port/",
    "https://example.org:99999/", "https://exa mple.org/", "https://exa\tmple.org/", "https://example.org/\n",
    "https://[::1/", "https://a..b/", "https://?", "https://#", "/" + "a" * 2000,
]  # fmt: skip


@pytest.mark.parametrize("url", LOCAL)
def test_a_path_is_of_this_site(url: str) -> None:
    assert urls.is_local(url)
    assert urls.is_page(url)
    assert urlsplit(urljoin("https://here.example/t/x", url)).netloc == "here.example"


@pytest.mark.parametrize("url", PAGES)
def test_an_address_of_a_page_is_no_path(url: str) -> None:
    assert urls.is_page(url)
    assert not urls.is_local(url)


@pytest.mark.parametrize("url", NEITHER)
def test_what_some_browser_reads_as_something_else_is_neither(url: str) -> None:
    assert not urls.is_local(url)
    assert not urls.is_page(url)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("urls")) as server:
        server.run("account", "create", "Chief", "--role", "staff", stdin=PASSWORD + "\n")
        yield server


def test_no_form_and_no_command_leads_elsewhere(app: Server, tmp_path: Path) -> None:
    client = httpx2.Client(base_url=app.origin, headers={"origin": app.origin}, trust_env=False, limits=ONE_OFF)
    credentials = {"name": "Chief", "password": PASSWORD}
    token = client.post("/api/session", json=credentials | {"token": True}).json()["token"]
    client.headers["authorization"] = f"Bearer {token}"
    for url in NEITHER:
        # An empty one takes the address away.
        if url:
            answer = client.put("/api/threads/t", json={"title": "A title", "url": url})
            assert (url, answer.status_code, answer.json()["error"]["field"]) == (url, 422, "url")
        form = client.get("/login", params={"next": url}).text
        assert (url, 'name="next" value="/"' in form) == (url, True)
    assert client.post("/login", data=credentials | {"next": "/\\evil.com"}).headers["location"] == "/"
    assert client.post("/login", data=credentials | {"next": "/t/a"}).headers["location"] == "/t/a"
    assert client.post("/logout", data={"next": "/\t/evil.com"}).headers["location"] == "/"


async def test_the_operator_cannot_set_one_either(database: Database) -> None:
    for url in ("javascript:alert(1)", "/\\evil.com"):
        with pytest.raises(Invalid):
            await set_description(database, "t", url=url)
