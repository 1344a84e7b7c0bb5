"""Every page and state of a conversation: accessible in both themes, and never wider than a small screen."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from tests.journeys.navigation import choose
from tests.journeys.places import UNDER_AN_ARTICLE, WITHIN, Place
from tests.journeys.test_seen_by_others import log_in
from tests.processes import Server

PASSWORD = "a long password"
LONG = "W" * 90
RICH = f"> quote\n\n- list\n\n1. one\n\n`code` ||spoiler, https://example.org/{LONG}||\n\n    {LONG} {LONG}\n\n{LONG}"
WIDTHS = (320, 390, 1280)
ALL = {"resultTypes": ["violations"]}
CONTRAST = {"runOnly": ["color-contrast", "link-in-text-block"]}

MOVING = f"""() => [...{WITHIN}.querySelectorAll("*")].filter((one) => {{
  const {{ transitionDuration, animationName }} = getComputedStyle(one);
  return transitionDuration !== "0s" || animationName !== "none";
}}).length"""


class Conversation:
    """A thread in which everything has happened, its author's name, and a moderator's."""

    def __init__(self, app: Server, key: str, name: str) -> None:
        self.app, self.key, self.author, self.moderator = app, key, f"{name} Au", f"{name} Mo"
        for one, role in ((f"{name} St", "staff"), (self.moderator, "moderator")):
            app.run("account", "create", one, "--role", role, stdin=f"{PASSWORD}\n")
        with app.commenter(self.author) as author, app.commenter(f"{name} Ot") as other:
            staff, moderator = (self._client(one) for one in (f"{name} St", self.moderator))
            staff.put(f"/api/threads/{key}", json={"title": f"All of it {LONG}", "author": self.author})
            self.first = self.post(author, RICH)
            self.deep = self.first
            for number in range(10):
                self.deep = self.post((other, author)[number % 2], "An answer of a few words that go on", self.deep)
            gone, removed, held = (self.post(other, f"To go {number}") for number in range(3))
            for parent in (gone, removed):
                self.post(author, "Below", parent)
            other.delete(f"/api/comments/{gone}")
            for id_, state in ((removed, "removed"), (held, "pending")):
                moderator.put(f"/api/comments/{id_}/state", json={"state": state})
            self.post(other, f'@"{self.author}" שלום לכולם, זה טקסט 42 English')
            author.patch(f"/api/comments/{self.first}", json={"body": f"{RICH}\n\nchanged", "revision": 1})
            other.put(f"/api/comments/{self.first}/vote", json={"value": 1})
            self.post(moderator, "A moderator's word")
            staff.put(f"/api/threads/{key}-locked", json={"title": "Locked", "locked": True})
            for client in (staff, moderator):
                client.close()

    def _client(self, name: str) -> httpx2.Client:
        session = {"name": name, "password": PASSWORD, "token": True}
        token = httpx2.post(f"{self.app.origin}/api/session", json=session, trust_env=False).json()["token"]
        headers = {"authorization": f"Bearer {token}"}
        return httpx2.Client(base_url=self.app.origin, headers=headers, trust_env=False)

    def post(self, client: httpx2.Client, body: str, parent: int | None = None) -> int:
        nonce = f"n-{time.time_ns():020d}"
        sent = {"body": body, "parent": parent, "nonce": nonce}
        answer = client.post(f"/api/threads/{self.key}/comments", json=sent)
        assert answer.status_code == 201, answer.text
        return int(answer.json()["comment"]["id"])


@pytest.fixture(scope="module")
def conversation(app: Server) -> Conversation:
    return Conversation(app, "every-state", "Eve")


async def states(conversation: Conversation, author: Page, moderator: Page) -> AsyncIterator[tuple[str, Page]]:
    """Bring the pages into one state after another, and name it."""
    origin, key, first = conversation.app.origin, conversation.key, conversation.first
    for path in (
        f"/t/{key}?sort=top", f"/t/{key}?sort=flat", f"/t/{key}?only=author", f"/t/{key}/c/{conversation.deep}",
        f"/c/{first}/history", f"/c/{first}/edit", f"/c/{first}/delete", "/inbox", "/account", "/search",
        f"/u/{conversation.author}", f"/search?thread={key}&q=quote", f"/t/{key}-locked",
        f"/t/{key}/c/{first}?reply={first}",
    ):  # fmt: skip
        await author.goto(origin + path)
        yield path, author
    for path in (f"/t/{key}", f"/c/{first}/moderate", "/pending", f"/t/{key}-locked"):
        await moderator.goto(origin + path)
        yield f"moderator: {path}", moderator
    await author.goto(f"{origin}/t/{key}")
    await author.wait_for_selector(".keys", state="attached")
    await author.click(f"#c-{first} > article .menu")
    await author.wait_for_selector(".choices .edit")
    yield "a comment's menu", author
    await author.click(".choices .edit")
    await expect(author.locator(".editor textarea")).not_to_have_value("")
    yield "editing", author
    text = author.locator("textarea").first
    await text.fill(RICH)
    await author.locator(".preview").first.click()
    await author.wait_for_selector(".composer .shown")
    yield "previewing", author
    await author.locator(".preview").first.click()
    await text.fill("")
    await text.press_sequentially("@Eve")
    await author.wait_for_selector(".names button")
    yield "completing a mention", author
    await text.fill("")
    await author.evaluate(f"getSelection().selectAllChildren(document.querySelector('#c-{conversation.deep} .body p'))")
    await author.wait_for_selector("button.quote:visible")
    yield "offering a quote", author
    await author.click(f"#c-{conversation.deep} .reply")
    await choose(author, first, "delete")
    yield "answering, and asking before a deletion", author


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.scenario(29)
async def test_axe_finds_nothing_in_any_state_and_nothing_is_too_wide(
    app: Server, conversation: Conversation, visit: Any, scheme: str
) -> None:
    author = (await visit(color_scheme=scheme, bypass_csp=True)).page
    moderator = (await visit(color_scheme=scheme, bypass_csp=True)).page
    await log_in(author, app, conversation.author, "/")
    await log_in(moderator, app, conversation.moderator, "/")
    wrong = []
    async for state, page in states(conversation, author, moderator):
        # In the dark nothing else is different.
        found = await Axe().run(page, options=ALL if scheme == "light" else CONTRAST)
        if found.violations_count:
            wrong.append(f"{state}: {found.generate_report()}")
        for width in WIDTHS if scheme == "light" else ():
            await page.set_viewport_size({"width": width, "height": 720})
            if not await page.evaluate("document.documentElement.scrollWidth <= innerWidth"):
                wrong.append(f"{state}: too wide at {width}")
    assert wrong == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_when_somebody_comes_back(
    app: Server, conversation: Conversation, visit: Any, scheme: str, name: str
) -> None:
    page = (await visit(color_scheme=scheme, bypass_csp=True)).page
    url = f"{app.origin}/t/{conversation.key}"
    await page.goto(url)
    await page.wait_for_selector(".keys", state="attached")
    await page.goto(f"{app.origin}/")
    await page.clock.set_system_time(time.time() + 3600)
    with app.commenter(name) as other:
        new = conversation.post(other, "New", conversation.first)
    await page.goto(url)
    await expect(page.locator(".since span")).to_contain_text("1 new")
    await page.evaluate("document.hasFocus = () => false")
    for _ in range(2):
        found = await Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        await page.click(".since button")
        await expect(page.locator(f"#c-{new}")).to_be_visible()


@pytest.mark.scenario(31)
async def test_ten_levels_deep_a_phone_keeps_260_px_of_text(
    app: Server, conversation: Conversation, visit: Any
) -> None:
    page = (await visit(viewport={"width": 390, "height": 800})).page
    await page.goto(f"{app.origin}/t/{conversation.key}/c/{conversation.deep}")
    assert await page.locator(f"#c-{conversation.deep} > article .body").evaluate("(body) => body.clientWidth") >= 260


@pytest.mark.scenario(34)
async def test_print_shows_the_conversation_without_its_controls(
    app: Server, conversation: Conversation, visit: Any
) -> None:
    page = (await visit()).page
    await page.goto(f"{app.origin}/t/{conversation.key}")
    await page.wait_for_selector(".keys")
    await page.emulate_media(media="print")
    for control in (".composer", ".sorts", ".keys", ".comment footer", ".site nav", ".connection"):
        await expect(page.locator(f"{control}:visible")).to_have_count(0)
    assert await page.locator(".body:visible").count() == await page.locator(".comments .body").count()
    assert await page.locator(".comments > li").first.evaluate("(li) => getComputedStyle(li).contentVisibility") == (
        "visible"
    )


@pytest.mark.scenario(33)
async def test_reduced_motion_leaves_none(app: Server, conversation: Conversation, visit: Any) -> None:
    page = (await visit(reduced_motion="reduce")).page
    await page.goto(f"{app.origin}/t/{conversation.key}")
    assert await page.evaluate(MOVING) == 0


@pytest.mark.scenario(32)
async def test_right_to_left_the_branch_hangs_on_the_right(app: Server, conversation: Conversation, visit: Any) -> None:
    page = (await visit()).page
    await page.goto(f"{app.origin}/t/{conversation.key}")
    hebrew = page.locator(".body", has_text="שלום")
    assert await hebrew.evaluate("(body) => getComputedStyle(body).direction") == "ltr"
    await page.evaluate("document.documentElement.dir = document.querySelector('.thread').dir = 'rtl'")
    for width in WIDTHS:
        await page.set_viewport_size({"width": width, "height": 720})
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    outer = await page.locator(f"#c-{conversation.first} > article .avatar").bounding_box()
    inner = await page.locator(f"#c-{conversation.first} li > article .avatar").first.bounding_box()
    assert outer
    assert inner
    assert inner["x"] + inner["width"] < outer["x"] + outer["width"]


@pytest.mark.parametrize("place", [UNDER_AN_ARTICLE], indirect=True)
@pytest.mark.scenario(29, 30, 31, 32, 33, 34)
async def test_the_element_is_as_accessible_as_our_own_page(app: Server, place: Place, name: str, visit: Any) -> None:
    conversation = Conversation(app, place.key, name)
    first, deep = f"#c-{conversation.first}", f"#c-{conversation.deep}"
    page = await place.read(await visit(viewport={"width": 390, "height": 800}, reduced_motion="reduce"))
    await page.wait_for_selector(".keys", state="attached")
    assert await page.locator(f"{deep} > article .body").evaluate("(body) => body.clientWidth") >= 260
    await page.click(f"{deep} .reply")
    await page.click(f"{first} > article .menu")
    await page.wait_for_selector(".choices")
    assert await page.evaluate(MOVING) == 0
    # What a browser paints where a page has no ground of its own, axe takes for white.
    await page.add_style_tag(content="html { background: Canvas }")
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)
        found = await Axe().run(page, context="live-thread")
        assert [(one["id"], one["nodes"]) for one in found.response["violations"]] == []
    await page.keyboard.press("Escape")
    for direction in ("ltr", "rtl"):
        await page.locator("live-thread").evaluate("(one, dir) => { one.dir = dir; one.refresh(); }", direction)
        await expect(page.locator(f".thread[dir={direction}] .connection[data-state=live]")).to_have_count(1)
        for width in WIDTHS:
            await page.set_viewport_size({"width": width, "height": 720})
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (direction, width)
    outer = await page.locator(f"{first} > article .avatar").bounding_box()
    inner = await page.locator(f"{first} li > article .avatar").first.bounding_box()
    assert outer
    assert inner
    assert inner["x"] + inner["width"] < outer["x"] + outer["width"]
    await page.emulate_media(media="print")
    for control in (".composer", ".sorts", ".keys", ".comment footer", ".reader", ".connection"):
        await expect(page.locator(f"{control}:visible")).to_have_count(0)
    assert await page.locator(".body:visible").count() == await page.locator(".comments .body").count() > 0
