"""Only our own pages act with a visitor's session: not a site beside us, listed or not, whatever way it takes."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.async_api import expect
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from tests.journeys.articles import neighbour
from tests.journeys.firefox import started
from tests.journeys.people import PASSWORD
from tests.journeys.test_firefox import sign_up
from tests.journeys.test_seen_by_others import log_in
from tests.processes import Server, eventually

LISTED = "https://blog.example.org"
OWN = "https://comments.example.org"
FOREIGN: list[dict[str, str] | list[tuple[str, str]]] = [
    {"origin": LISTED},
    {"origin": LISTED, "sec-fetch-site": "same-site"},
    {"origin": LISTED, "sec-fetch-site": "same-origin"},
    {"origin": f"{OWN}.evil.example"},
    {"origin": "https://xcomments.example.org"},
    {"origin": "https://comments.example.or"},
    {"origin": f"{OWN}:8443"},
    {"origin": OWN.replace("https", "http")},
    {"origin": f"{OWN}/"},
    {"origin": "null"},
    {"origin": "null", "sec-fetch-site": "none"},
    {"origin": "null", "sec-fetch-site": "same-site"},
    {"origin": ""},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "cross-site"},
    {"authorization": "Basic YTpi"},
    {"authorization": "Bearer"},
    {},
    [("origin", OWN), ("origin", LISTED)],
]
WRITES: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "/t/mine/comments", {"data": {"body": "Not mine", "nonce": "n" * 20}}),
    ("POST", "/api/threads/mine/comments", {"json": {"body": "Not mine", "nonce": "n" * 20}}),
    ("POST", "/logout", {"data": {}}),
    ("DELETE", "/api/session", {}),
    ("PUT", "/api/accounts/Bo/ban", {"json": {"banned": True}}),
    ("POST", "/account/feed", {"data": {}}),
    ("POST", "/api/ticket", {}),
    ("POST", "/login", {"data": {"name": "Bo", "password": PASSWORD}}),
]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {"LIVETHREAD_ORIGIN": OWN, "LIVETHREAD_SITES": f"{LISTED} https://other.example"}
    with Server(tmp_path_factory.mktemp("origins"), **settings) as server:
        server.run("account", "create", "Chief", "--role", "staff", stdin=PASSWORD + "\n")
        server.token("Bo")
        yield server


@pytest.fixture(scope="module")
def chief(app: Server) -> Iterator[httpx2.Client]:
    """The browser of somebody with all powers: it has only the cookie."""
    with httpx2.Client(base_url=app.origin, trust_env=False) as client:
        answer = client.post("/api/session", json={"name": "Chief", "password": PASSWORD}, headers={"origin": OWN})
        # Secure, and this test speaks plain http.
        cookie = answer.headers["set-cookie"].split(";")[0]
        client.cookies.clear()
        client.headers["cookie"] = cookie
        assert who(client)
        yield client


def who(client: httpx2.Client, **headers: str) -> Any:
    return client.get("/api/session", headers=headers).json()["account"]


def kept(app: Server) -> list[Any]:
    """Return all that a write might have changed."""
    tables = ("accounts", "sessions", "comments", "threads", "visits")
    with contextlib.closing(sqlite3.connect(app.environment["LIVETHREAD_DATABASE"])) as sql:
        return [sql.execute(f"SELECT * FROM {table}").fetchall() for table in tables]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_no_other_page_writes_with_the_session(
    app: Server, chief: httpx2.Client, headers: dict[str, str] | list[tuple[str, str]]
) -> None:
    before = kept(app)
    given = [*(headers.items() if isinstance(headers, dict) else headers), ("cookie", chief.headers["cookie"])]
    is_listed = [value for name, value in given if name == "origin"] == [LISTED]
    for method, path, content in WRITES:
        with httpx2.Client(base_url=app.origin, trust_env=False) as client:
            answer = client.request(method, path, headers=given, **content)
        # A listed site has sessions of its own, and none here: it asks as a stranger.
        asks_as_stranger = {"DELETE /api/session": 200, "POST /api/ticket": 401}
        refusal = asks_as_stranger.get(f"{method} {path}", 403) if is_listed else 403
        assert (path, answer.status_code) == (path, refusal)
    assert kept(app) == before


def test_our_own_page_writes(chief: httpx2.Client) -> None:
    comment = {"body": "Mine", "nonce": "own-origin-00000001"}
    assert chief.post("/api/threads/mine/comments", json=comment, headers={"origin": OWN}).status_code == 201
    for headers in ({"origin": "null", "sec-fetch-site": "same-origin"}, {"sec-fetch-site": "same-origin"}):
        assert chief.post("/api/threads/mine/comments", json=comment, headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("headers", "is_known"),
    [
        ({}, True),
        ({"sec-fetch-site": "same-origin", "sec-fetch-mode": "cors"}, True),
        ({"sec-fetch-site": "none", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}, True),
        ({"sec-fetch-site": "same-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}, True),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}, True),
        ({"sec-fetch-site": "same-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "script"}, False),
        ({"sec-fetch-site": "same-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"}, False),
        ({"origin": LISTED, "sec-fetch-site": "same-site", "sec-fetch-mode": "cors"}, False),
        ({"origin": LISTED}, False),
        ({"origin": "null"}, False),
    ],
)
def test_what_another_site_embeds_or_fetches_is_answered_as_to_a_stranger(
    chief: httpx2.Client, headers: dict[str, str], is_known: bool
) -> None:
    assert bool(who(chief, **headers)) == is_known
    assert (chief.get("/api/me/export", headers=headers).status_code == 200) == is_known
    assert ("Chief" in chief.get("/t/mine", headers=headers).text.split("</header>")[0]) == is_known


def test_no_answer_lets_another_site_read_by_script(chief: httpx2.Client) -> None:
    for origin in (OWN, "https://evil.example", "null"):
        for method in ("GET", "OPTIONS"):
            answer = chief.request(method, "/api/threads/mine", headers={"origin": origin})
            assert not [name for name in answer.headers if name.startswith("access-control-")]


@pytest.mark.parametrize("origin", [OWN, LISTED, "https://other.example"])
def test_a_listed_site_connects_and_reads(app: Server, origin: str) -> None:
    with connect(app.live_url, origin=Origin(origin), proxy=None) as socket:
        socket.send('{"type":"join","thread":"mine","after":0}')
        assert json.loads(socket.recv(timeout=20))["type"] in ("changes", "joined")


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", f"{LISTED}.evil.example", f"{LISTED}:444", LISTED.replace("s:", ":"), ""]
)
def test_no_other_site_connects(app: Server, origin: str) -> None:
    with pytest.raises(InvalidStatus, match="403"):
        connect(app.live_url, origin=Origin(origin), proxy=None).close()


def test_a_socket_with_a_cookie_and_without_an_origin_is_refused(app: Server, chief: httpx2.Client) -> None:
    with pytest.raises(InvalidStatus, match="403"):
        connect(app.live_url, additional_headers={"cookie": chief.headers["cookie"]}, proxy=None).close()


ATTACK = """<!doctype html><title>A page on another port</title><script>
addEventListener("load", async () => {
  const send = (method, path, body) =>
    fetch("%(target)s" + path, {method, body, mode: "no-cors", credentials: "include"}).catch(() => {});
  const fields = new URLSearchParams({body: "Not mine", nonce: "n".repeat(20), locked: "yes"});
  await send("POST", "/t/%(key)s/comments", fields);
  await send("POST", "/t/%(key)s/lock", fields);
  await send("POST", "/account/feed", new URLSearchParams());
  await send("POST", "/logout", new URLSearchParams());
  const frame = document.createElement("iframe");
  frame.name = "unseen";
  document.body.append(frame);
  const form = document.createElement("form");
  form.method = "post";
  form.action = "%(target)s/t/%(key)s/comments";
  form.target = "unseen";
  for (const [name, value] of fields) {
    const field = document.createElement("input");
    [field.name, field.value] = [name, value];
    form.append(field);
  }
  document.body.append(form);
  frame.addEventListener("load", () => { document.title = "Done"; }, {once: true});
  form.submit();
});
</script>"""


def written(app: Server) -> tuple[Any, ...]:
    with contextlib.closing(sqlite3.connect(app.environment["LIVETHREAD_DATABASE"])) as sql:
        counts = (
            "SELECT (SELECT count(*) FROM comments), (SELECT count(*) FROM sessions), (SELECT max(locked) FROM threads)"
        )
        return tuple(sql.execute(f"{counts}, (SELECT group_concat(feed) FROM accounts)").fetchone())


async def test_a_page_on_another_port_writes_nothing_in_chromium(tmp_path: Path, visit: Any) -> None:
    with neighbour(tmp_path) as site, Server(tmp_path, LIVETHREAD_SITES=site) as app:
        (tmp_path / "attack.html").write_text(ATTACK % {"target": app.origin, "key": "mine"})
        app.run("account", "create", "Chief", "--role", "staff", stdin=PASSWORD + "\n")
        visitor = await visit()
        page = visitor.page
        await log_in(page, app, "Chief", "/t/mine")
        await page.fill("textarea", "Mine")
        await page.click(".post")
        await page.wait_for_selector("li[data-id]")
        before = written(app)
        await page.goto(f"{site}/attack.html")
        await page.wait_for_function("() => document.title === 'Done'")
        assert written(app) == before
        await page.goto(f"{app.origin}/t/mine")
        await expect(page.locator(".viewer")).to_have_text("Chief")
        visitor.wrong.clear()


async def test_a_page_on_another_port_writes_nothing_in_firefox(tmp_path: Path) -> None:
    with neighbour(tmp_path) as site, Server(tmp_path, LIVETHREAD_SITES=site) as app:
        (tmp_path / "attack.html").write_text(ATTACK % {"target": app.origin, "key": "mine"})
        profile = tmp_path / "profile"
        profile.mkdir()
        async with started(profile) as firefox:
            tab = await firefox.tab()
            await sign_up(tab, app, "Ana", "/t/mine")
            before = written(app)
            await tab.go(f"{site}/attack.html")
            await tab.until("document.title === 'Done'")
            assert await eventually(lambda: written(app) == before)
            await tab.go(f"{app.origin}/t/mine")
            assert await tab.look("document.querySelector('.viewer').textContent") == "Ana"
