"""Where a proxy or a filter list blocks WebSockets, the thread goes on by requests, and says so."""

from __future__ import annotations

from typing import Any

from playwright.async_api import Page, WebSocketRoute, expect

from tests.journeys.people import Person
from tests.journeys.test_two_browsers import fill
from tests.processes import Server

STATE = "data-state"


async def block(page: Page) -> list[bool]:
    """Refuse the page's sockets while the list holds True."""
    blocked = [True]

    async def between(socket: WebSocketRoute) -> None:
        if blocked[0]:
            await socket.close(code=1011)
        else:
            socket.connect_to_server()

    await page.route_web_socket("**/live", between)
    return blocked


async def test_a_thread_whose_sockets_are_blocked_is_live_a_few_seconds_late(
    app: Server, key: str, name: str, visit: Any
) -> None:
    (first,) = fill(app, key, name, 1)
    reader, other = await visit(), Person(app, f"{name} O")
    page = reader.page
    blocked = await block(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/changes?" in request.url else None)
    await page.goto(f"{app.origin}/t/{key}")
    connection = page.locator(".connection")
    await expect(connection).to_have_text("● Live, a few seconds late")
    await expect(connection).to_have_attribute(STATE, "late")
    other.post(key, "Said meanwhile", first)
    await expect(page.locator(".count")).to_have_text("2")
    await expect(connection).to_have_attribute(STATE, "late")
    await page.locator("textarea").first.fill("Half-written")
    blocked[0] = False
    # Another network: nothing is waited for.
    await page.evaluate("dispatchEvent(new Event('online'))")
    await expect(connection).to_have_attribute(STATE, "live")
    await expect(connection).to_contain_text("here")
    await expect(page.locator("textarea").first).to_have_value("Half-written")
    before = len(asked)
    other.post(key, "Said by the socket", first)
    await expect(page.locator(".count")).to_have_text("3")
    assert len(asked) == before


async def test_an_account_whose_sockets_are_blocked_posts_and_hears_its_bell(
    app: Server, key: str, name: str, visit: Any
) -> None:
    reader, other = await visit(), Person(app, f"{name} O")
    page = reader.page
    await block(page)
    await page.goto(f"{app.origin}/register?next=/t/{key}")
    await page.fill("[name=name]", name)
    await page.fill("[name=password]", "a long password")
    await page.click("form[action='/register'] button")
    await expect(page.locator(".connection")).to_have_attribute(STATE, "late")
    await page.locator("textarea").first.fill("A question")
    await page.click(".post")
    item = page.locator("li[data-id]")
    await expect(item).to_have_count(1)
    other.post(key, "An answer", int(await item.get_attribute("data-id") or 0))
    await expect(page.locator(".count")).to_have_text("2")
    await expect(page.locator(".bell .told")).to_have_text("1")
