"""What a small screen that is touched shows, and where; and what lies over the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from tests.journeys.people import Person
from tests.journeys.test_two_browsers import SETTLED, SHIFTS, fill, sign_up
from tests.processes import Server

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
OVERLAP = """([one, other]) => {
  const [a, b] = [one, other].map((name) => document.querySelector(name).getBoundingClientRect());
  return a.right > b.left && b.right > a.left && a.bottom > b.top && b.bottom > a.top;
}"""
LONG = "Since 30 Nov, 10:00 AM: at least 200 new, 12 by the author, 11 to you, 13 removed"


@pytest.mark.parametrize("width", [320, 390])
async def test_what_came_is_said_whole_and_moves_nothing(
    app: Server, key: str, name: str, visit: Any, width: int
) -> None:
    fill(app, key, name, 3)
    reader = await visit(**{**PHONE, "viewport": {"width": width, "height": 844}})
    page = await reader.read(f"{app.origin}/t/{key}")
    await page.wait_for_selector("button[aria-label='Previous unread']", state="attached")
    await reader.read(f"{app.origin}/t/{key}")
    await page.evaluate(SHIFTS)
    await page.evaluate(
        "(text) => { const since = document.querySelector('.since'); since.hidden = false;"
        " since.firstElementChild.textContent = text; since.querySelector('button').hidden = false; }",
        LONG,
    )
    await page.evaluate(SETTLED)
    assert await page.evaluate("document.documentElement.scrollWidth") == width
    said, button = page.locator(".since span"), page.locator(".since button")
    for part in (said, button):
        assert not await part.evaluate("(part) => part.scrollWidth > part.clientWidth && part.clientWidth > 0")
    assert not await page.evaluate(OVERLAP, [".since span", ".composer textarea"])
    assert not await page.evaluate(OVERLAP, [".since button", ".composer textarea"])
    assert await page.evaluate("window.shift") == 0, await page.evaluate("window.moved")


async def test_unread_buttons_stay_in_sight_and_leave_room_to_write(
    app: Server, key: str, name: str, visit: Any
) -> None:
    ids = fill(app, key, name, 20)
    reader = await visit(**PHONE)
    page = reader.page
    await page.add_init_script("document.hasFocus = () => false")
    await reader.read(f"{app.origin}/t/{key}")
    new = fill(app, key, f"{name} N", 2)
    unread = page.locator("button.unread").first
    await expect(unread).to_have_text("2 unread ↓")
    for id_ in (ids[0], ids[12]):
        await page.locator(f"#c-{id_}").scroll_into_view_if_needed()
        await expect(unread).to_be_in_viewport(ratio=1)
    assert await page.locator(f"#c-{new[1]}").evaluate("(item) => getComputedStyle(item).marginInlineStart") == "-8px"
    await page.locator(".composer textarea").first.focus()
    await expect(unread).to_be_hidden()
    await page.locator(".composer textarea").first.blur()
    await unread.tap()
    await expect(page.locator(f"#c-{new[0]} > article")).to_be_focused()


async def test_keys_are_told_only_where_there_are_some(app: Server, key: str, name: str, visit: Any) -> None:
    fill(app, key, name, 1)
    desk, phone = await visit(), await visit(**PHONE)
    for reader, count in ((desk, 1), (phone, 0)):
        await reader.read(f"{app.origin}/t/{key}")
        await expect(reader.page.locator("button[aria-label='Previous unread']")).to_have_count(1)
        await expect(reader.page.locator(".keys")).to_have_count(count)


async def test_a_date_of_another_year_is_shown_whole(app: Server, key: str, name: str, visit: Any) -> None:
    fill(app, key, name, 1)
    reader = await visit(**PHONE)
    page = await reader.read(f"{app.origin}/t/{key}")
    time = page.locator(".comment .time").first
    await time.evaluate("(time) => { time.firstElementChild.textContent = '28 Sept 2011'; }")
    assert await time.evaluate("(time) => time.scrollWidth <= time.clientWidth")


async def test_a_status_is_seen_in_the_middle_of_a_thread_and_goes(
    app: Server, key: str, name: str, visit: Any
) -> None:
    ids = fill(app, key, name, 20)
    reader = await visit(**PHONE)
    await reader.page.clock.install()
    await sign_up(reader, app, f"{name} R", f"/t/{key}")
    page = reader.page
    await page.locator(f"#c-{ids[12]} .vote button").first.scroll_into_view_if_needed()
    await page.evaluate(SETTLED)
    await page.evaluate(SHIFTS)
    await page.route("**/vote", lambda route: route.abort())
    await page.locator(f"#c-{ids[12]} .vote button").first.tap()
    await expect(page.locator(".status")).to_be_in_viewport(ratio=1)
    await expect(page.locator(".status")).to_contain_text("Your vote was not saved.")
    await page.clock.fast_forward(11_000)
    await expect(page.locator(".status")).to_be_hidden()
    assert await page.evaluate("window.shift") == 0, await page.evaluate("window.moved")


async def test_what_is_unread_is_printed_too(app: Server, key: str, name: str, visit: Any) -> None:
    (id_,) = fill(app, key, name, 1)
    reader = await visit()
    page = await reader.read(f"{app.origin}/t/{key}")
    await page.locator(f"#c-{id_}").evaluate("(item) => item.classList.add('unread')")
    await page.emulate_media(media="print")
    await expect(page.locator(f"#c-{id_}")).to_be_visible()
    await expect(page.locator(".composer")).to_be_hidden()


BROKEN = """() => [...document.querySelectorAll("ol.comments footer > *")]
  .filter((one) => one.checkVisibility() && (one.offsetHeight > 33 || one.scrollWidth > one.clientWidth + 1))
  .map((one) => `${one.outerHTML} ${one.offsetHeight}`)"""


async def test_the_line_of_actions_breaks_no_word_in_a_longer_language(tmp_path: Path, visit: Any) -> None:
    with Server(tmp_path, LIVETHREAD_LANGUAGES="de") as app:
        bo = Person(app, "Bo")
        parent = None
        for number in range(5):
            parent = bo.post("levels", f"Level {number}", parent)["id"]
        reader = await visit(**{**PHONE, "viewport": {"width": 320, "height": 640}})
        page = await reader.read(f"{app.origin}/t/levels")
        await page.wait_for_selector(".fold")
        await expect(page.locator(".reply").first).to_have_text("Antworten")
        assert await page.evaluate(BROKEN) == []
        assert await page.evaluate("document.documentElement.scrollWidth") == 320
