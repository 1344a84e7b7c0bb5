"""The composer: formats by keys, buttons and paste; and what a page says when a part of it is missing."""

from __future__ import annotations

from typing import Any

import httpx2
from playwright.async_api import Page, expect

from tests.journeys.people import Person
from tests.journeys.test_seen_by_others import log_in
from tests.journeys.test_two_browsers import fill
from tests.processes import Server

SELECT = "(text, [start, end]) => text.setSelectionRange(start, end)"
PASTE = """(text, given) => {
  const clipboardData = new DataTransfer();
  clipboardData.setData("text/plain", given);
  return text.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
}"""


async def test_formats_are_written_by_keys_buttons_and_paste(app: Server, key: str, name: str, visit: Any) -> None:
    app.token(name)
    page: Page = (await visit()).page
    await log_in(page, app, name, f"/t/{key}")
    await page.wait_for_selector("button[aria-label='Previous unread']", state="attached")
    text = page.locator(".composer textarea").first
    await text.click()
    await text.press_sequentially("a bold word")
    await text.evaluate(SELECT, [2, 6])
    await text.press("Control+b")
    await expect(text).to_have_value("a **bold** word")
    await text.press("Control+z")
    await expect(text).to_have_value("a bold word")
    await text.evaluate(SELECT, [2, 6])
    await page.click(".formats button[title=Italic]")
    await expect(text).to_have_value("a *bold* word")
    await expect(text).to_be_focused()
    await text.evaluate(SELECT, [9, 13])
    assert not await text.evaluate(PASTE, "https://example.org/x")
    await expect(text).to_have_value("a *bold* [word](https://example.org/x)")
    # What is no address, and an address on nothing, is pasted as ever.
    assert await text.evaluate(PASTE, "some words")
    await text.fill("one\ntwo")
    await text.evaluate(SELECT, [0, 7])
    await page.click(".formats button[title=Quote]")
    await expect(text).to_have_value("> one\n> two")
    # Each button has its keys, and says them.
    for keys, written in (("Shift+Digit8", "- w"), ("Shift+Period", "> w"), ("Shift+KeyH", "||w||"), ("e", "`w`")):
        await text.fill("w")
        await text.evaluate(SELECT, [0, 1])
        await text.press(f"Control+{keys}")
        await expect(text).to_have_value(written)
    said = [await one.get_attribute("aria-keyshortcuts") for one in await page.locator(".formats button").all()]
    assert said == [f"Control+{keys}" for keys in ("B", "I", "E", "Shift+H", "K", "Shift+.", "Shift+8")]
    await text.fill("> one\n> two")
    await text.press("Control+Enter")
    await expect(page.locator("li[data-id] blockquote")).to_have_text("one\ntwo")


async def test_a_link_to_a_comment_that_is_gone_says_so_in_the_thread(
    app: Server, key: str, name: str, visit: Any
) -> None:
    ana, staff = Person(app, name), Person(app, f"{name} S", "staff")
    root = ana.post(key, "A root")["id"]
    leaf, removed, alone = (
        ana.post(key, words, parent=parent)["id"] for words, parent in (("Leaf", root), ("Bad", root), ("Alone", None))
    )
    for gone in (leaf, alone):
        ana.do("DELETE", f"/api/comments/{gone}")
    staff.do("PUT", f"/api/comments/{removed}/state", state="removed")
    page: Page = (await visit()).page
    for gone, where, what in (
        (leaf, f"/t/{key}/c/{root}", "deleted by its author"),
        (removed, f"/t/{key}/c/{root}", "removed by a moderator"),
        (alone, f"/t/{key}", "deleted by its author"),
    ):
        await page.goto(f"{app.origin}/t/{key}/c/{gone}")
        assert await page.evaluate("location.pathname") == where
        await expect(page.locator(".notice:not(.locked)")).to_contain_text(what)
    for nothing in (f"/t/{key}/c/{alone + 1000}", f"/t/{key}-other/c/{leaf}"):
        assert httpx2.get(app.origin + nothing, trust_env=False).status_code == 404


async def test_without_its_script_the_page_does_not_call_itself_live(
    app: Server, key: str, name: str, visit: Any
) -> None:
    fill(app, key, name, 1)
    page: Page = (await visit()).page
    await page.route("**/thread.js", lambda route: route.abort())
    await page.goto(f"{app.origin}/t/{key}")
    await expect(page.locator(".connection")).to_have_text("Not live")
