"""Presses that lead to another document."""

from __future__ import annotations

from playwright.async_api import Locator, Page


async def follow(page: Page, what: str | Locator) -> None:
    """Press a link or a button, and return when the page that it leads to has loaded."""
    async with page.expect_navigation():
        if isinstance(what, str):
            await page.click(what)
        else:
            await what.click()
