"""The gallery shows every state of every part: none is cut, too wide, laid over another or too small to be pressed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import httpx2
import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from server.locales import real
from server.web.gallery.conversations import ACTS
from tests.processes import ROOT, Server

# A folder: then a picture of each page is written there, in every language, scheme and width.
SCREENSHOTS = os.environ.get("SCREENSHOTS")
LANGUAGES = ("en", "ar", "en-XA", "de", "ru", "ja")
WIDTHS = (320, 390, 1280)
PAGES = ("/gallery", "/gallery/embedded", "/gallery/pages")
# Each part was drawn for a page of its own: that there is one of a landmark holds there.
OF_ONE_PAGE = (
    "landmark-no-duplicate-main", "landmark-main-is-top-level", "landmark-no-duplicate-banner", "landmark-unique",
)  # fmt: skip
OF_COLOURS = ("color-contrast", "link-in-text-block")
COLOURS = {"resultTypes": ["violations"], "runOnly": OF_COLOURS}
EVERY_RULE, ALL_BUT_COLOURS = (
    {"resultTypes": ["violations"], "rules": {key: {"enabled": False} for key in needless}}
    for needless in (OF_ONE_PAGE, OF_ONE_PAGE + OF_COLOURS)
)
# What the script brings about, and what then can be seen.
SHOWN = {
    "connection-live": "[data-state=live]", "connection-late": "[data-state=late]",
    "connection-doubtful": "[data-state=doubtful]", "connection-lost": "[data-state=lost]",
    "connection-ended": "[data-state=ended]", "held-replies": ".replies", "arrived": "li.unread article",
    "arrived-and-held": ".pill", "says": ".status:not(:empty)", "leads": ".status a", "since": ".since button",
    "since-only-new": ".only-new .since", "composer-open": ".formats", "composer-text": ".composer.open .post",
    "composer-near": ".limit", "composer-over": ".limit.over", "composer-error": ".composer .says",
    "composer-retry": ".composer .says", "composer-preview": ".shown", "composer-several": ".answering .formats",
    "composer-names": ".names button", "composer-typing": ".hint[data-typing]",
    "composer-logged-out": ".composer .post", "composer-session-ended": ".status:not(:empty)",
    "composer-parent-changed": ".answering .says", "composer-locked": ".notice.locked",
    "post-sending": ".pending-post", "post-own": ".own > article",
    "post-held": ".unseen .notice", "comment-outdated": ".outdated .note", "comment-gone": ".gone .body",
    "folded": ".folded .fold", "menu-own": ".choices .edit", "menu-other": ".choices .quote-all",
    "menu-moderator": ".choices .moderate", "menu-delete": ".choices .danger", "editor": ".editor .formats",
    "editor-discard": ".editor .says", "editor-outdated": ".editor .kept", "quote": "button.quote",
}  # fmt: skip
# Templates that are parts of others.
WITHIN = {"base.html", "fragment.html", "parts.html"}
NOT_SHOWN = """(shown) => Object.entries(shown).filter(([act, selector]) =>
  !document.querySelector(`#${act} ${selector}`)?.checkVisibility({ visibilityProperty: true })).map(([act]) => act)"""
# Where all else is from right to left: a name is cut at its own end, and what offers a quote is below what is selected.
MISLED = """() => {
  const left = (selector) => document.querySelector(selector).getBoundingClientRect().left;
  const style = (selector) => getComputedStyle(document.querySelector(selector));
  const directions = {
    "#thread-empty textarea": "rtl", "#depth .name": "ltr", "#comment-voted-down .score": "ltr",
    "#comment-code code": "ltr",
  };
  const wrong = Object.keys(directions).filter((selector) => style(selector).direction !== directions[selector]);
  if (style("#depth .name").textOverflow !== "ellipsis") wrong.push("the name");
  if (Math.abs(left("#quote button.quote") - left("#quote .body p")) > 4) wrong.push("the quote");
  return wrong;
}"""
# What stands there a second time is not asked again.
EACH_ONCE = """() => {
  const seen = new Set();
  for (const part of document.querySelectorAll(`.exhibit .thread :is(article, template, .bar, .sorts, .news, .composer,
    .floating, .keys, .print)`)) {
    const html = part.outerHTML.replace(/gallery-[a-z0-9-]+|\\d+/g, "");
    if (seen.has(html)) part.remove();
    seen.add(html);
  }
}"""
AWRY = """() => {
  const wrong = [];
  const page = document.documentElement.clientWidth;
  const wide = document.documentElement.scrollWidth - page;
  if (wide > 0) wrong.push(`the page is ${wide} px too wide`);
  const box = (one) => one.getBoundingClientRect();
  const rows = (boxes) => new Set(boxes.map(({ top }) => top)).size;
  const isField = (one) => one.matches("input, textarea, select");
  const isTarget = (one) => one.matches("a[href], button:enabled, input, select, textarea, [tabindex='0']");
  const isSpokenOnly = (one) => one.closest(".hidden") || getComputedStyle(one).clipPath === "inset(50%)";
  const isSeen = (one) => one.checkVisibility({ visibilityProperty: true }) && !isSpokenOnly(one);
  // Names and notes end in dots; the lists tell two lines of what a thread is about.
  const isShort = (one) => one.closest(".name, .to, .note, .comments .badge, .replies, .hint, .summary");
  // What stands beside a name is as narrow as it can be before the name is cut.
  const least = { to: 1, note: 24, badge: 36 };
  const isCut = (one) => one.matches(".comments header .name") && one.scrollWidth > one.clientWidth;
  const isWide = (one) => box(one).width > (one.matches(".outdated .note") ? 64 : least[one.classList[0]]) + 1;
  const named = (one) => [one.tagName.toLowerCase(), ...one.classList].join(".");
  for (const exhibit of document.querySelectorAll(".exhibit")) {
    const hosts = [...exhibit.querySelectorAll("live-thread")].filter((one) => one.shadowRoot);
    const within = hosts.flatMap((one) => [...one.shadowRoot.querySelectorAll("*")]);
    for (const one of [...exhibit.querySelectorAll(":scope > :not(.label), :scope > :not(.label) *"), ...within]) {
      if (!isSeen(one) || one.matches("[type=hidden]")) continue;
      const above = one.parentElement ?? one.getRootNode().host;
      const say = (what) => wrong.push(`${exhibit.id}: ${what}: ${named(above)} > ${named(one)}`);
      const style = getComputedStyle(one);
      const beside = isCut(one) ? [...one.closest("header").querySelectorAll(".to, .note, .badge")] : [];
      if (beside.some(isWide)) say("cut before what stands beside it");
      const hasText = [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
      if (!isField(one) && !isShort(one)) {
        const isTooWide = one.clientWidth && one.scrollWidth > one.clientWidth + 1;
        if (isTooWide && (hasText || style.overflowX !== "visible")) say("cut at its side");
        const isHigh = one.clientHeight && one.scrollHeight > one.clientHeight + 1;
        if (isHigh && (hasText || style.overflowY !== "visible")) say("cut below");
        if (one.matches(".sorts") && rows([...one.querySelectorAll("a")].slice(-2).map(box)) > 1)
          say("search and feed are apart");
        if (one.matches(".badge, .sessions time, .threads time") && rows([...one.getClientRects()]) > 1)
          say("broken in two");
        if (hasText && (box(one).left < -1 || box(one).right > page + 1)) say("out of the page");
      }
      if (isTarget(one) && style.display !== "inline") {
        const { width, height } = box(one.matches("[type=radio], [type=checkbox]") && one.closest("label") || one);
        if (width < 23.9 || height < 23.9) say("too small");
      }
      const blocks = [...one.children].filter((child) => {
        const { display, position } = getComputedStyle(child);
        return isSeen(child) && !/inline$|contents/.test(display) && /static|relative/.test(position);
      }).map((child) => [child, box(child)]);
      for (const [place, [block, a]] of blocks.entries()) for (const [other, b] of blocks.slice(place + 1)) {
        const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
        const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
        if (across > 1 && down > 1) wrong.push(`${exhibit.id}: ${named(other)} lies over ${named(block)}`);
      }
    }
  }
  return wrong;
}"""

# Of what has one line, in words of a real language. Beside a count of five digits there is no room for more.
BROKEN = """() => {
  const wrong = [];
  const one_line = ".exhibit:not(#thread-more) .connection, .notice time, .since time, .hint:not([data-typing])";
  for (const one of document.querySelectorAll(one_line)) {
    if (!one.checkVisibility()) continue;
    const words = document.createRange();
    words.selectNodeContents(one);
    const rows = new Set([...words.getClientRects()].map(({ top }) => Math.round(top))).size;
    const isCut = one.scrollWidth > one.clientWidth + 1 || one.scrollHeight > one.clientHeight + 1;
    if (one.matches(".hint") ? isCut : rows > 1) wrong.push(`${one.closest(".exhibit").id}: ${one.textContent}`);
  }
  return wrong;
}"""

# Of pages: headings of one size for each rank, one filled button in a row, and a place for everything.
UNEVEN = """() => {
  const wrong = new Set();
  const all = (selector, within = document) =>
    [...within.querySelectorAll(selector)].filter((one) => one.checkVisibility());
  const ground = (one) => getComputedStyle(one).backgroundColor;
  const size = (one) => Number.parseFloat(getComputedStyle(one).fontSize);
  for (const one of all(".exhibit > main :is(h1, h2)"))
    if (size(one) !== { H1: 20, H2: 16 }[one.tagName]) wrong.add(`${one.textContent} is ${size(one)} px`);
  const isFilled = (one) => ground(one) !== "rgba(0, 0, 0, 0)";
  for (const row of all(".exhibit > main .actions"))
    if (all("button", row).filter(isFilled).length > 1) wrong.add(`${row.textContent}: two of first rank`);
  for (const label of all(".account label, .account h2")) {
    const { bottom } = label.getBoundingClientRect();
    const things = ".account :is(p, label, input, textarea, select, h2, pre, button, legend, img)";
    const below = all(things, label.closest(".exhibit")).filter((one) => one.getBoundingClientRect().top >= bottom);
    const gap = Math.min(...below.map((one) => one.getBoundingClientRect().top)) - bottom;
    if (label.matches("h2") ? gap !== 8 : !label.querySelector("input") && gap !== 4)
      wrong.add(`${label.closest(".exhibit").id}: ${gap} px below ${label.textContent}`);
  }
  for (const code of all(".lines code"))
    if (ground(code) !== ground(code.parentElement)) wrong.add("the lines of a site have two grounds");
  return [...wrong];
}"""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    languages = " ".join({*LANGUAGES, *real()})
    with Server(tmp_path_factory.mktemp("app"), LIVETHREAD_GALLERY="on", LIVETHREAD_LANGUAGES=languages) as server:
        yield server


async def show(page: Page, app: Server, path: str, language: str) -> None:
    """Open a page of the gallery, narrow as at first, and wait until its script is through."""
    await page.set_viewport_size({"width": WIDTHS[0], "height": 844})
    await page.goto(f"{app.origin}{path}?lang={language}")
    await page.wait_for_selector("body[data-ready]")


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("language", LANGUAGES)
async def test_nothing_is_awry_in_any_state(app: Server, visit: Any, language: str, path: str) -> None:
    page = (await visit(bypass_csp=True)).page
    await show(page, app, path, language)
    if path == PAGES[0]:
        assert set(SHOWN) == set(ACTS)
        assert await page.evaluate(NOT_SHOWN, SHOWN) == []
        assert language != "ar" or await page.evaluate(MISLED) == []
    wrong: set[str] = set()
    # Colours move nothing: in the dark one width will do, unless all are to be seen.
    schemes: tuple[tuple[Literal["light", "dark"], tuple[int, ...]], ...] = (
        ("light", WIDTHS),
        ("dark", WIDTHS if SCREENSHOTS else WIDTHS[:1]),
    )
    for scheme, widths in schemes:
        await page.emulate_media(color_scheme=scheme)
        for width in widths:
            await page.set_viewport_size({"width": width, "height": 844})
            wrong |= {f"{scheme}, {width} px: {what}" for what in await page.evaluate(AWRY)}
            if SCREENSHOTS:
                name = f"{path[1:].replace('/', '-')}-{language}-{scheme}-{width}.png"
                await page.screenshot(path=Path(SCREENSHOTS) / name, full_page=True)
    # To axe other words are nothing new, another direction may be.
    await page.evaluate(EACH_ONCE)
    for options in {"en": (COLOURS, EVERY_RULE), "ar": (ALL_BUT_COLOURS,)}.get(language, ()):
        found = await Axe().run(page, options=options)
        wrong |= {found.generate_report()} if found.violations_count else set()
        await page.emulate_media(color_scheme="light")
    assert sorted(wrong) == []


async def test_a_thread_under_an_article_is_shown_in_its_states(app: Server, visit: Any) -> None:
    page = (await visit()).page
    await show(page, app, "/gallery/embedded", "en")
    for name, selector, text in (
        ("logged-out", ".reader button", "Log in"), ("writing-logged-out", ".composer .post", "Log in or register"),
        ("logged-in", ".reader .told", "1,234"), ("writing", ".composer .formats", "B"),
        ("locked", ".notice.locked", "locked"), ("empty", ".none", "No comments"), ("refused", "a", "Comments"),
    ):  # fmt: skip
        place = page.locator(f"#embedded-{name} live-thread").locator(selector).first
        await expect(place).to_be_visible()
        await expect(place).to_contain_text(text)
    for place in (page.locator("#embedded-pictures canvas.picture"), page.locator("#embedded-pictures .avatar")):
        await expect(place).to_have_count(2)
    await page.goto(f"{app.origin}/gallery#comment-picture")
    picture = page.locator("#comment-picture img.picture")
    await expect(picture).to_be_visible()
    assert await picture.evaluate("image => image.naturalWidth") > 0


async def test_a_narrow_column_under_an_article_is_as_a_phone_whatever_the_window(app: Server, visit: Any) -> None:
    page = (await visit()).page
    await show(page, app, "/gallery/embedded", "en")
    reply = page.locator("#embedded-depth .depth-1 > article > header")
    parent = page.locator("#embedded-depth .depth-0 > article > header")
    lefts = [await one.evaluate("one => one.getBoundingClientRect().left") for one in (parent, reply)]
    assert 8 <= lefts[1] - lefts[0] <= 20
    await page.set_viewport_size({"width": 1280, "height": 844})
    column = page.locator("#embedded-narrow")
    end = await column.locator("live-thread").evaluate("one => one.getBoundingClientRect().right")
    ends = "all => all.map((one) => one.getBoundingClientRect().right)"
    assert max(await column.locator("footer > *").evaluate_all(ends)) <= end + 1
    line = await column.locator(".connection").bounding_box()
    assert line is not None
    assert line["height"] == 20


async def test_order_view_and_filter_stand_apart_and_nothing_takes_the_room_of_what_is_not_there(
    app: Server, visit: Any
) -> None:
    page = (await visit()).page
    await show(page, app, "/gallery", "en")
    groups = page.locator("#thread-page .sorts [role=group]")
    named = "all => all.map((one) => [one.ariaLabel, [...one.children].map((link) => link.textContent)])"
    assert await groups.evaluate_all(named) == [
        ["Order", ["Oldest", "Newest", "Top"]], ["View", ["Flat"]], ["Filter", ["Author’s replies"]],
    ]  # fmt: skip
    boxes = "all => all.map((one) => one.getBoundingClientRect().toJSON())"
    first, second, _ = await groups.evaluate_all(boxes)
    assert second["left"] - first["right"] >= 8
    (comments,) = await page.locator("#thread-page .comments").evaluate_all(boxes)
    (link,) = await page.locator("#thread-page .print").evaluate_all(boxes)
    assert link["top"] - comments["bottom"] < 4


async def test_forms_are_even_on_all_pages(app: Server, visit: Any) -> None:
    page = (await visit()).page
    await show(page, app, "/gallery/pages", "en")
    assert await page.evaluate(UNEVEN) == []


# It takes a second line below 390 px, for which its place has room: shorter words would not say how late it is.
IN_TWO_LINES = "connection-late: ● Live, a few seconds late"


@pytest.mark.parametrize("language", real())
async def test_what_has_one_line_is_whole_on_it_on_every_phone(app: Server, visit: Any, language: str) -> None:
    page = (await visit(bypass_csp=True)).page
    await show(page, app, PAGES[0], language)
    for width in (320, 360, 390):
        await page.set_viewport_size({"width": width, "height": 844})
        broken = [one for one in await page.evaluate(BROKEN) if width >= 390 or one != IN_TWO_LINES]
        assert broken == [], width


async def test_a_state_has_an_address_and_a_look_can_be_asked_for(app: Server, visit: Any) -> None:
    page = (await visit()).page
    await page.goto(f"{app.origin}/gallery/pages?theme=dark&density=compact#error-503")
    await page.wait_for_selector("body[data-ready]")
    await expect(page.locator("#error-503 h1")).to_be_in_viewport()
    assert await page.evaluate("() => getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 26)"
    assert await page.evaluate(AWRY) == []


def test_every_template_has_its_states(app: Server) -> None:
    modules = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "server" / "web" / "gallery").glob("*.py"))
    templates = {path.name for path in (ROOT / "server" / "web" / "templates").glob("*.html")}
    # Errors are drawn by what answers them.
    assert {*re.findall(r'"(\w+\.html)"', modules), "error.html"} == templates - WITHIN
    for path in PAGES:
        answer = httpx2.get(app.origin + path, params={"lang": "ar"}, trust_env=False)
        assert answer.status_code == 200
        assert '<html lang="ar" dir="rtl"' in answer.text
        names = re.findall(r'<section class="exhibit" id="([^"]+)"', answer.text)
        assert len(names) == len(set(names)) > 10
