"""Who comes back is at the same line: by reload, Back, a link or a log-in; and a link to a comment leads to it."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
import pytest
from playwright.async_api import Page, expect

from tests.journeys.firefox import Firefox, started
from tests.processes import Server

COUNT = 420
KEY = "mixed"
# Where the comment stands, once nothing moves any more.
TOP = "(id) => document.querySelector(`#c-${id} > article`)?.getBoundingClientRect().top"
STILL = """(id) => new Promise((done) => {
  let [last, calm] = [NaN, 0];
  const look = () => {
    const top = document.querySelector(`#c-${id} > article`)?.getBoundingClientRect().top;
    calm = top === last ? calm + 1 : 0;
    last = top;
    if (calm > 20) done(top);
    else requestAnimationFrame(look);
  };
  look();
})"""
READ = "(id) => { document.querySelector(`#c-${id} > article`).scrollIntoView({block: 'center'}); scrollBy(0, 7); }"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """An app with one long thread: short and long texts, roots and deep branches."""
    folder = tmp_path_factory.mktemp("app")
    dice = random.Random(7)
    lines = []
    for number in range(COUNT):
        parent = f"p{dice.randrange(max(0, number - 30), number)}" if number and dice.random() < 0.6 else None
        body = "\n\n".join("Some words of a thread. " * dice.randrange(1, 12) for _ in range(dice.randrange(1, 4)))
        lines.append({"id": f"p{number}", "parent": parent, "author": f"Guest {'abcdefgh'[number % 8]}",
                      "created": 1_700_000_000 + number * 60, "body_md": body})  # fmt: skip
    (folder / "mixed.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    with Server(folder) as server:
        server.run("import", "jsonl", str(folder / "mixed.jsonl"), "--thread", KEY)
        yield server


@pytest.fixture(scope="module")
async def firefox(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Firefox]:
    async with started(tmp_path_factory.mktemp("firefox")) as browser:
        yield browser


def ids_in_order(app: Server) -> list[int]:
    """The comments of the first page, as it shows them."""
    html = httpx2.get(f"{app.origin}/t/{KEY}", trust_env=False).text
    return [int(part.split('"')[0]) for part in html.split('<li id="c-')[1:] if not part.startswith("0")]


async def loaded(page: Page) -> None:
    await page.wait_for_selector("button[aria-label='Previous unread']", state="attached")


@pytest.mark.parametrize("viewport", [{"width": 390, "height": 844}, {"width": 1280, "height": 720}])
async def test_coming_back_is_to_the_same_line(app: Server, visit: Any, viewport: dict[str, int]) -> None:
    ids = ids_in_order(app)
    visitor = await visit(viewport=viewport)
    page: Page = visitor.page
    # What the browser gives up by itself, since a page without cache may not be kept either.
    await page.add_init_script("addEventListener('unload', () => {})")
    await visitor.read(f"{app.origin}/t/{KEY}")
    for id_ in (ids[20], ids[120], ids[-5]):
        await page.evaluate(READ, id_)
        before = await page.evaluate(STILL, id_)
        await page.reload()
        assert await page.evaluate(STILL, id_) == pytest.approx(before, abs=1)
        await loaded(page)
        await page.goto(f"{app.origin}/login")
        await page.go_back()
        assert await page.evaluate(STILL, id_) == pytest.approx(before, abs=1)
        await loaded(page)
    # A page further on is loaded again.
    await page.locator(".more").scroll_into_view_if_needed()
    await page.click(".more")
    await page.wait_for_function("() => document.querySelectorAll('li[data-id]').length > 200")
    last = await page.evaluate("[...document.querySelectorAll('ol.comments > li[data-id]')].at(-2).dataset.id")
    await page.evaluate(READ, last)
    before = await page.evaluate(STILL, last)
    await page.reload()
    await page.wait_for_selector(f"#c-{last}")
    assert await page.evaluate(STILL, last) == pytest.approx(before, abs=1)


async def test_logging_in_leads_back_to_the_same_line_and_the_reply(app: Server, visit: Any, name: str) -> None:
    ids = ids_in_order(app)
    visitor = await visit()
    page: Page = visitor.page
    app.token(name)
    await visitor.read(f"{app.origin}/t/{KEY}")
    await loaded(page)
    await page.locator(f"#c-{ids[60]} > article .reply").click()
    text = page.locator(".answering textarea")
    await text.fill("What I wanted to say")
    await page.evaluate(STILL, ids[60])
    line = await page.evaluate(
        "[...document.querySelectorAll('li[data-id] > article')]"
        ".find((one) => one.getBoundingClientRect().bottom > 1).parentElement.dataset.id"
    )
    before = await page.evaluate(STILL, line)
    await page.locator(".answering .post").click()
    await page.fill("#name", name)
    await page.fill("#password", "a long password")
    await page.click("main form button")
    await page.wait_for_selector(".viewer")
    await expect(page.locator(".answering textarea")).to_have_value("What I wanted to say")
    await expect(page.locator(".answering textarea")).to_be_focused()
    assert await page.evaluate(STILL, line) == pytest.approx(before, abs=1)


@pytest.mark.scenario(21)
async def test_a_link_to_a_comment_leads_to_it_and_marks_it(app: Server, visit: Any) -> None:
    ids = ids_in_order(app)
    later = httpx2.get(f"{app.origin}/api/threads/{KEY}?limit=200", trust_env=False).json()["next"]
    far = httpx2.get(f"{app.origin}/api/threads/{KEY}?cursor={later}", trust_env=False).json()["comments"][-3]["id"]
    visitor = await visit(viewport={"width": 390, "height": 844})
    page: Page = visitor.page
    for id_ in (ids[150], far):
        await visitor.read(f"{app.origin}/t/{KEY}/c/{id_}")
        article = page.locator(f"#c-{id_} > article")
        await expect(article).to_be_focused()
        await expect(article).to_be_in_viewport()
        assert 50 <= await page.evaluate(STILL, id_) <= 422
        assert await article.evaluate("(one) => getComputedStyle(one).boxShadow !== 'none'")


@pytest.mark.parametrize("is_phone", [True, False])
async def test_coming_back_is_to_the_same_line_in_firefox(app: Server, firefox: Firefox, is_phone: bool) -> None:
    ids = ids_in_order(app)
    tab = await firefox.tab()
    if is_phone:
        await firefox.ask("browsingContext.setViewport", context=tab._context, viewport={"width": 390, "height": 844})
    await tab.read(f"{app.origin}/t/{KEY}")
    for id_ in (ids[20], ids[120]):
        await tab.look(f"({READ})({id_})")
        before = await tab.look(f"({STILL})({id_})")
        await tab.reload()
        assert await tab.look(f"({STILL})({id_})") == pytest.approx(before, abs=1)
        await tab.go(f"{app.origin}/login")
        await firefox.ask("browsingContext.traverseHistory", context=tab._context, delta=-1)
        await tab.until(f"document.querySelector('#c-{id_}')")
        assert await tab.look(f"({STILL})({id_})") == pytest.approx(before, abs=1)
    await tab.go(f"{app.origin}/t/{KEY}/c/{ids[150]}")
    await tab.until(f"document.activeElement === document.querySelector('#c-{ids[150]} > article')")
    assert 50 <= await tab.look(f"({STILL})({ids[150]})") <= 422
