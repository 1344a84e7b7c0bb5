"""A thread under an article in public themes: of Bootstrap, of a documentation (Infima), of a blog (Ghost)."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from tests.journeys.articles import Site
from tests.journeys.embedding import thread_under
from tests.processes import ROOT, Server

PAGE = """<!doctype html><html lang="en"><head><title>In a theme</title>
<meta name="viewport" content="width=device-width">
{head}<script type="module" src="{server}/embed.js"></script></head>
<body><main class="{main}"><h1>An article</h1><p>Words with a <a href="#">link</a> and <code>code</code>.</p>
<form><input placeholder="Search"> <button type="button" class="btn button">Find</button></form>
<table><tr><td>A table</td></tr></table>
<live-thread loading="eager"><a href="{server}/t/?url={url}">Comments</a></live-thread>
<footer><p>The end</p></footer></main></body></html>"""
SAID = ["A *comment* with a https://example.org link and `code`", "> quote\n\n- list\n- of two", "```\ncode\n```"]
# Where something stands without saying so is up to what is around it; and heights are remembered.
STYLE = """(one) => {
  const all = getComputedStyle(one);
  const isOwn = (name) => !/^(--|inset|contain-|(top|bottom|left|right)$)/.test(name);
  return [...all].filter(isOwn).map((name) => `${name}: ${all.getPropertyValue(name)}`).join("\\n");
}"""
HOST = f"""() => [...document.querySelectorAll("main :not(live-thread, live-thread *)")]
  .map((one) => [one.tagName, ({STYLE})(one)])"""
# Some forty of the thread's parts; what says how long ago something was is as wide as its words.
SEEN = f"""() => {{
  const element = document.querySelector("live-thread");
  for (const one of element.shadowRoot.querySelectorAll(".measured")) one.classList.remove("measured");
  const parts = [...element.shadowRoot.querySelectorAll(".thread :not(template, .time, .time *)")]
    .filter((one) => one.checkVisibility());
  const every = Math.max(1, Math.floor(parts.length / 45));
  return {{
    parts: parts.filter((_, at) => at % every === 0)
      .map((one) => [`${{one.tagName}}.${{one.className}}`, ({STYLE})(one)]),
    font: getComputedStyle(element).fontFamily,
    width: element.getBoundingClientRect().width,
    scheme: getComputedStyle(element).colorScheme,
    excess: document.scrollingElement.scrollWidth - innerWidth,
  }};
}}"""
# What was begun by it has ended.
CHOOSE = """async ([name, value]) => {
  document.documentElement.setAttribute(name, value);
  await Promise.all(document.getAnimations().map((one) => one.finished));
}"""
DRESS = """({ font, width, scheme }) => {
  const { style } = document.querySelector("live-thread");
  Object.assign(style, { display: "block", fontFamily: font, width: `${width}px`, colorScheme: scheme });
}"""


@dataclass(frozen=True)
class Theme:
    """`folder`: of its styles below node_modules, `sheet` the first. What makes a page light or dark: an attribute of
    its root element, and its values."""

    folder: str
    sheet: str
    main: str
    attribute: str
    light: str = "light"
    dark: str = "dark"


THEMES = {
    "bootstrap": Theme("bootstrap/dist/css", "bootstrap.min.css", "container", "data-bs-theme"),
    "infima": Theme("infima/dist/css/default", "default.min.css", "container markdown", "data-theme"),
    "ghost": Theme(
        "@tryghost/shared-theme-assets/assets/css/v2", "screen.css", "gh-content gh-canvas", "style",
        "color-scheme: light", "color-scheme: dark; --color-white: #15171a; --color-primary-text: #fff",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def app(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("app"), LIVETHREAD_SITES=site.origin) as server:
        site.server, site.live = server.origin, server.live_url
        yield server


def differences(parts: list[Any], others: list[Any]) -> list[str]:
    assert [name for name, _ in parts] == [name for name, _ in others]
    return [
        f"{name} {value}, not {other}"
        for (name, style), (_, expected) in zip(parts, others, strict=True)
        for value, other in zip(style.split("\n"), expected.split("\n"), strict=True)
        if value != other
    ]


async def opened(page: Page, site: Site, name: str, head: str, main: str, url: str) -> None:
    """Show a page of this name with the thread of the article `url`."""
    head += f'<link rel="canonical" href="{url}">'
    content = PAGE.format(head=head, server=site.server, url=url, main=main)
    (site.folder / f"{name}.html").write_text(content, encoding="utf-8")
    await page.goto(f"{site.origin}/{name}.html")
    await expect(page.locator("live-thread .connection[data-state=live]")).to_have_count(1)
    await page.locator("live-thread .keys").wait_for(state="attached")


@pytest.mark.parametrize("name", THEMES)
async def test_a_theme_and_a_thread_leave_each_other_as_they_are(
    app: Server, site: Site, visit: Any, key: str, name: str
) -> None:
    theme, url = THEMES[name], f"{site.origin}/{key}.html"
    shutil.copytree(ROOT / "node_modules" / theme.folder, site.folder / name)
    with app.commenter(f"Ana of {name}") as client:
        first = None
        for number, body in enumerate(SAID):
            said = {"body": body, "nonce": f"{key}-{number:020d}", "parent": first}
            first = client.post(f"/api/threads/{thread_under(app, url)}/comments", json=said).json()["comment"]["id"]
    dressed, bare = [(await visit(bypass_csp=True)).page for _ in range(2)]
    await opened(dressed, site, key, f'<link rel="stylesheet" href="{name}/{theme.sheet}">', theme.main, url)
    await opened(bare, site, f"{key}-bare", "", "", url)
    for width in (390, 1280):
        for page in (dressed, bare):
            await page.set_viewport_size({"width": width, "height": 900})
        for scheme, value in (("light", theme.light), ("dark", theme.dark)):
            await dressed.evaluate(CHOOSE, [theme.attribute, value])
            seen = await dressed.evaluate(SEEN)
            assert seen["scheme"] in (scheme, "normal" if scheme == "light" else "")
            assert seen["excess"] <= 0
            # The font, the scheme and the room are the page's; nothing else is.
            await bare.evaluate(DRESS, seen)
            assert len(seen["parts"]) >= 40
            assert differences(seen["parts"], (await bare.evaluate(SEEN))["parts"]) == [], f"{width} px, {scheme}"
            found = await Axe().run(dressed, context="live-thread")
            wrong = [(one["id"], one["nodes"][0]["failureSummary"]) for one in found.response["violations"]]
            assert wrong == [], f"{width} px, {scheme}"
    # And what the page has is as it is without a thread.
    host = await dressed.evaluate(HOST)
    await dressed.route("**/embed.js", lambda route: route.abort())
    await dressed.reload()
    await dressed.evaluate(CHOOSE, [theme.attribute, value])
    assert differences(await dressed.evaluate(HOST), host) == []
