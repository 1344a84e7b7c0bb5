"""Done in one browser, seen in another."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import expect

from tests.journeys.places import IN_BOTH_PLACES, WITHIN, Place
from tests.processes import Server

SHIFTS = """() => { window.shift = 0; new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) {
    window.shift += entry.value;
    (window.moved ??= []).push(...entry.sources.map(({ node }) => node?.className || node?.nodeName));
  }
}).observe({ type: "layout-shift", buffered: false }); }"""

# What scrolls into view for the first time gets its real height a frame later.
SETTLED = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 100))))"


async def sign_up(visitor: Any, app: Server, name: str, back: str) -> None:
    await visitor.page.goto(f"{app.origin}/register?next={back}")
    await visitor.page.fill("#name", name)
    await visitor.page.fill("#password", "a long password")
    await visitor.page.click("main form button")
    await visitor.page.wait_for_url(f"{app.origin}{back}")
    await visitor.page.wait_for_selector(".connection[data-state=live]")


def fill(app: Server, key: str, name: str, count: int) -> list[int]:
    with app.commenter(name) as client:
        return [
            client.post(
                f"/api/threads/{key}/comments",
                json={"body": f"Comment {number}.\n\nIt has two paragraphs.", "nonce": f"fill-{number:020d}"},
            ).json()["comment"]["id"]
            for number in range(count)
        ]


async def test_the_first_comment_of_an_empty_thread_arrives(app: Server, key: str, name: str, visit: Any) -> None:
    reader, writer = await visit(), await visit()
    await reader.read(f"{app.origin}/t/{key}")
    await expect(reader.page.locator(".none")).to_be_visible()
    await sign_up(writer, app, name, f"/t/{key}")
    await writer.page.fill("textarea", "Hello **there**")
    await writer.page.click(".post")
    await expect(reader.page.locator("li[data-id] .body")).to_have_text("Hello there")
    await expect(reader.page.locator(".none")).to_be_hidden()
    await expect(reader.page.locator(".count")).to_have_text("1")
    await expect(writer.page.locator("li[data-id]")).to_have_count(1)
    await expect(writer.page.locator(".pending-post")).to_have_count(0)
    await writer.read(f"{app.origin}/t/{key}")
    assert await reader.painted() == await writer.painted()


@IN_BOTH_PLACES
@pytest.mark.scenario(1, 2, 3)
async def test_an_arrival_in_or_above_the_view_is_held_and_one_below_is_appended(
    app: Server, place: Place, name: str, visit: Any
) -> None:
    ids = fill(app, place.key, name, 40)
    reader = await visit(viewport={"width": 800, "height": 600})
    page = await place.read(reader)
    await page.locator(f"#c-{ids[15]}").scroll_into_view_if_needed()
    await page.evaluate(SETTLED)
    await page.evaluate(SHIFTS)
    top = f"{WITHIN}.querySelector('#c-{ids[15]}').getBoundingClientRect().top"
    before = await page.evaluate(top)
    with app.commenter(f"{name} B") as other:
        for number, parent in enumerate([ids[0], ids[15]]):
            answer = other.post(
                f"/api/threads/{place.key}/comments",
                json={"body": "A reply.", "parent": parent, "nonce": f"reply-{number:020d}"},
            )
            assert answer.status_code == 201
        below = other.post(
            f"/api/threads/{place.key}/comments", json={"body": "At the end.", "nonce": "below-" + "0" * 20}
        )
    await expect(page.locator(".pill")).to_have_text("\u200e+2")
    await expect(page.locator(f"#c-{below.json()['comment']['id']}")).to_have_count(1)
    await expect(page.locator(".count")).to_have_text("43")
    await expect(page.locator(f"#c-{ids[15]} .replies")).to_have_text("1 new reply")
    assert await page.evaluate(top) == before
    assert await page.evaluate("[window.shift, window.moved ?? []]") == [0, []]
    await page.click(f"#c-{ids[15]} .replies")
    await expect(page.locator(f"#c-{ids[15]} li article")).to_be_focused()
    await expect(page.locator(".replies")).to_have_count(1)
    await expect(page.locator(".pill")).to_have_text("\u200e+1")
    await page.click(".pill")
    await expect(page.locator(".replies")).to_have_count(0)
    await expect(page.locator("li li[data-id]")).to_have_count(2)
    await expect(page.locator(".pill")).to_be_hidden()
    assert await page.evaluate(f"{WITHIN}.activeElement.matches('li li article')")


@IN_BOTH_PLACES
@pytest.mark.scenario(7, 22)
async def test_a_deletion_leaves_a_tombstone_while_something_hangs_below_it(
    app: Server, place: Place, name: str, visit: Any
) -> None:
    (first,) = fill(app, place.key, name, 1)
    reader, writer = await visit(), await visit()
    await place.sign_up(writer, f"{name} C")
    await writer.page.click(f"#c-{first} .reply")
    await writer.page.fill(".answering textarea", "Mine.")
    await writer.page.click(".answering .post")
    mine = writer.page.locator("li li[data-id]")
    await expect(mine).to_have_count(1)
    id_ = await mine.get_attribute("data-id")
    with app.commenter(f"{name} D") as other:
        below = other.post(
            f"/api/threads/{place.key}/comments", json={"body": "Below.", "parent": int(id_), "nonce": "x" * 20}
        ).json()["comment"]["id"]
        await place.read(reader)
        await mine.locator("> article .menu").click()
        for _ in range(2):
            await mine.page.click(".choices .delete")
        await expect(reader.page.locator(f"#c-{id_} > article .body")).to_have_text("Deleted by the author.")
        await expect(reader.page.locator(f"#c-{below}")).to_have_count(1)
        assert other.delete(f"/api/comments/{below}").status_code == 200
    await expect(reader.page.locator(f"#c-{id_}")).to_have_count(0)
    await expect(reader.page.locator(".count")).to_have_text("1")
    await place.assert_as_fresh(reader, visit)
    # A link to what is gone leads to what is left above it, and says so.
    await reader.page.goto(place.url(comment=below))
    await expect(reader.page.locator(f"#c-{first} > article")).to_be_focused()
    said = "The comment that you were looking for was deleted by its author."
    await expect(reader.page.locator(".notice:visible")).to_have_text(said)


@IN_BOTH_PLACES
async def test_that_a_linked_comment_is_gone_is_told_where_one_is_led(
    app: Server, place: Place, name: str, visit: Any
) -> None:
    above = fill(app, place.key, name, 40)[-1]
    with app.commenter(f"{name} B") as other:
        reply = {"body": "Gone soon.", "parent": above, "nonce": "g" * 20}
        gone = other.post(f"/api/threads/{place.key}/comments", json=reply).json()["comment"]["id"]
        assert other.delete(f"/api/comments/{gone}").status_code == 200
    reader = await visit()
    await place.read(reader)
    await reader.page.goto(place.url(comment=gone))
    await expect(reader.page.locator(f"#c-{above} > article")).to_be_in_viewport()
    said = "The comment that you were looking for was deleted by its author."
    await expect(reader.page.locator(".of-gone")).not_to_be_in_viewport()
    await expect(reader.page.locator(".status")).to_have_text(said)
    await expect(reader.page.locator(".status")).to_be_in_viewport()


@IN_BOTH_PLACES
@pytest.mark.scenario(19)
async def test_a_draft_survives_a_reload_and_a_burst_and_keeps_its_caret(
    app: Server, place: Place, name: str, visit: Any
) -> None:
    fill(app, place.key, name, 3)
    reader = await visit()
    page = await place.read(reader)
    await page.fill("textarea", "A half-written thought")
    await page.evaluate(f"{WITHIN}.querySelector('textarea').setSelectionRange(2, 6)")
    fill(app, place.key, f"{name} E", 30)
    await expect(page.locator(".count")).to_have_text("33")
    caret = "(({tagName, selectionStart, selectionEnd}) => [tagName, selectionStart, selectionEnd])"
    assert await page.evaluate(f"{caret}({WITHIN}.activeElement)") == ["TEXTAREA", 2, 6]
    await page.reload()
    await expect(page.locator("textarea").first).to_have_value("A half-written thought")


@pytest.mark.scenario(38)
async def test_a_reply_begun_before_logging_in_is_there_afterwards(
    app: Server, key: str, name: str, visit: Any
) -> None:
    (first,) = fill(app, key, name, 1)
    reader = await visit()
    page = await reader.read(f"{app.origin}/t/{key}")
    await page.click(f"#c-{first} .reply")
    await page.fill(".answering textarea", "What I meant to say")
    await page.click(".answering .post")
    await page.wait_for_url("**/login**")
    await page.click("text=New here? Register")
    await page.fill("#name", f"{name} F")
    await page.fill("#password", "a long password")
    await page.click("main form button")
    await expect(page.locator(".answering textarea")).to_have_value("What I meant to say")
    await page.click(".answering .post")
    await expect(page.locator(f"#c-{first} li[data-id] .body")).to_have_text("What I meant to say")
    await page.reload()
    await expect(page.locator(f"#c-{first} li[data-id]")).to_have_count(1)
    await page.wait_for_function("() => !Object.keys(localStorage).some((slot) => slot.includes(':draft:'))")


@IN_BOTH_PLACES
@pytest.mark.scenario(18)
async def test_a_post_that_fails_keeps_its_text_and_retried_is_one_comment(
    app: Server, place: Place, name: str, visit: Any
) -> None:
    writer = await visit()
    await place.sign_up(writer, name)
    page = writer.page

    async def answer_lost(route: Any) -> None:
        await route.fetch()
        await route.abort()

    await page.route("**/api/threads/*/comments", answer_lost)
    await page.fill("textarea", "Said once")
    await page.click(".post")
    await expect(page.locator(".composer .says")).to_contain_text("Not posted. Your text is saved.")
    await expect(page.locator("textarea").first).to_have_value("Said once")
    await page.unroute("**/api/threads/*/comments")
    await page.click(".post")
    await expect(page.locator("textarea").first).to_have_value("")
    await expect(page.locator("li[data-id]")).to_have_count(1)
    await expect(page.locator(".pending-post")).to_have_count(0)
    await page.reload()
    await expect(page.locator("li[data-id]")).to_have_count(1)


@pytest.mark.parametrize("width", [320, 360, 1280])
@pytest.mark.scenario(30)
async def test_no_page_scrolls_sideways(app: Server, key: str, name: str, visit: Any, width: int) -> None:
    with app.commenter(name) as client:
        parent = None
        for number in range(12):
            answer = client.post(
                f"/api/threads/{key}/comments",
                json={"body": "W" * 90 + "\n\n    " + "code " * 60, "parent": parent, "nonce": f"n-{number:020d}"},
            )
            parent = answer.json()["comment"]["id"]
    reader = await visit(viewport={"width": width, "height": 740})
    await reader.read(f"{app.origin}/t/{key}")
    for path in (f"/t/{key}", "/", "/login", "/register", "/nothing-here"):
        await reader.page.goto(app.origin + path)
        assert await reader.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path


@IN_BOTH_PLACES
@pytest.mark.scenario(10)
async def test_a_reader_who_was_away_is_told_and_whole_again(app: Server, place: Place, name: str, visit: Any) -> None:
    fill(app, place.key, name, 2)
    reader = await visit()
    page = await place.read(reader)
    await page.fill("textarea", "Half-written")
    # Offline, or it might be back before all is posted.
    await page.context.set_offline(True)
    app.kill()
    await expect(page.locator(".status")).to_have_text("Reconnecting… Your draft is saved.", timeout=10_000)
    app.start()
    fill(app, place.key, f"{name} G", 5)
    await page.context.set_offline(False)
    await expect(page.locator(".status")).to_have_text("Back online. 5 new comments.", timeout=40_000)
    await expect(page.locator("textarea").first).to_have_value("Half-written")
    await place.assert_as_fresh(reader, visit)


async def test_who_writes_an_answer_is_shown_to_those_who_write_one_too(
    app: Server, key: str, name: str, visit: Any
) -> None:
    writer, other = await visit(), await visit()
    await sign_up(writer, app, name, f"/t/{key}")
    await sign_up(other, app, f"{name} B", f"/t/{key}")
    box = writer.page.locator("textarea").first
    # The ticket may still be on its way when the first key is pressed.
    for _ in range(10):
        await box.type("a ")
        if await other.page.locator(f".hint[data-typing='{name} is writing…']").count():
            break
        await writer.page.wait_for_timeout(1_100)
    await expect(other.page.locator(".hint").first).to_have_attribute("data-typing", f"{name} is writing…")
    await expect(writer.page.locator("[data-typing]")).to_have_count(0)
    await expect(other.page.locator("[data-typing]")).to_have_count(0, timeout=10_000)


async def test_nobody_is_writing_any_more_what_is_there(app: Server, key: str, name: str, visit: Any) -> None:
    (first,) = fill(app, key, name, 1)
    reader = await visit()
    # What would go by itself after a while stays now.
    await reader.page.clock.install()
    page = await reader.read(f"{app.origin}/t/{key}")
    await page.wait_for_selector(".keys", state="attached")
    await page.click(f"#c-{first} .reply")
    await page.clock.pause_at(await page.evaluate("Date.now() + 100"))
    top, below = page.locator(".hint").first, page.locator(f"#c-{first} .hint")
    writes = (
        "([parent, names]) => document.querySelector('live-thread').live.connection.dispatchEvent("
        "new CustomEvent('message', { detail: { type: 'typing', parent, names } }))"
    )
    both = [f"{name} B", f"{name} C"]
    await page.evaluate(writes, [None, both])
    await page.evaluate(writes, [first, both[:1]])
    await expect(top).to_have_attribute("data-typing", "2 people are writing…")
    fill(app, key, both[0], 1)
    await expect(top).to_have_attribute("data-typing", f"{both[1]} is writing…")
    await expect(below).to_have_attribute("data-typing", f"{both[0]} is writing…")
    # What is told late is told too late.
    await page.evaluate(writes, [None, both[:1]])
    fill(app, key, both[1], 1)
    await expect(page.locator("[data-typing]")).to_have_count(1)
    await expect(below).to_have_attribute("data-typing", f"{both[0]} is writing…")
