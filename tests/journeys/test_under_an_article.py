"""A thread under an article of another site, in a real browser: read, logged in to, written in, and left."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from playwright.async_api import BrowserContext, Page, Route, expect

from tests.journeys.articles import Site
from tests.journeys.embedding import thread_under
from tests.journeys.people import PASSWORD
from tests.journeys.test_mounting import OPEN, SOCKETS
from tests.processes import Server, eventually

READER = "live-thread .reader"
THREAD = "element.shadowRoot.querySelector('.thread')"
HOSTILE = "* { color: red !important; font-size: 40px !important; display: block !important }"
FAILED = "document.addEventListener('livethread-error', () => { window.failed = true; })"


@pytest.fixture(scope="module")
def app(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("app"), LIVETHREAD_SITES=site.origin) as server:
        site.server, site.live = server.origin, server.live_url
        yield server


# Whenever it is there: a press may meet the frame in which it moves.
PRESS_NEW_REPLY = """(id) => {
  const { shadowRoot } = document.querySelector("live-thread");
  shadowRoot.querySelector("button.replies")?.click();
  return Boolean(shadowRoot.querySelector(`#c-${id}`));
}"""


async def test_a_reader_reads_logs_in_writes_and_comes_back(
    app: Server, site: Site, reader: BrowserContext, key: str, name: str
) -> None:
    url = site.article(key, space=3000)
    thread = thread_under(app, url)
    page = reader.pages[0]
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    await page.goto(url)
    await expect(page.locator("#own")).to_have_text("0")
    await expect(page.locator("#link")).to_have_text("0 comments")
    assert len([one for one in requests if "/api/counts" in one]) == 1
    # Far below what is seen, it waits.
    assert not [one for one in requests if "embed.css" in one and "/t?" in one]
    await page.locator("footer").scroll_into_view_if_needed()
    await expect(page.locator("live-thread .connection[data-state=live]")).to_have_count(1)
    await expect(page.locator("live-thread .none")).to_be_visible()
    assert await reader.cookies() == []

    # In the window, by hand; the page never sees the password.
    async with reader.expect_page() as opened:
        await page.locator(f"{READER} button").click()
    window = await opened.value
    await window.fill("#name", name)
    await window.fill("#password", PASSWORD)
    async with window.expect_event("close"):
        await window.click("text=New here?")
    await expect(page.locator(f"{READER} bdi")).to_have_text(name)
    await page.locator("live-thread .composer textarea").first.fill("Under the *article*")
    await page.locator("live-thread .composer .post").first.click()
    posted = page.locator("live-thread li[data-id]")
    await expect(posted.locator(".body em")).to_have_text("article")
    id_ = await posted.get_attribute("data-id")
    info = httpx2.get(f"{app.origin}/api/threads/{thread}", trust_env=False).json()["info"]
    assert (info["url"], info["title"]) == (url, "An article")
    stored = await page.evaluate("JSON.stringify({...localStorage, ...sessionStorage})")
    assert "bearer" not in stored
    (cookie,) = [one for one in await reader.cookies() if one["name"].startswith("__Host-livethread-")]
    assert cookie["httpOnly"]
    assert cookie["secure"]
    assert cookie["partitionKey"]

    # What others write arrives, and a link leads to it on the article.
    with app.commenter(f"{name} B") as bo:
        body = {"body": "From the server's own page", "parent": int(id_ or 0), "nonce": "n" * 20}
        reply = bo.post(f"/api/threads/{thread}/comments", json=body).json()["comment"]["id"]
    await page.wait_for_function(PRESS_NEW_REPLY, arg=reply)
    await expect(page.locator(f"live-thread #c-{reply}")).to_be_visible()
    # As dense as the account has chosen, in the colours of the page.
    account = {"name": name, "password": PASSWORD, "token": True}
    token = httpx2.post(f"{app.origin}/api/session", json=account, trust_env=False).json()["token"]
    httpx2.patch(
        f"{app.origin}/api/me/appearance",
        json={"density": "compact", "theme": "dark", "shortcuts": False},
        headers={"authorization": f"Bearer {token}"},
        trust_env=False,
    )
    await page.goto(f"{url}#livethread-c-{reply}")
    await page.reload()
    await expect(posted.locator(".body").first).to_have_css("font-size", "15px")
    await expect(page.locator("live-thread .guest")).to_have_css("color-scheme", "light dark")
    await expect(page.locator("live-thread .keys")).to_have_count(0)
    await expect(page.locator(f"live-thread #c-{reply}.linked")).to_be_in_viewport()
    await expect(page.locator(f"{READER} bdi")).to_have_text(name)
    await page.locator(f"live-thread #c-{id_} > article .time").click()
    await expect(page).to_have_url(f"{url}#livethread-c-{id_}")
    await expect(page.locator(f"live-thread #c-{id_}.linked")).to_be_in_viewport()

    # Typing is no shortcut of the host's.
    await page.evaluate("document.addEventListener('keydown', ({key}) => { window.heard = key; })")
    await page.locator(f"live-thread #c-{reply} .reply").click()
    await page.keyboard.type("j / n ?")
    assert await page.evaluate("window.heard") is None

    await page.locator(f"{READER} button").click()
    await expect(page.locator(f"{READER} button")).to_have_text("Log in")
    assert not [one for one in await reader.cookies() if one["name"].startswith("__Host-livethread-")]
    # On the server's own pages one is still logged in: the next site is one click.
    async with reader.expect_page() as opened:
        await page.locator(f"{READER} button").click()
    window = await opened.value
    async with window.expect_event("close"):
        await window.click(f"text=Continue as {name}")
    await expect(page.locator(f"{READER} bdi")).to_have_text(name)
    assert wrong == []


# What a `Cross-Origin-Opener-Policy` of either page does, and a blocker.
CUT = "const open = window.open; window.open = (to, name, how) => (open(to, name, `${how},noopener`), window);"
BLOCKED = "window.open = () => null;"


@pytest.mark.scenario_in_element(36, 38)
@pytest.mark.parametrize("trouble", [CUT, BLOCKED], ids=["opener cut off", "windows blocked"])
async def test_the_code_finds_the_waiting_page_whatever_cuts_them_apart(
    app: Server, site: Site, visit: Any, key: str, name: str, trouble: str
) -> None:
    # The page goes on below: a shorter thread does not end it where one stands.
    url = site.article(key, head=f"{site.policy}<style>body {{ padding-bottom: 500px }}</style>", space=2000)
    with app.commenter(f"{name} B") as bo:
        first = bo.post(
            f"/api/threads/{thread_under(app, url)}/comments", json={"body": "A first", "nonce": "n" * 20}
        ).json()["comment"]["id"]
    visitor = await visit()
    page: Page = visitor.page
    await page.add_init_script(trouble)
    await page.goto(f"{url}#livethread-c-{first}")
    await expect(page.locator(f"live-thread #c-{first}.linked")).to_be_in_viewport()
    await page.evaluate("history.replaceState(null, '', location.pathname)")
    await page.locator(f"live-thread #c-{first} .reply").click()
    text = page.locator("live-thread .answering textarea")
    await text.fill("Begun before I was somebody")
    button = page.locator("live-thread .answering .post")
    await button.scroll_into_view_if_needed()
    top = await page.evaluate("scrollY")
    if trouble == CUT:
        async with visitor.context.expect_page() as opened:
            await button.click()
        window = await opened.value
    else:
        await button.click()
        window = page
    await window.fill("#name", name)
    await window.fill("#password", PASSWORD)
    await window.click("text=New here?")
    await expect(page.locator(f"{READER} bdi")).to_have_text(name)
    await expect(page.locator("live-thread .answering textarea")).to_have_value("Begun before I was somebody")
    await expect(page).to_have_url(url)
    assert abs(await page.evaluate("scrollY") - top) <= 2
    if trouble == CUT and not window.is_closed():
        await window.wait_for_event("close")
    await page.locator("live-thread .answering .post").click()
    await expect(page.locator("live-thread li[data-id] li[data-id] .body")).to_have_text("Begun before I was somebody")


async def test_an_unasked_code_is_stripped_and_moves_nothing(
    app: Server, site: Site, visit: Any, key: str, name: str
) -> None:
    page: Page = (await visit()).page
    asked: list[str] = []
    page.on("request", lambda request: asked.append(f"{request.method} {request.url}"))
    await page.goto(f"{site.article(key)}#livethread-code=somebody-elses.{'c' * 43}")
    await expect(page.locator("live-thread .connection[data-state=live]")).to_have_count(1)
    assert page.url == f"{site.origin}/{key}.html"
    assert not [one for one in asked if one.startswith("POST")]


@pytest.mark.scenario_in_element(36)
async def test_the_element_comes_goes_moves_and_changes_and_leaves_nothing_behind(
    app: Server, site: Site, visit: Any, key: str
) -> None:
    """Two threads are one page's; a server that is down leaves the link."""
    visitor = await visit()
    page: Page = visitor.page
    await page.add_init_script(SOCKETS)
    await page.goto(site.article(key))
    live = page.locator("live-thread .connection[data-state=live]")
    await expect(live).to_have_count(1)
    await page.evaluate("""() => {
      window.element = document.querySelector("live-thread");
      for (let time = 0; time < 5; time++) { element.remove(); document.body.append(element); }
      element.remove();
    }""")
    await page.wait_for_function(f"() => {OPEN} === 0")
    await page.evaluate("document.body.prepend(element)")
    await expect(live).to_have_count(1)
    await page.evaluate("element.setAttribute('key', 'another')")
    await page.wait_for_function(f"() => {THREAD}?.getAttribute('key').endsWith('~another')")
    await expect(live).to_have_count(1)
    await page.wait_for_function(f"() => {OPEN} === 1")
    await page.locator("live-thread .sorts a >> text=Newest").click()
    await page.wait_for_function(f"() => {THREAD}?.getAttribute('sort') === 'newest'")
    assert page.url == f"{site.origin}/{key}.html"
    # The host's own styles and ours do not meet.
    await page.add_style_tag(
        content="* { color: red !important; font-size: 40px !important; display: block !important }"
    )
    assert await page.locator("live-thread .count").evaluate("(one) => getComputedStyle(one).fontSize") == "20px"
    # While the server is down the link is there.
    await page.add_init_script(FAILED)
    await page.route("**/t?*", lambda route: route.abort())
    await page.reload()
    await page.wait_for_function("() => window.failed")
    await expect(page.locator("live-thread a")).to_be_visible()
    await page.unroute("**/t?*")
    await page.evaluate("document.querySelector('live-thread').refresh()")
    await expect(live).to_have_count(1)


