"""Where a thread is read: on the server's own page, or in `<live-thread>` under an article of another site."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.journeys.articles import Site
from tests.journeys.embedding import thread_under
from tests.journeys.people import PASSWORD
from tests.processes import Server

UNDER_AN_ARTICLE = "under an article"
IN_BOTH_PLACES = pytest.mark.parametrize("place", ["own page", UNDER_AN_ARTICLE], indirect=True)
# Where a test's own script looks for a thread. Playwright's locators need none: they look into open shadow roots.
WITHIN = "(document.querySelector('live-thread')?.shadowRoot ?? document)"


class Place:
    """The server's own page of a thread that nobody has used."""

    # Put a second thread, by its key, below this one.
    ADD_ANOTHER = """async (key) => {
      const page = new DOMParser().parseFromString(await (await fetch(`/t/${key}`)).text(), "text/html");
      document.querySelector("main").append(document.adoptNode(page.querySelector("live-thread")));
    }"""

    def __init__(self, app: Server, key: str) -> None:
        self.app = app
        self.key = key
        self.key_of_another = f"{key}-other"
        self.was_read = False

    def url(self, *, sort: str = "", comment: int = 0) -> str:
        page = f"{self.app.origin}/t/{self.key}"
        return f"{page}/c/{comment}" if comment else page + (sort and f"?sort={sort}")

    async def read(self, visitor: Any, **where: Any) -> Page:
        """Open the thread and wait until it is live."""
        self.was_read = True
        page: Page = await visitor.read(self.url(**where))
        return page

    async def sign_up(self, visitor: Any, name: str) -> Page:
        """Register as one does from here, and come back to the thread."""
        self.was_read = True
        page: Page = visitor.page
        await page.goto(f"{self.app.origin}/register?next=/t/{self.key}")
        await page.fill("#name", name)
        await page.fill("#password", PASSWORD)
        await page.click("main form button")
        await page.wait_for_url(self.url())
        await page.wait_for_selector(".connection[data-state=live]")
        return page

    async def assert_as_fresh(self, reader: Any, visit: Any, **where: Any) -> None:
        """The law: what is painted equals what a page paints that is loaded now."""
        fresh = await visit()
        await self.read(fresh, **where)
        assert await reader.painted() == await fresh.painted()


class Article(Place):
    """A page of another site with the thread in `<live-thread>`."""

    ADD_ANOTHER = """(key) => {
      const another = document.createElement("live-thread");
      another.setAttribute("key", key.split("~").at(-1));
      document.body.append(another);
    }"""

    def __init__(self, app: Server, site: Site, name: str) -> None:
        self.site = site
        self.name = name
        super().__init__(app, thread_under(app, site.article(name)))
        self.key_of_another = f"{self.key.partition('~')[0]}~{name}"

    def url(self, *, sort: str = "", comment: int = 0) -> str:
        page = self.site.article(self.name, sort=sort or "oldest")
        return f"{page}#livethread-c-{comment}" if comment else page

    async def sign_up(self, visitor: Any, name: str) -> Page:
        page = await self.read(visitor)
        async with page.expect_popup() as opened:
            await page.click("live-thread .reader button")
        window = await opened.value
        await window.fill("#name", name)
        await window.fill("#password", PASSWORD)
        async with window.expect_event("close"):
            await window.click("text=New here?")
        await expect(page.locator("live-thread .reader bdi")).to_have_text(name)
        await page.wait_for_selector(".connection[data-state=live]")
        return page
