"""What can be done with a comment, behind its "…": by mouse, by keys, and wherever it stands."""

from __future__ import annotations

from typing import Any

from playwright.async_api import Page, expect

from tests.journeys.navigation import choose
from tests.journeys.people import Person
from tests.journeys.test_seen_by_others import log_in
from tests.journeys.test_two_browsers import fill
from tests.processes import Server

MENU = "[role=menu]"
NAMES = f"{MENU} [role=menuitem]"
BOX = """(one) => {
  const { top, left, right, bottom } = one.getBoundingClientRect();
  return [top, left, right, bottom];
}"""


async def test_the_menu_offers_what_one_may_do_and_is_worked_by_keys(
    app: Server, key: str, name: str, visit: Any
) -> None:
    ids = fill(app, key, f"{name} F", 3)
    ana = Person(app, name)
    own = ana.post(key, "First part.\n\n> Quoted\n\nSecond part.")["id"]
    visitor = await visit()
    page: Page = visitor.page
    await log_in(page, app, name, f"/t/{key}")
    await visitor.context.grant_permissions(["clipboard-read", "clipboard-write"])
    line = await page.locator(f"#c-{ids[1]}").evaluate(BOX)
    await page.click(f"#c-{ids[0]} > article .menu")
    await expect(page.locator(NAMES)).to_have_text(["Copy link", "Quote"])
    await expect(page.locator(NAMES).first).to_be_focused()
    assert await page.locator(f"#c-{ids[1]}").evaluate(BOX) == line
    # Escape gives the focus back, and so does a second press.
    await page.keyboard.press("Escape")
    button = page.locator(f"#c-{own} > article .menu")
    await expect(page.locator(f"#c-{ids[0]} > article .menu")).to_be_focused()
    await expect(page.locator(MENU)).to_be_hidden()
    await button.focus()
    await page.keyboard.press("Enter")
    await expect(page.locator(NAMES)).to_have_text(["Copy link", "Quote", "Edit", "Delete"])
    for pressed, text in (("ArrowUp", "Delete"), ("ArrowDown", "Copy link"), ("End", "Delete"), ("Home", "Copy link")):
        await page.keyboard.press(pressed)
        await expect(page.locator(NAMES, has_text=text)).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator(".status")).to_have_text("Link copied.")
    assert await page.evaluate("navigator.clipboard.readText()") == f"{app.origin}/t/{key}/c/{own}"
    # Only what the comment says itself.
    await choose(page, own, "quote-all")
    written = page.locator(f"#c-{own} .answering textarea")
    await expect(written).to_be_focused()
    assert (await written.input_value()).startswith("> First part.\n>\n> Second part.\n>\n> — [")
    # A press elsewhere closes it.
    await page.click(f"#c-{ids[2]} > article .menu")
    await page.click(".bar h2")
    await expect(page.locator(MENU)).to_be_hidden()


async def test_the_menu_is_in_sight_wherever_it_is_opened(app: Server, key: str, name: str, visit: Any) -> None:
    ids = fill(app, key, name, 12)
    page: Page = (await visit(viewport={"width": 320, "height": 500})).page
    await page.goto(f"{app.origin}/t/{key}")
    await page.wait_for_selector(".keys, button[aria-label='Previous unread']", state="attached")
    for id_, block in ((ids[6], "end"), (ids[8], "start"), (ids[-1], "end")):
        button = page.locator(f"#c-{id_} > article .menu")
        await button.evaluate("(one, block) => one.scrollIntoView({ block })", block)
        await button.evaluate("(one) => one.click()")
        top, left, right, bottom = await page.locator(MENU).evaluate(BOX)
        assert 0 <= top < bottom <= 500, (id_, block)
        assert 0 <= left < right <= 320
        await page.keyboard.press("Escape")
