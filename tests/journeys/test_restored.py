"""A page of an account comes back whole from the browser's back-forward cache, and to nobody else."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

from tests.journeys.conftest import ARGUMENTS, chromium_path
from tests.journeys.test_two_browsers import fill
from tests.processes import Server

# Whatever is painted after the page came back, until it goes again.
WATCHING = """() => {
  window.isSame = true;
  addEventListener("pageshow", () => {
    const look = () => {
      sessionStorage.painted = (sessionStorage.painted ?? "") + getComputedStyle(document.body).visibility + " ";
      requestAnimationFrame(look);
    };
    look();
  });
  scrollTo(0, 700);
}"""
LIVE = ".connection[data-state=live]"


@pytest.fixture(scope="module")
async def keeping() -> AsyncIterator[Browser]:
    """A Chromium that keeps pages; Playwright turns that off."""
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(
            executable_path=chromium_path(), args=ARGUMENTS, ignore_default_args=["--disable-back-forward-cache"]
        )
        yield launched
        await launched.close()


async def left(page: Page, app: Server, key: str, name: str) -> float:
    """Log in, read in the middle of a thread, go on to another page, and return where that was."""
    fill(app, key, f"{name} W", 30)
    await page.goto(f"{app.origin}/register?next=/t/{key}")
    await page.fill("[name=name]", name)
    await page.fill("[name=password]", "a long password")
    await page.click("form[action='/register'] button")
    await expect(page.locator(LIVE)).to_be_visible()
    await page.evaluate(WATCHING)
    place = float(await page.evaluate("scrollY"))
    assert place > 0
    await page.goto(f"{app.origin}/search")
    return place


async def test_back_restores_the_page_at_the_same_pixel(app: Server, key: str, name: str, keeping: Browser) -> None:
    page = await keeping.new_page(viewport={"width": 800, "height": 600})
    place = await left(page, app, key, name)
    await page.go_back(wait_until="commit")
    await page.wait_for_function("() => window.isSame && document.documentElement.style.visibility === ''")
    assert await page.evaluate("scrollY") == place
    await expect(page.locator(LIVE)).to_be_visible()
    await expect(page.locator("a.viewer")).to_have_text(name)
    fill(app, key, f"{name} N", 1)
    await expect(page.locator(".count")).to_have_text("31")
    await page.close()


async def test_after_a_log_out_in_another_tab_nothing_of_the_page_is_painted(
    app: Server, key: str, name: str, keeping: Browser
) -> None:
    context = await keeping.new_context(viewport={"width": 800, "height": 600})
    page, other = await context.new_page(), await context.new_page()
    await left(page, app, key, name)
    await other.goto(f"{app.origin}/search")
    await other.click("form[action='/logout'] button")
    await expect(other.locator("text=Log in")).to_be_visible()
    await page.go_back(wait_until="commit")
    await page.wait_for_function("() => !window.isSame && document.querySelector('nav a')?.textContent === 'Log in'")
    await expect(page.locator("a.viewer")).to_have_count(0)
    assert "visible" not in (await page.evaluate("sessionStorage.painted ?? ''"))
    await context.close()
