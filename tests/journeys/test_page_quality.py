"""Budgets of bytes, accessibility, and hostile text in a real browser."""

from __future__ import annotations

import gzip
import json
from typing import Any

import httpx2
import pytest
from axe_playwright_python.async_playwright import Axe

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
    assert len(eager) > 8
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
