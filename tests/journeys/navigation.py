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


async def choose(page: Page, id_: int | str, *choices: str) -> None:
    """Open what can be done with a comment, and press these choices one after the other, by their classes."""
    # Until the script hears, the menu is a link to a page of its own.
    await page.wait_for_selector(".connection:not([data-state=none])")
    await page.click(f"#c-{id_} > article .menu")
    for choice in choices:
        await page.click(f"[role=menu] .{choice}")
