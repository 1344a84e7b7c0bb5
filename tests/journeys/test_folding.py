"""Branches that are folded: remembered, counted, and opened by whatever leads into them."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.journeys.people import Person
from tests.journeys.places import IN_BOTH_PLACES, Place
from tests.journeys.test_two_browsers import SETTLED, SHIFTS
from tests.processes import Server


@IN_BOTH_PLACES
@pytest.mark.scenario(4)
async def test_a_branch_is_folded_counted_and_opened_again(app: Server, place: Place, name: str, visit: Any) -> None:
    ana = Person(app, name)
    ids = [ana.post(place.key, f"Comment {number}.")["id"] for number in range(8)]
    replies = [ana.post(place.key, f"Reply {number}.", parent=ids[1])["id"] for number in range(3)]
    reader = await visit()
    page: Page = await place.read(reader)
    fold = page.locator(f"#c-{ids[1]} > article .fold")
    await expect(page.locator(".fold")).to_have_count(1)
    await expect(fold).to_have_attribute("aria-expanded", "true")
    await fold.click()
    await expect(page.locator(f"#c-{replies[0]}")).to_be_hidden()
    await expect(fold).to_have_text("▸ 3 replies")
    await page.reload()
    await expect(fold).to_have_text("▸ 3 replies")
    # What arrives in it moves nothing, is counted, and needs no pill.
    await page.evaluate(SETTLED)
    await page.evaluate(SHIFTS)
    fresh = ana.post(place.key, "Another.", parent=replies[1])["id"]
    await expect(fold).to_have_text("▸ 4 replies, 1 new")
    await expect(page.locator(".pill")).to_be_hidden()
    assert await page.evaluate("window.shift") == 0, await page.evaluate("window.moved")
    # The next unread one is in there.
    await page.locator("button.unread").first.click()
    await expect(page.locator(f"#c-{fresh} > article")).to_be_focused()
    await expect(page.locator(f"#c-{fresh}")).to_be_visible()
    # The line itself.
    await page.locator(f"#c-{replies[1]}").click(position={"x": 1, "y": 20})
    await expect(fold).to_have_attribute("aria-expanded", "false")
    await page.goto(place.url(comment=replies[2]))
    await expect(page.locator(f"#c-{replies[2]}")).to_be_visible()


WATCH = """() => {
  window.drawn = new Set();
  const watch = new MutationObserver((records) => {
    for (const { target } of records) if (target.matches(".fold")) window.drawn.add(target.closest("li").id);
  });
  watch.observe(document.querySelector("ol.comments"), { attributes: true, subtree: true });
}"""


async def test_an_arrival_draws_the_buttons_of_its_own_branch_alone(
    app: Server, key: str, name: str, visit: Any
) -> None:
    ana = Person(app, name)
    roots = [ana.post(key, f"Comment {number}.")["id"] for number in range(4)]
    replies = [ana.post(key, "A reply.", parent=root)["id"] for root in roots]
    page: Page = (await visit()).page
    await page.goto(f"{app.origin}/t/{key}")
    folds = page.locator(".fold")
    await expect(folds).to_have_count(4)
    await page.locator(f"#c-{roots[2]} > article .fold").click()
    await page.evaluate(SETTLED)
    await page.evaluate(WATCH)
    ana.post(key, "One more.", parent=replies[2])
    await expect(page.locator(f"#c-{roots[2]} > article .fold")).to_have_text("▸ 2 replies, 1 new")
    # Its parent is a branch now, which has a button of its own.
    assert set(await page.evaluate("[...window.drawn]")) <= {f"c-{roots[2]}", f"c-{replies[2]}"}
