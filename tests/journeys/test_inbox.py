"""The page of replies hears of more, and moves nothing that is read."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.journeys.people import Person
from tests.journeys.test_seen_by_others import log_in
from tests.processes import Server

TOP = "document.querySelector('.found').getBoundingClientRect().top"


@pytest.mark.parametrize("width", [320, 1100])
async def test_what_comes_is_counted_and_shown_on_a_click(
    app: Server, visit: Any, key: str, name: str, width: int
) -> None:
    ana, bo = Person(app, name), Person(app, f"{name} B")
    first = ana.post(key, "First")["id"]
    bo.post(key, "An answer", first)
    page: Page = (await visit(viewport={"width": width, "height": 600})).page
    await log_in(page, app, name, "/inbox")
    await expect(page.locator(".inbox")).to_contain_text("1 unread")
    top = await page.evaluate(TOP)
    bo.post(key, "Another answer", first)
    fresh = page.locator(".inbox .fresh")
    await expect(fresh).to_have_text("1 new reply")
    # The sockets of an account that changes its language are closed: what comes meanwhile is found afterwards.
    ana.http.post("/account/language", data={"language": ""})
    bo.post(key, "A third one", first)
    bo.post(key, "A fourth one", first)
    await expect(fresh).to_have_text("3 new replies")
    await expect(page.locator(".bell .told")).to_have_text("4")
    assert await page.evaluate(TOP) == top
    await expect(page.locator(".found > li")).to_have_count(1)
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
    await fresh.click()
    await expect(page.locator(".found > li")).to_have_count(4)
    await expect(fresh).to_be_hidden()
    await page.click("text=Mark all as read")
    await expect(page.locator(".bell .told")).to_have_text("")
    bo.post(key, "After all was read", first)
    await expect(fresh).to_have_text("1 new reply")
