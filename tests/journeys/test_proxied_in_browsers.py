"""Below a path, behind each proxy, by HTTP/2: a browser asks for nothing elsewhere, and the thread is live."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from tests.deploy.proxies import FILES, Certificate, Proxy, proxied
from tests.journeys.articles import Site, neighbour
from tests.journeys.firefox import Firefox, started
from tests.journeys.people import PASSWORD
from tests.ports import free_port
from tests.processes import Server

BASE = "/talk"
PROTOCOLS = """() => ["navigation", "resource"].flatMap((kind) => performance.getEntriesByType(kind))
  .filter(({name}) => name.startsWith(origin)).map(({nextHopProtocol}) => nextHopProtocol)"""


@contextlib.contextmanager
def house(kind: str, folder: Path, *, strips: bool, **more: str) -> Iterator[tuple[Server, Proxy]]:
    """An app and its gateway below a path, behind a proxy that speaks HTTP/2."""
    port = free_port()
    public = {"LIVETHREAD_ORIGIN": f"https://127.0.0.1:{port}{BASE}", **more}
    with (
        Server(folder, **public) as app,
        Server(folder, "gateway", LIVETHREAD_APP_URL=app.origin + BASE, **public) as gateway,
    ):
        ports = {8000: app.port, 8001: gateway.port, 8002: gateway.port}
        with proxied(kind, folder, ports, port, BASE, strips=strips, tls=Certificate.made(folder)) as proxy:
            yield app, proxy


@pytest.mark.parametrize(("kind", "strips"), [(kind, number % 2 == 0) for number, kind in enumerate(FILES)])
async def test_a_conversation_below_a_path_by_http2(kind: str, strips: bool, tmp_path: Path, visit: Any) -> None:
    with house(kind, tmp_path, strips=strips) as (_, proxy):
        writer = await visit(ignore_https_errors=True)
        reader = await visit(ignore_https_errors=True, viewport={"width": 390, "height": 844})
        asked: list[str] = []
        for one in (writer, reader):
            one.page.on("request", lambda request: asked.append(request.url))
            one.page.on("websocket", lambda socket: asked.append(socket.url.replace("wss:", "https:", 1)))
        await writer.page.goto(f"{proxy.origin}/register?next={BASE}/t/a-thread")
        await writer.page.fill("#name", "Ana")
        await writer.page.fill("#password", PASSWORD)
        await writer.page.click("main form button")
        await writer.page.wait_for_url(f"{proxy.origin}/t/a-thread")
        await reader.read(f"{proxy.origin}/t/a-thread")
        assert {*await reader.page.evaluate(PROTOCOLS)} == {"h2"}
        await writer.page.fill("textarea", "Said *behind* a proxy")
        await writer.page.click(".post")
        comment = reader.page.locator("li[data-id]")
        await expect(comment.locator(".body em")).to_have_text("behind")
        await writer.page.click("li .reply")
        await writer.page.fill(".answering textarea", "And answered")
        await writer.page.click(".answering .post")
        await reader.page.click("li .replies")
        await expect(reader.page.locator("li li .body")).to_have_text("And answered")
        # A link to a comment, the profile, the log-out: all below the path.
        await reader.page.locator("li li .time").first.click()
        await expect(reader.page.locator("li li > article")).to_be_focused()
        await reader.page.locator("li .name").first.click()
        await reader.page.wait_for_url(f"{proxy.origin}/u/Ana")
        await writer.page.click("header form[action$=logout] button")
        await writer.page.wait_for_selector(f"a[href^='{BASE}/login']")
        assert [url for url in asked if not url.startswith(f"{proxy.origin}")] == []
        assert f"{proxy.origin}/live" in asked


async def test_a_thread_below_a_path_is_live_under_an_article_of_another_site(tmp_path: Path, visit: Any) -> None:
    (tmp_path / "site").mkdir()
    with neighbour(tmp_path / "site") as address, house("nginx", tmp_path, strips=True) as (app, proxy):
        site = Site(tmp_path / "site", address.replace("127.0.0.1", "localhost"))
        site.server = proxy.origin
        app.run("site", "add", site.origin)
        one, other = [await visit(ignore_https_errors=True) for _ in range(2)]
        for reader in (one, other):
            await reader.read(site.article("an-article"))
        page = one.page
        async with page.expect_popup() as opened:
            await page.click("live-thread .reader button")
        window = await opened.value
        await window.fill("#name", "Ana")
        await window.fill("#password", PASSWORD)
        async with window.expect_event("close"):
            await window.click("text=New here?")
        await expect(page.locator("live-thread .reader bdi")).to_have_text("Ana")
        await page.fill("live-thread textarea", "From the article")
        await page.click("live-thread .post")
        await expect(other.page.locator("live-thread li .body")).to_have_text("From the article")


@pytest.fixture
async def firefox(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Firefox]:
    async with started(tmp_path_factory.mktemp("firefox"), takes_any_certificate=True) as browser:
        yield browser


async def test_a_firefox_below_a_path_is_live_by_http2(tmp_path: Path, firefox: Firefox) -> None:
    with house("caddy", tmp_path, strips=False) as (_, proxy):
        writer, reader = await firefox.tab(), await firefox.tab()
        await writer.go(f"{proxy.origin}/register?next={BASE}/t/a-thread")
        for field, text in (("#name", "Ana"), ("#password", PASSWORD)):
            await writer.click(field)
            await writer.type(text)
        await writer.click("main form button")
        await writer.until("document.querySelector('.connection')?.dataset.state === 'live'")
        await reader.read(f"{proxy.origin}/t/a-thread")
        assert {*await reader.look(f"({PROTOCOLS})()")} == {"h2"}
        await writer.click("textarea")
        await writer.type("Said in Firefox")
        await writer.click(".post")
        await reader.until("document.querySelector('li[data-id] .body')?.textContent.trim() === 'Said in Firefox'")
        assert firefox.errors == []