async def test_what_the_server_refuses_is_asked_for_again_only_when_something_changes(
    app: Server, site: Site, visit: Any, key: str
) -> None:
    page: Page = (await visit()).page
    asked: list[int] = []
    statuses = [503, 404, 200]
    headers = {
        "retry-after": "30", "access-control-allow-origin": site.origin, "access-control-allow-credentials": "true",
        "access-control-expose-headers": "Retry-After",
    }  # fmt: skip

    async def answer(route: Any) -> None:
        asked.append(statuses[0])
        if asked[-1] == 200:
            await route.continue_()
        else:
            await route.fulfill(status=asked[-1], headers=headers)

    await page.clock.install()
    await page.route("**/t?*", answer)
    await page.goto(site.article(key))
    while len(asked) < 1:
        await page.clock.run_for(100)
    # Not before the server wants it.
    await page.clock.run_for(25_000)
    assert asked == [503]
    statuses.pop(0)
    while len(asked) < 2:
        await page.clock.run_for(1_000)
    await page.clock.run_for(120_000)
    assert asked == [503, 404]
    await expect(page.locator("live-thread a")).to_be_visible()
    statuses.pop(0)
    await page.evaluate("document.querySelector('live-thread').setAttribute('key', 'another')")
    await expect(page.locator("live-thread .connection")).to_have_count(1)


