"""In whatever order frames and answers come, what is painted is equal to a fresh load."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from playwright.async_api import Route, WebSocketRoute, expect

from tests.journeys.people import Person
from tests.journeys.places import IN_BOTH_PLACES, Place
from tests.journeys.test_two_browsers import fill
from tests.processes import Server, eventually


class Line:
    """The way from the server to one browser's sockets, on which frames can be kept back."""

    def __init__(self) -> None:
        self.kept: list[str | bytes] = []
        self.is_open = True
        self._browser: WebSocketRoute | None = None

    def between(self, browser: WebSocketRoute) -> None:
        self._browser = browser
        browser.connect_to_server().on_message(self._came)

    def _came(self, frame: str | bytes) -> None:
        if self.is_open:
            self.deliver([frame])
        else:
            self.kept.append(frame)

    def deliver(self, frames: list[str | bytes]) -> None:
        assert self._browser
        for frame in frames:
            self._browser.send(frame)


@IN_BOTH_PLACES
@pytest.mark.scenario(16)
async def test_changes_that_come_backwards_and_twice_end_as_a_fresh_load(
    app: Server, place: Place, name: str, visit: Any
) -> None:
    ids = fill(app, place.key, name, 4)
    reader, line = await visit(), Line()
    await reader.page.route_web_socket("**/live", line.between)
    await place.read(reader)
    line.is_open = False
    ana = Person(app, f"{name} A")
    reply = ana.post(place.key, "A reply", ids[0])["id"]
    # One by one, since the server sends together what comes together.
    await eventually(lambda: line.kept)
    ana.do("PATCH", f"/api/comments/{reply}", body="Another text", revision=1)
    await eventually(lambda: len(line.kept) >= 2)
    ana.do("PUT", f"/api/comments/{ids[1]}/vote", value=1)
    await eventually(lambda: len(line.kept) >= 3)
    ana.post(place.key, "Below the reply", reply)
    ana.do("DELETE", f"/api/comments/{reply}")
    await eventually(lambda: len(line.kept) >= 4)
    line.is_open = True
    line.deliver(line.kept[::-1] + line.kept + line.kept[::2])
    await expect(reader.page.locator(".count")).to_have_text("5")
    await expect(reader.page.locator(f"#c-{ids[1]} .score")).to_have_text("1")
    await place.assert_as_fresh(reader, visit)


@IN_BOTH_PLACES
@pytest.mark.scenario(17)
async def test_the_answer_to_a_post_and_its_echo_make_one_comment_in_either_order(
    app: Server, place: Place, name: str, visit: Any
) -> None:
    writer, line = await visit(), Line()
    page = writer.page
    await page.route_web_socket("**/live", line.between)
    await place.sign_up(writer, name)
    posted = page.locator("li[data-id]")
    text, post = page.locator(".composer textarea").first, page.locator(".composer .post").first
    line.is_open = False
    await text.fill("The answer first")
    await post.click()
    await expect(posted).to_have_count(1)
    await eventually(lambda: line.kept)
    line.is_open = True
    line.deliver(line.kept)

    is_drawn = asyncio.Event()

    async def late(route: Route) -> None:
        answer = await route.fetch()
        await is_drawn.wait()
        await route.fulfill(response=answer)

    await page.route("**/api/threads/*/comments", late)
    await text.fill("The echo first")
    await post.click()
    await expect(posted).to_have_count(2)
    is_drawn.set()
    await expect(page.locator(".pending-post")).to_have_count(0)
    await expect(text).to_have_value("")
    await expect(posted).to_have_count(2)
    painted = await writer.painted()
    await place.read(writer)
    assert await writer.painted() == painted
