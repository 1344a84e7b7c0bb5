"""What comes in a burst, in a ranking, or all anew: nothing that is read moves, and nobody is told too often."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.async_api import WebSocketRoute, expect

from tests.journeys.people import Person
from tests.journeys.places import IN_BOTH_PLACES, WITHIN, Place
from tests.journeys.test_nothing_lost import loaded
from tests.journeys.test_nothing_moves import LINE
from tests.journeys.test_two_browsers import SETTLED, SHIFTS, fill
from tests.processes import Server

ORDER = f"[...{WITHIN}.querySelectorAll('ol.comments > li[data-id]')].map((li) => Number(li.dataset.id))"
CARET = f"(({{value, selectionStart}}) => [value, selectionStart])({WITHIN}.activeElement)"


@IN_BOTH_PLACES
@pytest.mark.scenario(5)
async def test_a_burst_is_drawn_or_held_whole_and_moves_nothing(
    app: Server, place: Place, name: str, visit: Any
) -> None:
    ids = fill(app, place.key, name, 20)
    reader = await visit(viewport={"width": 390, "height": 844})
    page = await place.read(reader)
    await loaded(page)
    await page.locator(f"#c-{ids[10]}").evaluate("(one) => one.scrollIntoView({block: 'center'})")
    await page.evaluate(SETTLED)
    await page.evaluate(SHIFTS)
    before = await page.evaluate(LINE, ids[10])
    ana = Person(app, f"{name} A")
    for number in range(100):
        ana.post(place.key, f"Number {number}", ids[10] if number % 2 else None)
    await expect(page.locator(".count")).to_have_text("120")
    await page.evaluate(SETTLED)
    assert await page.evaluate(LINE, ids[10]) == pytest.approx(before, abs=0.5)
    # The word behind the count makes room for one more digit: two ten-thousandths.
    assert round(await page.evaluate("window.shift"), 3) == 0, await page.evaluate("window.moved")
    assert len(await reader.painted()) == 120


@IN_BOTH_PLACES
@pytest.mark.scenario(25)
async def test_votes_that_come_live_never_sort_the_page_anew(app: Server, place: Place, name: str, visit: Any) -> None:
    ids = fill(app, place.key, name, 4)
    page = await place.read(await visit(), sort="top")
    before = await page.evaluate(ORDER)
    voter = Person(app, f"{name} V")
    last = before[-1]
    voter.do("PUT", f"/api/comments/{last}/vote", value=1)
    await expect(page.locator(f"#c-{last} .score")).to_have_text("1")
    await page.evaluate(SETTLED)
    assert await page.evaluate(ORDER) == before
    assert sorted(before) == ids


@IN_BOTH_PLACES
@pytest.mark.scenario(15)
async def test_a_thread_that_is_fetched_anew_keeps_the_draft_the_caret_and_the_line(
    app: Server, place: Place, name: str, visit: Any
) -> None:
    ids = fill(app, place.key, name, 30)
    reader = await visit(viewport={"width": 390, "height": 844})
    sockets: list[WebSocketRoute] = []

    def between(browser: WebSocketRoute) -> None:
        browser.connect_to_server()
        sockets.append(browser)

    await reader.page.route_web_socket("**/live", between)
    page = await place.read(reader)
    await loaded(page)
    await page.locator(f"#c-{ids[15]} > article .reply").click()
    await page.keyboard.type("Half a reply")
    for _ in range(5):
        await page.keyboard.press("ArrowLeft")
    await page.evaluate(SETTLED)
    before = await page.evaluate(LINE, ids[15])
    async with page.expect_response(lambda answer: f"/api/threads/{place.key}" in answer.url):
        sockets[0].send(json.dumps({"type": "reset", "thread": place.key}))
    Person(app, f"{name} A").post(place.key, "After it")
    await expect(page.locator(".count")).to_have_text("31")
    await page.evaluate(SETTLED)
    assert await page.evaluate(CARET) == ["Half a reply", 7]
    assert await page.evaluate(LINE, ids[15]) == pytest.approx(before, abs=0.5)


@IN_BOTH_PLACES
@pytest.mark.scenario(28)
async def test_what_comes_is_spoken_at_most_every_twenty_seconds(
    app: Server, place: Place, name: str, visit: Any
) -> None:
    fill(app, place.key, name, 1)
    reader = await visit()
    await reader.page.clock.install()
    page = await place.read(reader)
    ana = Person(app, f"{name} A")
    ana.post(place.key, "The first")
    await expect(page.locator("[role=status]")).to_have_text("1 new comment")
    for number in range(3):
        ana.post(place.key, f"Number {number}")
    await expect(page.locator(".count")).to_have_text("5")
    await page.clock.run_for(10_000)
    await expect(page.locator("[role=status]")).to_have_text("1 new comment")
    await page.clock.run_for(11_000)
    await expect(page.locator("[role=status]")).to_have_text("3 new comments")
