"""Real browsers. The painted thread is read from the DOM, never by code that the server shares."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, Locator, Page, async_playwright, expect
from playwright.async_api import TimeoutError as NotInTime

from tests.journeys.articles import Site, neighbour
from tests.journeys.places import UNDER_AN_ARTICLE, WITHIN, Article, Place
from tests.processes import Server
from tests.programs import path_of

ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
    # An element says its role and its name, as a screen reader has them.
    "--enable-blink-features=ComputedAccessibilityInfo",
]  # fmt: skip
COMMENT = """(li) => ({
  id: Number(li.dataset.id),
  parent: Number(li.parentElement.closest("li[data-id]")?.dataset.id ?? 0),
  state: li.dataset.state,
  name: li.querySelector(".name").textContent,
  badge: li.querySelector(".badge").textContent,
  note: li.querySelector(".note").textContent,
  text: li.querySelector(".body").textContent,
  links: [...li.querySelectorAll(":scope > article a")].map((a) => a.getAttribute("href")),
})"""
PAINTED = f"() => [...{WITHIN}.querySelectorAll('ol.comments li[data-id]')].map({COMMENT})"

A_FRAME = "() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 50)))"
SHOW_ON = f"""() => {{
  const waiting = {WITHIN}.querySelector(":is(.pill, .more, .rest > a):not([hidden], [hidden] > a)");
  waiting?.click();
  return Boolean(waiting);
}}"""

REVEALED = """([element, count]) => {
  const thread = element.shadowRoot ?? element;
  thread.querySelector(".pill:not([hidden])")?.click();
  return [...thread.querySelectorAll("li[data-id]")].filter((li) => li.checkVisibility()).length === count;
}"""


async def reveal(thread: Locator, count: int) -> None:
    """Press the pill whenever there is one, until `count` comments can be seen.

    A comment is counted when it arrives and drawn, or held behind the pill, a frame later: to look once is too early.
    """
    await thread.page.wait_for_function(REVEALED, arg=[await thread.element_handle(), count])


# A machine that is busy elsewhere makes nothing wrong: what does come ends the wait at once.
PATIENCE_MS = 30_000
expect.set_options(timeout=PATIENCE_MS)
WHOLE = ("chromium", "chromium-browser", "google-chrome", "chrome")
# The same engine without a window to draw: half of the CPU.
SHELL = "chromium-headless-shell"


def chromium_path(*, is_whole: bool = True) -> str:
    """Return the path of Chromium; unless it must be the whole browser, of the shell where that is there."""
    names = WHOLE if is_whole else (SHELL, *WHOLE)
    return path_of(names, "no Chromium: install it, or set CHROMIUM to its path", setting="CHROMIUM")


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    path = chromium_path(is_whole=False)
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield launched
        await launched.close()


class Visitor:
    """One person's browser: a context, its page, and what went wrong in it."""

    def __init__(self, context: BrowserContext, page: Page) -> None:
        self.context = context
        self.page = page
        self.wrong: list[str] = []
        self.console: list[str] = []
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("console", self._heard)
        # The version of the thread that its socket has brought.
        self.version = 0
        page.on("websocket", lambda socket: socket.on("framereceived", self._received))

    def _heard(self, message: Any) -> None:
        self.console.append(message.text)
        if "Content Security Policy" in message.text or "TrustedHTML" in message.text:
            self.wrong.append(message.text)

    def _received(self, frame: str | bytes) -> None:
        self.version = max(self.version, json.loads(frame).get("version", 0))

    async def read(self, url: str) -> Page:
        """Open a thread and wait until it is live."""
        await self.page.goto(url)
        try:
            await self.page.wait_for_selector(".connection[data-state=live]")
        except NotInTime as late:
            state = await self.page.get_attribute(".connection", "data-state")
            raise AssertionError(f"{url} is not live but {state}; its console said {self.console}") from late
        return self.page

    async def painted(self) -> list[dict[str, Any]]:
        """Show all that waits behind the pill, More replies and More comments, then read what is painted."""
        page = self.page
        # What was counted is drawn with the next frame.
        await page.evaluate(A_FRAME)
        while await page.evaluate(SHOW_ON):
            await page.evaluate(A_FRAME)
        return await page.evaluate(PAINTED)  # type: ignore[no-any-return]

    async def count(self) -> str:
        return await self.page.inner_text(".count")


@pytest.fixture
async def visit(browser: Browser) -> AsyncIterator[Any]:
    """Return a function that makes a visitor; every one must end without an error or a broken policy."""
    made: list[Visitor] = []

    async def visitor(**options: Any) -> Visitor:
        context = await browser.new_context(**options)
        made.append(Visitor(context, await context.new_page()))
        return made[-1]

    yield visitor
    wrong = [what for one in made for what in one.wrong]
    for one in made:
        await one.context.close()
    assert wrong == []


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    with neighbour(folder) as address:
        yield Site(folder, address.replace("127.0.0.1", "localhost"))


@pytest.fixture(scope="module")
def listed(app: Server, site: Site) -> Site:
    """A site of the module's app."""
    app.run("site", "add", site.origin)
    site.server, site.live = app.origin, app.live_url
    return site


@pytest.fixture
def place(request: pytest.FixtureRequest, app: Server, key: str) -> Iterator[Place]:
    """Where the thread of the test is: by `IN_BOTH_PLACES` on the server's own page, and then under an article."""
    is_own = getattr(request, "param", "") != UNDER_AN_ARTICLE
    made = Place(app, key) if is_own else Article(app, request.getfixturevalue("listed"), key)
    yield made
    assert made.was_read


@pytest.fixture(params=["as it comes", "third-party cookies blocked"])
async def reader(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[BrowserContext]:
    """A browser with partitioned storage, which Playwright turns off by default."""
    mode = 1 if "blocked" in request.param else 0
    (tmp_path / "Default").mkdir()
    (tmp_path / "Default" / "Preferences").write_text(f'{{"profile": {{"cookie_controls_mode": {mode}}}}}')
    async with async_playwright() as playwright:
        default = [
            "--headless=new",
            "--remote-debugging-pipe",
            "--no-default-browser-check",
            # Else it looks for the desktop's keyring at its start, and may wait for one for ever.
            "--password-store=basic",
            f"--user-data-dir={tmp_path}",
        ]
        context = await playwright.chromium.launch_persistent_context(
            tmp_path, executable_path=chromium_path(), ignore_default_args=True, args=[*ARGUMENTS, *default]
        )
        context.set_default_timeout(20_000)
        yield context
        await context.close()
