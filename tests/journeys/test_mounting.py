"""The thread as a guest: in a shadow root under a strict policy, moved and removed; it leaves nothing behind."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.async_api import Page, expect

from server.locales import texts
from server.web.assets import Assets
from tests.journeys.articles import neighbour
from tests.journeys.firefox import started
from tests.journeys.test_page_quality import HOSTILE
from tests.journeys.test_two_browsers import fill, sign_up
from tests.processes import ROOT, Server

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src {origin}; connect-src 'self' {live}; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
HOST = """<!doctype html><title>A host</title>{meta}<base href="https://elsewhere.example/">
<div id="guest" data-server="{origin}"></div><script type="module" src="{site}/host.js"></script>"""
# What a tag does: the server's thread, built without the browser's parser, in a shadow root.
SCRIPT = """
import { Live } from "./static/live_thread.js";
import { build } from "./static/view/html_parser.js";
const { server } = guest.dataset;
const make = (tag, attributes) => {
  const made = document.createElement(tag);
  for (const [name, value] of attributes) made.setAttribute(name, value);
  return made;
};
const page = await (await fetch(new URL("thread.html", import.meta.url))).text();
const [html] = page.match(/<live-thread[^]*<\\/live-thread>/);
const shadow = guest.attachShadow({ mode: "open" });
build(html.replaceAll("live-thread", "section").replaceAll('="/', `="${server}/`), shadow, make);
const root = shadow.firstElementChild;
root.setAttribute("server", server);
const host = { isOwn: false, logIn: (back) => { window.back = back; }, ring() {}, loggedOut() {}, target: () => 0 };
window.mounted = () => { window.live = new Live(root, host); };
mounted();
window.same = (html) => {
  const [ours, theirs] = [0, 0].map(() => document.createElement("div"));
  build(html, ours, make);
  theirs.setHTMLUnsafe(html);
  return ours.isEqualNode(theirs);
};
"""
SOCKETS = """window.sockets = []; window.WebSocket = class extends WebSocket {
  constructor(...given) { super(...given); sockets.push(this); }
};"""
OPEN = "sockets.filter((one) => one.readyState < 2).length"
WITHIN = "document.querySelector('#guest').shadowRoot"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    static = folder / "static"
    static.mkdir()
    for path in (ROOT / "static").iterdir():
        (static / path.name).symlink_to(path)
    # Beside the script, as the server has it.
    (static / "words.en.json").write_bytes(Assets([texts()]).files["words.en.json"].plain)
    (folder / "host.js").write_text(SCRIPT, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def site(folder: Path) -> Iterator[str]:
    with neighbour(folder) as site:
        yield site


@pytest.fixture(scope="module")
def app(site: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("app"), LIVETHREAD_SITES=site) as server:
        yield server


def lay_out(folder: Path, app: Server, key: str, site: str, policy: str = "") -> None:
    """Put the host's page into its folder, and the thread's HTML beside it."""
    answer = httpx2.get(f"{app.origin}/t/{key}", trust_env=False)
    (folder / "thread.html").write_text(answer.text, encoding="utf-8")
    meta = policy and f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    front = HOST.format(origin=app.origin, site=site, meta=meta)
    (folder / "host.html").write_text(front, encoding="utf-8")


@pytest.fixture
async def host(app: Server, key: str, site: str, folder: Path) -> Any:
    """Return a function that opens a page of another site, with the thread in a shadow root."""

    async def opened(page: Page, policy: str = "") -> None:
        lay_out(folder, app, key, site, policy)
        await page.goto(f"{site}/host.html")
        await expect(page.locator(".connection[data-state=live]")).to_have_count(1)
        await expect(page.locator("button[aria-label='Previous unread']")).to_have_count(1)

    return opened


@pytest.mark.scenario(36)
async def test_a_thread_is_live_in_a_shadow_root_where_no_html_may_be_parsed(
    app: Server, key: str, name: str, visit: Any, host: Any
) -> None:
    first, *_ = fill(app, key, name, 3)
    visitor = await visit()
    page: Page = visitor.page
    await host(page, POLICY.format(origin=app.origin, live=app.live_url))
    with app.commenter(f"{name} B") as other:
        body = "It *arrives* with [a link](https://example.org/) and a ||spoiler||."
        answer = other.post(f"/api/threads/{key}/comments", json={"body": body, "nonce": "n" * 20})
        id_ = answer.json()["comment"]["id"]
    arrived = page.locator(f"#c-{id_}")
    await expect(arrived.locator(".body em")).to_have_text("arrives")
    # The host's base leads elsewhere.
    await expect(arrived.locator(".time")).to_have_attribute("href", f"{app.origin}/t/{key}/c/{id_}")
    # What is selected inside is quoted inside, and its keys are not the host's.
    await page.evaluate("document.addEventListener('keydown', ({key}) => { window.heard = key; })")
    await page.locator(f"#c-{first} .body p").first.select_text()
    await page.locator("button.quote").click()
    text = page.locator(".answering textarea")
    await expect(text).to_have_value(f"> Comment 0.\n>\n> — [{name}](/t/{key}/c/{first})\n\n")
    await expect(text).to_be_focused()
    await page.keyboard.type("j/k")
    await expect(text).to_have_value(f"> Comment 0.\n>\n> — [{name}](/t/{key}/c/{first})\n\nj/k")
    assert await page.evaluate("window.heard") is None
    await page.locator(".answering .post").click()
    assert await page.evaluate("window.back") == f"/t/{key}/c/{first}?reply={first}#c-{first}"
    stored = await page.evaluate("Object.keys(localStorage)")
    assert stored
    assert all(one.startswith(f"livethread:{app.origin}:") for one in stored)
    assert await page.evaluate("document.title") == "A host"
    assert visitor.wrong == []


async def test_a_mount_leaves_nothing_behind_and_can_be_repeated(
    app: Server, key: str, name: str, visit: Any, host: Any
) -> None:
    first, *_ = fill(app, key, name, 3)
    page: Page = (await visit()).page
    await page.add_init_script(SOCKETS)
    await host(page)
    count = f"{WITHIN}.querySelectorAll('*').length"
    await page.locator(f"#c-{first} .body p").first.select_text()
    await expect(page.locator("button.quote")).to_be_visible()
    await page.evaluate("live.end()")
    bare = await page.evaluate(count)
    for _ in range(5):
        await page.evaluate("mounted(); live.end()")
    await page.wait_for_function(f"() => {OPEN} === 0")
    assert await page.evaluate(count) == bare
    await page.evaluate("mounted()")
    await expect(page.locator("button[aria-label='Previous unread']")).to_have_count(1)
    await page.locator(f"#c-{first} .reply").click()
    await expect(page.locator(".answering")).to_have_count(1)
    assert await page.evaluate(OPEN) == 1


async def test_an_element_that_is_moved_keeps_text_and_focus_and_doubles_nothing(
    app: Server, key: str, name: str, visit: Any
) -> None:
    fill(app, key, f"{name} F", 3)
    visitor = await visit()
    page: Page = visitor.page
    await page.add_init_script(SOCKETS)
    await sign_up(visitor, app, name, f"/t/{key}")
    await page.wait_for_selector(".keys")
    text = page.locator(".composer textarea").first
    await text.press_sequentially("Half a thought")
    await text.press("ArrowLeft")
    await page.evaluate("document.querySelector('main').prepend(document.querySelector('live-thread'))")
    await expect(text).to_be_focused()
    await page.keyboard.type("!")
    await expect(text).to_have_value("Half a though!t")
    for one in (".keys", "button[aria-label='Previous unread']"):
        await expect(page.locator(one)).to_have_count(1)
    assert await page.evaluate("sockets.length") == 1
    await page.evaluate(
        "() => { window.thread = document.querySelector('live-thread');"
        " for (let time = 0; time < 5; time++) { thread.remove(); document.querySelector('main').append(thread); }"
        " thread.remove(); }"
    )
    await page.wait_for_function(f"() => {OPEN} === 0")
    await page.evaluate("document.querySelector('main').append(thread)")
    await page.wait_for_selector(".connection[data-state=live]")
    await expect(page.locator(".keys")).to_have_count(1)
    await expect(text).to_have_value("Half a though!t")


async def test_html_is_built_as_the_browser_would_parse_it(
    app: Server, key: str, name: str, visit: Any, host: Any
) -> None:
    """Whatever the server may send of hostile texts, and its own page."""
    with app.commenter(name) as client:
        bodies = [
            *HOSTILE,
            "&amp; &nbsp; \u00a0 < > \" ' &#39; &bogus;",
            "```\n\n\nx\n```",
            "1. a\n   - b\n\n> c",
            "a\\\nb\n\n---",
        ]
        for number, body in enumerate(bodies):
            client.post(f"/api/threads/{key}/comments", json={"body": body, "nonce": f"{key}-{number:020d}"})
        found = client.get(f"/api/threads/{key}").json()["comments"]
        page_html = client.get(f"/t/{key}").text
    page: Page = (await visit()).page
    await host(page)
    whole = "<live-thread" + page_html.split("<live-thread", 1)[1].split("</live-thread>")[0] + "</live-thread>"
    assert len(found) > len(HOSTILE) - 2
    for html in [*(str(one["html"]) for one in found), "<pre>\n\nx</pre>", whole]:
        assert await page.evaluate("(html) => same(html)", html), html


async def test_a_part_that_could_not_be_loaded_is_loaded_at_the_next_press(
    app: Server, key: str, name: str, visit: Any
) -> None:
    (id_,) = fill(app, key, name, 1)
    page: Page = (await visit()).page
    await page.route("**/after_paint.js*", lambda route: route.abort())
    await page.goto(f"{app.origin}/t/{key}")
    await page.click(f"#c-{id_} .reply")
    await expect(page.locator(".status")).to_contain_text("could not be loaded")
    await page.unroute("**/after_paint.js*")
    await page.click(f"#c-{id_} .reply")
    await expect(page.locator(".answering textarea")).to_be_focused()


async def test_firefox_loads_at_the_next_press_what_it_remembers_as_failed(
    app: Server, key: str, name: str, site: str, folder: Path, tmp_path: Path
) -> None:
    (id_,) = fill(app, key, name, 1)
    shutil.copytree(folder / "static", folder / "copy", ignore=shutil.ignore_patterns("built"))
    later = folder / "copy" / "after_paint.js"
    source = later.read_bytes()
    later.unlink()
    (folder / "host.js").write_text(SCRIPT.replace("./static/", "./copy/"), encoding="utf-8")
    lay_out(folder, app, key, site)
    within = "document.querySelector('#guest').shadowRoot"
    press = f"{within}.querySelector('#c-{id_} .reply').click()"
    async with started(tmp_path) as firefox:
        tab = await firefox.tab()
        await tab.go(f"{site}/host.html")
        await tab.until(f"{within}?.querySelector('.connection').dataset.state === 'live'")
        await tab.look(press)
        await tab.until(f"/could not be loaded/.test({within}.querySelector('.status').textContent)")
        later.write_bytes(source)
        await tab.look(press)
        await tab.until(f"{within}.activeElement?.matches('.answering textarea')")
