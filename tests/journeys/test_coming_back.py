"""A page that was left, or whose socket died in silence, is live again and whole; two threads on one page; the heap."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.async_api import Page, WebSocketRoute, expect

from tests.journeys.conftest import reveal
from tests.journeys.people import Person
from tests.journeys.places import IN_BOTH_PLACES, Place
from tests.journeys.test_two_browsers import fill
from tests.processes import Server

CHANGES = 10_000
# A fifth of it was seen: caches of the browser's own. A hundred bytes kept of each change would be all of it.
MOST_GROWTH_BYTES = 1_000_000


@IN_BOTH_PLACES
@pytest.mark.scenario(12)
async def test_a_socket_that_dies_in_silence_is_noticed_by_its_heartbeat_and_resumed(
    app: Server, place: Place, name: str, visit: Any
) -> None:
    fill(app, place.key, name, 2)
    reader, witness = await visit(), await visit()
    page: Page = reader.page
    opened: list[WebSocketRoute] = []
    dead: list[WebSocketRoute] = []

    def between(browser: WebSocketRoute) -> None:
        server = browser.connect_to_server()
        opened.append(browser)
        browser.on_message(lambda text: None if browser in dead else server.send(text))
        server.on_message(lambda text: None if browser in dead else browser.send(text))

    await page.route_web_socket("**/live", between)
    await page.clock.install()
    await place.read(reader)
    await place.read(witness)
    dead += opened
    fill(app, place.key, f"{name} L", 3)
    await expect(witness.page.locator(".count")).to_have_text("5")
    await expect(reader.page.locator(".count")).to_have_text("2")
    # The beat, what an answer to it may take, and the longest first pause.
    for milliseconds in (15_000, 10_000, 500):
        await page.clock.run_for(milliseconds)
    await expect(page.locator(".count")).to_have_text("5")
    await expect(page.locator(".connection")).to_have_attribute("data-state", "live")
    assert len(opened) == 2
    await page.clock.resume()
    assert await reader.painted() == await witness.painted()


@IN_BOTH_PLACES
@pytest.mark.scenario(14)
async def test_who_goes_back_to_a_thread_finds_it_live_and_caught_up(
    app: Server, place: Place, name: str, visit: Any
) -> None:
    fill(app, place.key, name, 2)
    reader, witness = await visit(), await visit()
    page = await place.read(reader)
    await place.read(witness)
    await page.locator("textarea").first.fill("Begun before")
    await page.goto(f"{app.origin}/")
    await expect(page.locator("h1")).to_be_visible()
    fill(app, place.key, f"{name} L", 3)
    await page.go_back()
    await expect(page.locator(".connection[data-state=live]")).to_be_visible()
    await expect(page.locator(".count")).to_have_text("5")
    await expect(page.locator("textarea").first).to_have_value("Begun before")
    fill(app, place.key, f"{name} N", 1)
    await expect(page.locator(".count")).to_have_text("6")
    await expect(witness.page.locator(".count")).to_have_text("6")
    assert await reader.painted() == await witness.painted()


@IN_BOTH_PLACES
@pytest.mark.scenario(37)
async def test_two_threads_on_one_page_live_each_for_itself(app: Server, place: Place, name: str, visit: Any) -> None:
    key, other = place.key, place.key_of_another
    fill(app, key, name, 1)
    (second,) = fill(app, other, f"{name} O", 1)
    # The policy takes no HTML from a test.
    page = await place.read(await visit(bypass_csp=True))
    await page.evaluate(place.ADD_ANOTHER, other)
    threads = [page.locator("live-thread").nth(number) for number in (0, 1)]
    for thread in threads:
        await expect(thread.locator(".connection[data-state=live]")).to_be_visible()
    await threads[0].locator("textarea").fill("To the one")
    await threads[1].locator("textarea").fill("To the other")
    fill(app, other, f"{name} P", 2)
    await expect(threads[1].locator(".count")).to_have_text("3")
    await expect(threads[0].locator(".count")).to_have_text("1")
    fill(app, key, f"{name} Q", 1)
    await expect(threads[0].locator(".count")).to_have_text("2")
    for thread, count, text in ((threads[0], 2, "To the one"), (threads[1], 3, "To the other")):
        await reveal(thread, count)
        await expect(thread.locator("textarea").first).to_have_value(text)
    await threads[1].locator(f"#c-{second} .reply").click()
    await expect(threads[1].locator(".answering textarea")).to_be_focused()
    await expect(threads[0].locator(".answering")).to_have_count(0)
    # What goes ends, and leaves the other alone.
    await threads[1].evaluate("(thread) => thread.remove()")
    fill(app, key, f"{name} R", 1)
    await expect(threads[0].locator(".count")).to_have_text("3")


@pytest.mark.scenario(39)
async def test_the_heap_stays_flat_over_ten_thousand_changes(app: Server, key: str, name: str, visit: Any) -> None:
    ids = fill(app, key, name, 100) + fill(app, key, f"{name} S", 100)
    reader = await visit()
    page: Page = reader.page
    sockets: list[WebSocketRoute] = []

    def between(browser: WebSocketRoute) -> None:
        browser.connect_to_server()
        sockets.append(browser)

    await page.route_web_socket("**/live", between)
    await reader.read(f"{app.origin}/t/{key}")
    await page.wait_for_selector(".keys", state="attached")
    whole = Person(app, f"{name} U").do("GET", f"/api/threads/{key}?limit=200")
    session = await page.context.new_cdp_session(page)

    async def used() -> int:
        await session.send("HeapProfiler.collectGarbage")
        return int((await session.send("Runtime.getHeapUsage"))["usedSize"])

    async def change(version: int, count: int) -> int:
        """Send `count` changes to comments, 200 a frame, as a lively thread would; return the version of the last."""
        for start in range(0, count, len(ids)):
            comments = []
            for comment in whole["comments"]:
                version += 1
                text = {"html": f"<p>Text {version}.</p>", "revision": version, "score": version % 7}
                comments.append(comment | text | {"version": version})
            frame = {"type": "changes", "thread": key, "epoch": whole["epoch"], "info": whole["info"]}
            sockets[0].send(json.dumps(frame | {"after": version - len(ids), "version": version, "comments": comments}))
            if start % 2_000 == 0:
                await expect(page.locator(f"#c-{ids[-1]}")).to_have_attribute("data-version", str(version))
        await expect(page.locator(f"#c-{ids[-1]}")).to_have_attribute("data-version", str(version))
        return version

    version = await change(whole["version"], 2_000)
    before = await used()
    await change(version, CHANGES)
    assert await used() - before < MOST_GROWTH_BYTES
