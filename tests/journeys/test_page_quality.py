"""Budgets of bytes, accessibility, and hostile text in a real browser."""

from __future__ import annotations

import contextlib
import gzip
import json
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Error as PlaywrightError
from playwright.async_api import Page, expect

from tests.journeys.people import Person
from tests.processes import ROOT, Server

CORPORA = ROOT.parent / "shared" / "corpora"
HOSTILE = [
    "<script>window.hit = 1</script>",
    "<img src=x onerror='window.hit = 1'>",
    "<svg onload='window.hit = 1'>",
    "[x](javascript:window.hit=1)",
    '"><details open ontoggle=window.hit=1>',
    "{{7*7}} ${7*7} <%= 7*7 %>",
]


def post_all(client: httpx2.Client, key: str, bodies: list[str]) -> None:
    for number, body in enumerate(bodies):
        client.post(f"/api/threads/{key}/comments", json={"body": body, "nonce": f"{key}-{number:020d}"})


def fetch(url: str, coding: str) -> int:
    """Return the bytes that travel."""
    with httpx2.stream("GET", url, headers={"accept-encoding": coding}, trust_env=False) as answer:
        return len(b"".join(answer.iter_raw()))


def test_the_eager_script_and_style_stay_in_their_budget(app: Server, key: str) -> None:
    page = httpx2.get(f"{app.origin}/t/{key}", trust_env=False).text
    urls = {part.split('"')[0] for part in page.split('"/static/')[1:]}
    eager = [f"{app.origin}/static/{url}" for url in urls if url.endswith((".js", ".css"))]
    assert len(eager) >= 3
    assert sum(fetch(url, "br") for url in eager) <= 15 * 1024
    assert sum(fetch(url, "gzip") for url in eager) <= 18 * 1024


def test_67_comments_are_at_most_12_kib_of_html(app: Server, key: str, name: str) -> None:
    with app.commenter(name) as client:
        post_all(client, key, [f"Number {number} of a thread that people quarrel in." for number in range(67)])
    page = httpx2.get(f"{app.origin}/t/{key}", trust_env=False)
    assert len(gzip.compress(page.content)) <= 12 * 1024


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing(app: Server, key: str, name: str, visit: Any, scheme: str) -> None:
    with app.commenter(name) as client:
        post_all(client, key, ["A *comment* with a https://example.org link", "> quote\n\n- list\n\n`code`"])
        first = client.get(f"/api/threads/{key}").json()["comments"][0]["id"]
        reply = client.post(f"/api/threads/{key}/comments", json={"body": "R", "parent": first, "nonce": "r" * 20})
        answered = reply.json()["comment"]["id"]
        client.post(f"/api/threads/{key}/comments", json={"body": "S", "parent": answered, "nonce": "s" * 20})
        client.delete(f"/api/comments/{first}")
    reader = await visit(color_scheme=scheme, bypass_csp=True)
    await reader.read(f"{app.origin}/t/{key}")
    await reader.page.locator(".reply").first.click()
    # Below the comment that is answered, which stands there only as context.
    pages = [None, f"/t/{key}?cursor={answered}", "/", "/login", "/register", "/nothing-here", "/t/nobody-was-here"]
    for path in pages:
        if path is not None:
            await reader.page.goto(app.origin + path)
        found = await Axe().run(reader.page)
        assert found.violations_count == 0, f"{path}: {found.generate_report()}"


@pytest.mark.scenario(36)
async def test_hostile_text_runs_nothing_in_anybodys_browser(app: Server, key: str, name: str, visit: Any) -> None:
    bodies = list(HOSTILE)
    for corpus in ("owasp_xss_filter_evasion", "patt_xss_dev"):
        path = CORPORA / f"{corpus}.json"
        bodies += json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    reader, later = await visit(), await visit()
    ran: list[str] = []
    for visitor in (reader, later):
        visitor.page.on("dialog", lambda dialog: ran.append(dialog.message))
        await visitor.page.add_init_script("window.print = window.alert = (what) => { window.hit = String(what); };")
    await reader.read(f"{app.origin}/t/{key}")
    with app.commenter(f"{name} <b>") as client:
        post_all(client, key, bodies)
    await later.read(f"{app.origin}/t/{key}")
    for visitor in (reader, later):
        painted = await visitor.painted()
        assert len(painted) > len(HOSTILE) - 2
        assert await visitor.page.evaluate("window.hit") is None
        assert (
            await visitor.page.locator("ol.comments :is(script, iframe, svg, form:not(.composer, .vote))").count() == 0
        )
    assert ran == []


