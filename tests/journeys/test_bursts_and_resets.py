"""What comes in a burst, in a ranking, or all anew: nothing that is read moves, and nobody is told too often."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import expect

from tests.journeys.people import Person
from tests.journeys.test_nothing_lost import loaded
from tests.journeys.test_nothing_moves import LINE, VERSION
from tests.journeys.test_two_browsers import SETTLED, SHIFTS, fill
from tests.processes import Server

ORDER = "() => [...document.querySelectorAll('ol.comments > li[data-id]')].map((li) => Number(li.dataset.id))"
KNOWN = """(count) => {
  const {store, view} = document.querySelector("live-thread").live;
  return store.count === count && view.size + view.held.size === count;
}"""
RESET = """() => {
  const {connection} = document.querySelector("live-thread").live;
  connection.dispatchEvent(new CustomEvent("message", {detail: {type: "reset"}}));
}"""
CARET = "() => [document.activeElement.value, document.activeElement.selectionStart]"


@pytest.mark.scenario(5)
async def test_a_burst_is_drawn_or_held_whole_and_moves_nothing(app: Server, key: str, name: str, visit: Any) -> None:
    ids = fill(app, key, name, 20)
    reader = await visit(viewport={"width": 390, "height": 844})
    page = await reader.read(f"{app.origin}/t/{key}")
    await loaded(page)
    await page.evaluate("(id) => document.querySelector(`#c-${id}`).scrollIntoView({block: 'center'})", ids[10])
    await page.evaluate(SETTLED)
    await page.evaluate(SHIFTS)
    before = await page.evaluate(LINE, ids[10])
    ana = Person(app, f"{name} A")
    for number in range(100):
        ana.post(key, f"Number {number}", ids[10] if number % 2 else None)
    await page.wait_for_function(KNOWN, arg=120)
    await page.evaluate(SETTLED)
    assert await page.evaluate(LINE, ids[10]) == pytest.approx(before, abs=0.5)
    # The word behind the count makes room for one more digit: two ten-thousandths.
    assert round(await page.evaluate("window.shift"), 3) == 0, await page.evaluate("window.moved")


@pytest.mark.scenario(25)
async def test_votes_that_come_live_never_sort_the_page_anew(app: Server, key: str, name: str, visit: Any) -> None:
    ids = fill(app, key, name, 4)
    page = await (await visit()).read(f"{app.origin}/t/{key}?sort=top")
    before = await page.evaluate(ORDER)
    voter = Person(app, f"{name} V")
    last = before[-1]
    voter.do("PUT", f"/api/comments/{last}/vote", value=1)
    await expect(page.locator(f"#c-{last} .score")).to_have_text("1")
    await page.evaluate(SETTLED)
    assert await page.evaluate(ORDER) == before
    assert sorted(before) == ids


@pytest.mark.scenario(15)
async def test_a_thread_that_is_fetched_anew_keeps_the_draft_the_caret_and_the_line(
    app: Server, key: str, name: str, visit: Any
) -> None:
    ids = fill(app, key, name, 30)
    page = await (await visit(viewport={"width": 390, "height": 844})).read(f"{app.origin}/t/{key}")
    await loaded(page)
    await page.locator(f"#c-{ids[15]} > article .reply").click()
    await page.keyboard.type("Half a reply")
    for _ in range(5):
        await page.keyboard.press("ArrowLeft")
    await page.evaluate(SETTLED)
    before = await page.evaluate(LINE, ids[15])
    async with page.expect_response(lambda answer: f"/api/threads/{key}" in answer.url):
        await page.evaluate(RESET)
    version = Person(app, f"{name} A").post(key, "After it")["version"]
    await page.wait_for_function(VERSION, arg=version)
    await page.evaluate(SETTLED)
    assert await page.evaluate(CARET) == ["Half a reply", 7]
    assert await page.evaluate(LINE, ids[15]) == pytest.approx(before, abs=0.5)


@pytest.mark.scenario(28)
async def test_what_comes_is_spoken_at_most_every_twenty_seconds(app: Server, key: str, name: str, visit: Any) -> None:
    fill(app, key, name, 1)
    reader = await visit()
    await reader.page.clock.install()
    page = await reader.read(f"{app.origin}/t/{key}")
    ana = Person(app, f"{name} A")
    ana.post(key, "The first")
    await expect(page.locator("[role=status]")).to_have_text("1 new comment")
    for number in range(3):
        version = ana.post(key, f"Number {number}")["version"]
    await page.wait_for_function(VERSION, arg=version)
    await page.clock.run_for(10_000)
    await expect(page.locator("[role=status]")).to_have_text("1 new comment")
    await page.clock.run_for(11_000)
    await expect(page.locator("[role=status]")).to_have_text("3 new comments")