async def test_the_colours_are_those_of_the_site_unless_its_page_says_otherwise(
    app: Server, site: Site, visit: Any, key: str
) -> None:
    id_ = app.run("site", "list").stdout.partition(":")[0]
    visitor = await visit()
    page: Page = visitor.page
    shown = (
        "() => getComputedStyle(document.querySelector('live-thread').shadowRoot.querySelector('.guest')).colorScheme"
    )
    url = site.article(key, scheme="light")
    for theme, scheme in (("dark", "dark"), ("light", "light"), ("dark", "dark"), ("auto", "light")):
        app.run("site", "set", id_, "--theme", theme)
        await page.goto(url)
        await expect(page.locator("live-thread .connection[data-state=live]")).to_have_count(1)
        assert await page.evaluate(shown) == scheme, theme
        if theme == "light":
            for said in ("dark", "light"):
                await page.evaluate("(one) => document.querySelector('live-thread').setAttribute('theme', one)", said)
                assert await page.evaluate(shown) == said


async def test_under_a_policy_without_sockets_the_thread_is_live_a_few_seconds_late(
    app: Server, site: Site, reader: BrowserContext, key: str, name: str
) -> None:
    page = reader.pages[0]
    url = site.article(key, head=site.policy.replace(f" {site.live}", ""))
    await page.goto(url)
    await expect(page.locator("live-thread .connection[data-state=late]")).to_have_count(1)
    httpx2.post(
        f"{app.origin}/api/threads/{thread_under(app, url)}/comments",
        json={"body": "By a request", "nonce": "a" * 20},
        headers={"authorization": f"Bearer {app.token(name)}"},
        trust_env=False,
    )
    await expect(page.locator("live-thread li[data-id] .body")).to_have_text("By a request")
    await expect(page.locator("live-thread .connection[data-state=late]")).to_have_count(1)


