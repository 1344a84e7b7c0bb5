"""A whole thread on one page, for paper."""

from __future__ import annotations

import re
from typing import Any

import httpx2
from playwright.async_api import Page

from tests.journeys.people import Person
from tests.journeys.test_two_browsers import fill
from tests.processes import Server


def test_all_comments_are_on_the_page_in_the_order_of_reading(app: Server, key: str, name: str) -> None:
    ids = fill(app, key, f"{name} F", 130)
    ana = Person(app, name)
    reply = ana.post(key, "An answer to the first", ids[0])["id"]
    deep = ana.post(key, "<b>Deeper</b>", reply)["id"]
    ana.http.delete(f"/api/comments/{reply}")
    answer = httpx2.get(f"{app.origin}/t/{key}?print", trust_env=False)
    assert answer.headers["x-robots-tag"] == "noindex"
    assert [int(one) for one in re.findall(r'<article id="c-(\d+)"', answer.text)] == [ids[0], reply, deep, *ids[1:]]
    assert f'<article id="c-{deep}" class="depth-2">' in answer.text
    assert "An answer to the first" not in answer.text
    assert "&lt;b&gt;Deeper" in answer.text
    assert answer.text.count("</html>") == 1
    assert not re.search(r"<(form|button|script)", answer.text.partition("<main>")[2])
    empty = httpx2.get(f"{app.origin}/t/{key}-none?print", trust_env=False)
    assert (empty.status_code, "<article id=" in empty.text) == (200, False)


async def test_paper_is_light_and_nothing_is_too_wide(app: Server, key: str, name: str, visit: Any) -> None:
    ana = Person(app, name)
    parent = None
    for depth in range(9):
        parent = ana.post(key, f"Depth {depth} " + "long" * 40, parent)["id"]
    page: Page = (await visit(color_scheme="dark", viewport={"width": 320, "height": 600})).page
    await page.goto(f"{app.origin}/t/{key}")
    await page.click(".print a")
    await page.wait_for_selector(".printed")
    assert await page.evaluate("document.documentElement.scrollWidth") <= 320
    await page.emulate_media(media="print")
    assert await page.evaluate("getComputedStyle(document.body).color") == "rgb(26, 29, 33)"
