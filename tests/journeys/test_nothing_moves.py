"""Nothing that others do moves the line that is read, also where the browser does not hold it."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.journeys.people import Person
from tests.journeys.places import UNDER_AN_ARTICLE, WITHIN, Place
from tests.journeys.test_two_browsers import SETTLED, SHIFTS
from tests.processes import Server, eventually

LINE = f"(id) => {WITHIN}" + ".querySelector(`#c-${id} > article`).getBoundingClientRect().top"
EVERYWHERE = [("own page", anchoring, phone) for anchoring in ("auto", "none") for phone in (True, False)]


@pytest.mark.parametrize(
    ("place", "anchoring", "phone"), [*EVERYWHERE, (UNDER_AN_ARTICLE, "none", True)], indirect=["place"]
)
@pytest.mark.scenario(6, 9)
async def test_no_event_moves_the_line_that_is_read(
    app: Server, place: Place, name: str, visit: Any, anchoring: str, phone: bool
) -> None:
    ana, staff = Person(app, f"{name} with a name as long as it may be"[:40]), Person(app, f"{name} S", "staff")
    ids = [ana.post(place.key, f"Comment {number}.\n\nOf two paragraphs.")["id"] for number in range(40)]
    leaf = [ana.post(place.key, "A leaf of some words.", parent=ids[number])["id"] for number in (3, 19, 21, 22)]
    options = {"viewport": {"width": 390, "height": 844}} if phone else {"viewport": {"width": 1280, "height": 720}}
    reader = await visit(**options)
    page: Page = reader.page
    await page.add_init_script("document.hasFocus = () => false")
    await place.read(reader)
    await page.wait_for_selector("button[aria-label='Previous unread']", state="attached")
    await page.evaluate(f"document.documentElement.style.overflowAnchor = '{anchoring}'")
    # A jump: nothing between was ever in sight.
    await page.locator(f"#c-{ids[20]}").evaluate("(one) => one.scrollIntoView()")
    await page.evaluate(SETTLED)
    await page.evaluate(SHIFTS)
    before = await page.evaluate(LINE, ids[20])

    async def done(version: int) -> None:
        await eventually(lambda: reader.version >= version)
        await page.evaluate(SETTLED)
        assert await page.evaluate(LINE, ids[20]) == pytest.approx(before, abs=0.5)

    # Above, in sight and below: replies, an edit, votes, deletions and a removal.
    above = ana.post(place.key, "Above what is read.", parent=ids[1])
    await done(above["version"])
    await expect(page.locator(f"#c-{above['id']}")).to_have_count(0)
    for parent in (ids[20], leaf[1]):
        await done(ana.post(place.key, "In sight.", parent=parent)["version"])
    await done(ana.post(place.key, "At the end.")["version"])
    for edited in (ids[2], ids[21], ids[35]):
        longer = "Much longer than it was.\n\n" * 9
        await done(ana.do("PATCH", f"/api/comments/{edited}", body=longer, revision=1)["comment"]["version"])
    for gone in leaf:
        await done(ana.do("DELETE", f"/api/comments/{gone}")["comment"]["version"])
    for removed in (ids[4], ids[23], ids[36]):
        await done(staff.do("PUT", f"/api/comments/{removed}/state", state="removed")["comment"]["version"])
    staff.do("PUT", f"/api/comments/{ids[22]}/vote", value=1)
    await expect(page.locator(f"#c-{ids[22]} .score")).to_have_text("1")
    assert await page.evaluate("window.shift") == 0, await page.evaluate("window.moved")
