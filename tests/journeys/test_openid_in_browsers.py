"""Logging in by a provider in a real browser: over three addresses and back, with and without script."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.async_api import expect

from tests.journeys.articles import neighbour
from tests.journeys.firefox import started
from tests.journeys.navigation import follow
from tests.journeys.openid import knowing
from tests.journeys.rogue_provider import Rogue, running
from tests.journeys.test_without_javascript import write
from tests.processes import Server

ARTICLE = """<!doctype html><html lang="en"><head><title>An article</title>
<script type="module" src="{server}/embed.js"></script></head>
<body><h1>An article</h1><live-thread loading="eager"><a href="{server}/t/?url={url}">Comments</a></live-thread></body>
</html>"""


@pytest.fixture(scope="module")
def rogue() -> Iterator[Rogue]:
    # Another site for a browser.
    with running("localhost") as server:
        yield server


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, rogue: Rogue) -> Iterator[Server]:
    with knowing(tmp_path_factory.mktemp("openid"), rogue, "corp") as server:
        yield server


@pytest.mark.parametrize("has_script", [True, False], ids=["with script", "without"])
async def test_a_reader_comes_back_to_the_same_place_with_the_draft(
    app: Server, rogue: Rogue, key: str, name: str, visit: Any, has_script: bool
) -> None:
    rogue.tenant("corp").subject = name
    page = (await visit(java_script_enabled=has_script)).page
    await page.goto(f"{app.origin}/t/{key}")
    if has_script:
        await page.wait_for_selector(".connection[data-state=live]")
        await page.locator("form.composer textarea").first.fill("Begun before I was here")
        await follow(page, page.locator("form.composer button.post").first)
    else:
        await write(page, "Begun before I was here")
    await page.click("text=Continue with The corp")
    await page.wait_for_url(f"{app.origin}/**")
    await expect(page.locator(".viewer")).to_have_text(f"Person {name}")
    await expect(page.locator("form.composer textarea").first).to_have_value("Begun before I was here")
    await page.locator("form.composer button.post").first.click()
    await expect(page.locator("li[data-id] .body")).to_have_text("Begun before I was here")
    assert page.url.startswith(f"{app.origin}/t/{key}")


async def test_firefox_comes_back_too(
    app: Server, rogue: Rogue, key: str, name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rogue.tenant("corp").subject = name
    async with started(tmp_path_factory.mktemp("firefox")) as firefox:
        tab = await firefox.tab()
        await tab.go(f"{app.origin}/login?next=/t/{key}")
        await tab.click("button.provider")
        await tab.until(f"location.pathname === '/t/{key}'")
        await tab.until(f"document.querySelector('.viewer')?.textContent === 'Person {name}'")


@pytest.mark.parametrize("policy", ["unsafe-none", "same-origin"])
async def test_the_window_of_another_sites_page_goes_by_the_provider(
    app: Server, rogue: Rogue, key: str, name: str, visit: Any, tmp_path: Any, policy: str
) -> None:
    tenant = rogue.tenant("corp")
    tenant.subject, tenant.policy = name, policy
    with neighbour(tmp_path) as address:
        origin = address.replace("127.0.0.1", "localhost")
        app.run("site", "add", origin, "--id", key, "--login", "oidc:corp")
        url = f"{origin}/article.html"
        (tmp_path / "article.html").write_text(ARTICLE.format(server=app.origin, url=url), encoding="utf-8")
        page = (await visit()).page
        await page.goto(url)
        async with page.context.expect_page() as opened:
            await page.locator("live-thread .reader button").click()
        window = await opened.value
        await window.click("text=Continue with The corp")
        await expect(page.locator("live-thread .reader bdi")).to_have_text(f"Person {name}")