def sent(url: str) -> int:
    """Return the bytes that travel, compressed by brotli."""
    with httpx2.stream("GET", url, headers={"accept-encoding": "br"}, trust_env=False) as answer:
        return len(b"".join(answer.iter_raw()))


async def test_what_paints_a_thread_comes_first_and_is_small(
    app: Server, site: Site, visit: Any, key: str, name: str
) -> None:
    url = site.article(key)
    with app.commenter(name) as client:
        client.post(f"/api/threads/{thread_under(app, url)}/comments", json={"body": "Painted", "nonce": "n" * 20})
    page: Page = (await visit()).page
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    # What makes it live does not come.
    await page.route("**/live.js", hold)
    await page.goto(url)
    await expect(page.locator("live-thread .body")).to_have_text("Painted")
    await expect(page.locator("live-thread .body")).to_be_visible()
    # Nothing that is pressed meanwhile leads away.
    await page.locator("live-thread .composer textarea").fill("Too early")
    await page.locator("live-thread .composer .post").click()
    assert page.url == url
    files = [one for one in asked if one.endswith((".js", ".css"))]
    painted = sum(map(sent, files))
    await eventually(lambda: bool(held))
    await held[0].continue_()
    await expect(page.locator("live-thread .connection[data-state=live]")).to_have_count(1)
    await expect(page.locator("live-thread .composer textarea")).to_have_value("Too early")
    # Loaded by itself: live.js with what it shares with our own page. Only afterwards, when nothing else is to be done,
    # come session.js and after_paint.js, which are not counted here.
    late = [
        one for one in asked if one.endswith(".js") and one not in files and not re.search("after_paint|session", one)
    ]
    live = sum(map(sent, late))
    print(f"until a thread is painted: {painted:,} bytes; until it is live: {painted + live:,} bytes")
    assert painted <= 15 * 1024
    assert painted + live <= 21 * 1024
    # All that a page with counts alone loads.
    assert sent(f"{app.origin}/embed.js") < 1024