async def test_hostile_text_runs_nothing_on_any_other_page_that_shows_it(app: Server, key: str, visit: Any) -> None:
    bodies = list(HOSTILE)
    for corpus in ("owasp_xss_filter_evasion", "patt_xss_dev", "blns"):
        path = CORPORA / f"{corpus}.json"
        bodies += json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    every = "\n\n".join(bodies)
    pieces = [every[start : start + 9_900] for start in range(0, len(every), 9_900)]
    name = "x'><b onclick=hit()> \" & <title>"[:40]
    writer, staff, other = Person(app, name), Person(app, f"{name[:30]} S", "staff"), Person(app, f"{name[:30]} O")
    described: dict[str, Any] = {
        "title": HOSTILE[1] + "</title>" + HOSTILE[0],
        "summary": HOSTILE[4],
        "url": "/t/x?'><script>",
    }
    staff.do("PUT", f"/api/threads/{key}", **described, author=name)
    first = writer.post(key, "At first: " + pieces[0][:9_000])
    edited = writer.do("PATCH", f"/api/comments/{first['id']}", body=pieces[0], revision=1)["comment"]
    for piece in pieces[1:]:
        other.post(key, piece, parent=edited["id"])
    other.post(key, f'@"{name}" {HOSTILE[0]}', parent=edited["id"])
    removed = other.post(key, pieces[0])
    staff.do("PUT", f"/api/comments/{removed['id']}/state", state="removed")
    visitor = await visit()
    await visitor.page.add_init_script("window.print = window.alert = (what) => { window.hit = String(what); };")
    ids = [edited["id"], removed["id"]]
    searched = quote(HOSTILE[1], safe="")
    public = [
        "/", f"/t/{key}?sort=flat", f"/t/{key}/c/{ids[0]}", f"/c/{ids[0]}/history", f"/u/{quote(name, safe='')}",
        f"/search?q={searched}", f"/search?q={searched}&thread={key}", f"/t/{key}?reply={ids[0]}&x={searched}",
        f"/login?next={searched}", f"/t/{searched}", f"/{searched}", f"/t/{key}?sort={searched}",
        "/feed", f"/t/{key}/feed", f"/t/{key}/c/{ids[0]}/feed", f"/api/search?q={searched}", f"/api/threads/{key}",
    ]  # fmt: skip
    own = ["/inbox", "/account", f"/c/{ids[0]}/edit", f"/c/{ids[0]}/delete", "/api/me/export", "/api/me/changes"]
    powers = ["/pending", f"/c/{ids[1]}/moderate", f"/c/{ids[0]}/moderate", f"/api/threads/{key}/names?q=x"]
    for person, paths in ((None, public), (writer, own), (staff, powers)):
        if person is not None:
            token = str(person.http.headers["authorization"]).removeprefix("Bearer ")
            await visitor.context.add_cookies([{"name": "livethread", "value": token, "url": app.origin}])
        for address in paths:
            await open_or_download(visitor.page, app.origin + address)
            assert await visitor.page.evaluate("window.hit") is None, address
            risky = ":is(iframe, object, embed, [onclick], [onerror], [onload], [ontoggle], a[href^='javascript:' i])"
            await expect(visitor.page.locator(risky)).to_have_count(0)
    await visitor.read(f"{app.origin}/t/{key}")
    text = visitor.page.locator("textarea").first
    for piece in pieces:
        await text.fill(piece)
        # Once open it follows the text.
        if await visitor.page.locator(".composer .shown").count() == 0:
            await visitor.page.locator(".preview").first.click()
        await expect(visitor.page.locator(".composer .shown")).not_to_be_empty()
    await text.fill("")
    await text.press_sequentially("Well, @x")
    await expect(visitor.page.locator(".names button").first).to_contain_text("x'><b")
    assert await visitor.page.evaluate("window.hit") is None
    await expect(visitor.page.locator(".names b, .names script")).to_have_count(0)
    assert visitor.wrong == []


async def open_or_download(page: Page, url: str) -> None:
    """Go to an address as a click would; what is offered as a file stays one."""
    with contextlib.suppress(PlaywrightError):
        await page.goto(url)
        return
    assert httpx2.get(url, trust_env=False).headers.get("content-disposition") or "export" in url, url
