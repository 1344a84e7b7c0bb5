"""A picture of one's own in browsers: given with and without script, live on open pages, ours and those of others."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image
from playwright.async_api import FilePayload, Page, expect

from server.pictures import MAX_BYTES
from server.pictures.square import ORIENTATION
from tests.journeys.articles import Site
from tests.journeys.embedding import thread_under
from tests.journeys.people import PASSWORD, Person
from tests.journeys.test_pictures import given, picture
from tests.processes import Server

PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
# What is painted over the drawn one: its middle as red, green and blue; and whether it covers that exactly.
PAINTED = """(item) => {
  const [drawn, own] = [...item.querySelectorAll(":scope > article > header > :is(.avatar, .picture)")];
  const seen = document.createElement("canvas").getContext("2d");
  seen.drawImage(own, 0, 0, 1, 1);
  const [one, other] = [drawn, own].map((each) => each.getBoundingClientRect());
  const covers = ["x", "y", "width", "height"].every((side) => Math.abs(one[side] - other[side]) < 0.6);
  return [...seen.getImageData(0, 0, 1, 1).data.slice(0, 3)].map((value) => value > 128).concat(covers);
}"""
RED, BLUE = [True, False, False, True], [False, False, True, True]
LOADED = "([item]) => { const own = item.querySelector('.picture'); return own?.complete && own.naturalWidth === 128; }"
REVEALED = """(id) => {
  document.querySelector(".pill:not([hidden])")?.click();
  return document.querySelector(`#c-${id}`);
}"""
HEADS = """() => [...document.querySelectorAll(".comment header > :is(.avatar, .picture)")]
  .map((one) => [one.className, one.getAttribute("src"), one.getAttribute("loading"), one.getAttribute("width")])"""
IS_BLUE = """(own, x) => {
  const seen = document.createElement("canvas").getContext("2d");
  seen.drawImage(own, 0, 0);
  return seen.getImageData(x, 64, 1, 1).data[2] > 128;
}"""
SHIFTS = """() => {
  window.shift = 0;
  const seen = (list) => { for (const entry of list.getEntries()) window.shift += entry.value; };
  new PerformanceObserver(seen).observe({ type: "layout-shift" });
}"""


@pytest.fixture(scope="module")
def app(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("app"), LIVETHREAD_SITES=site.origin) as server:
        site.server, site.live = server.origin, server.live_url
        yield server


async def logged_in(visit: Any, app: Server, name: str, **options: Any) -> Page:
    page: Page = (await visit(**options)).page
    await page.goto(f"{app.origin}/login")
    await page.fill("#name", name)
    await page.fill("#password", PASSWORD)
    await page.click("main form:has(#password) button")
    await page.wait_for_selector(".viewer")
    return page


async def sent(page: Page, app: Server, content: bytes) -> None:
    await page.goto(f"{app.origin}/account")
    file = FilePayload(name="me.png", mimeType="image/png", buffer=content)
    await page.set_input_files("#picture", file)
    await page.click(".upload button")


@pytest.mark.parametrize(("viewport", "has_script"), [(PHONE, False), (DESK, True)], ids=["phone", "desk"])
async def test_a_picture_is_given_and_removed_and_everybody_sees_it_at_once(
    app: Server, visit: Any, key: str, name: str, viewport: dict[str, int], has_script: bool
) -> None:
    ana = Person(app, name)
    first = ana.post(key, "First")
    Person(app, f"{name} B").post(key, "Second", first["id"])
    reader = await visit(viewport=viewport)
    page = await reader.read(f"{app.origin}/t/{key}")
    await page.evaluate(SHIFTS)
    item = page.locator(f"#c-{first['id']}")
    await expect(item.locator(".picture")).to_have_count(0)

    own = await logged_in(visit, app, name, viewport=viewport, java_script_enabled=has_script)
    await sent(own, app, b"<svg xmlns='http://www.w3.org/2000/svg'/>")
    await expect(own.locator(".says", has_text="Choose a PNG, JPEG or WebP file.")).to_be_visible()
    await sent(own, app, picture("red"))
    await expect(own).to_have_url(f"{app.origin}/account")
    await expect(own.locator(".own-picture .picture")).to_be_visible()
    below, box = [await own.locator(f".own-picture .{part}").bounding_box() for part in ("avatar", "picture")]
    assert below == box
    assert await own.evaluate("document.documentElement.scrollWidth") <= viewport["width"] if has_script else True

    await page.wait_for_function(LOADED, arg=[await item.element_handle()])
    assert await item.evaluate(PAINTED) == RED
    assert await page.evaluate("window.shift") == 0
    # A reply has a smaller one; what is posted now has it at once, and a page of now is the same.
    reply = ana.post(key, "Third", first["id"])["id"]
    below = page.locator(f"#c-{reply}")
    await page.wait_for_function(REVEALED, arg=reply)
    await below.scroll_into_view_if_needed()
    await page.wait_for_function(LOADED, arg=[await below.element_handle()])
    assert await below.evaluate(PAINTED) == RED
    live = await page.evaluate(HEADS)
    await page.reload()
    assert await page.evaluate(HEADS) == live

    await own.click("text=Remove picture")
    await expect(page.locator(".picture")).to_have_count(0)
    await expect(own.locator(".own-picture .picture")).to_have_count(0)


async def test_a_picture_that_is_larger_than_any_is_made_small_before_it_is_sent(
    app: Server, visit: Any, name: str
) -> None:
    Person(app, name)
    page = await logged_in(visit, app, name)
    photo = Image.new("RGB", (300, 200), "red")
    photo.paste((0, 0, 255), (0, 0, 300, 100))
    exif = Image.Exif()
    exif[ORIENTATION], exif[0x010F] = 6, "SECRET camera"
    written = io.BytesIO()
    photo.save(written, "JPEG", exif=exif)
    await page.goto(f"{app.origin}/account")
    large = written.getvalue() + bytes(MAX_BYTES)
    await page.set_input_files("#picture", FilePayload(name="me.jpg", mimeType="image/jpeg", buffer=large))
    await page.wait_for_function("() => document.querySelector('#picture').files[0].type === 'image/png'")
    chosen = bytes(
        await page.evaluate(
            "document.querySelector('#picture').files[0].arrayBuffer().then((all) => [...new Uint8Array(all)])"
        )
    )
    assert chosen[:4] == b"\x89PNG"
    assert b"SECRET" not in chosen
    await page.click(".upload button")
    own = page.locator(".own-picture .picture")
    await page.wait_for_function(LOADED, arg=[await page.locator(".own-picture").element_handle()])
    # The camera was held upright: what was above is on the right.
    blue = [await own.evaluate(IS_BLUE, x) for x in (20, 108)]
    assert blue == [False, True]


async def test_a_moderator_removes_a_picture_and_it_leaves_open_pages(
    app: Server, visit: Any, key: str, name: str
) -> None:
    ana = Person(app, name)
    ana.post(key, "Words")
    Person(app, f"{name} M", "moderator")
    given(ana)
    page = await (await visit()).read(f"{app.origin}/t/{key}")
    await expect(page.locator(".picture")).to_have_count(1)
    own = await logged_in(visit, app, f"{name} M", viewport=PHONE)
    await own.goto(f"{app.origin}/u/{name}")
    await own.click("text=Remove picture")
    await expect(page.locator(".picture")).to_have_count(0)
    await expect(own.locator(".picture")).to_have_count(0)


async def test_the_drawn_one_is_seen_where_the_picture_does_not_come(
    app: Server, visit: Any, key: str, name: str
) -> None:
    ana = Person(app, name)
    ana.post(key, "Words")
    given(ana)
    reader = await visit()
    await reader.context.route("**/picture/**", lambda route: route.abort())
    await reader.read(f"{app.origin}/t/{key}")
    page = reader.page
    await page.wait_for_function("() => document.querySelector('.picture').complete")
    box = await page.locator(".picture").bounding_box()
    assert box is None or box["width"] == 0
    await expect(page.locator("li .avatar")).to_be_visible()


async def test_a_strict_page_of_another_site_shows_pictures_and_breaks_no_policy(
    app: Server, site: Site, visit: Any, key: str, name: str
) -> None:
    url = site.article(key, head=site.policy, loading="eager")
    thread = thread_under(app, url)
    ana = Person(app, name)
    first = ana.post(thread, "Words")["id"]
    given(ana, picture("blue"))
    # An error of the policy fails the test.
    page = (await visit()).page
    await page.add_init_script("addEventListener('securitypolicyviolation', () => { window.isBroken = true; })")
    await page.goto(url)
    item = page.locator(f"live-thread #c-{first}")
    await painted(page, item, BLUE)
    given(ana, picture("red"))
    await painted(page, item, RED)
    ana.do("DELETE", "/api/me/picture")
    await expect(item.locator(".picture")).to_have_count(0)
    await expect(item.locator("svg.avatar")).to_be_visible()
    assert await page.evaluate("window.isBroken") is None


async def painted(page: Page, item: Any, wanted: list[bool]) -> None:
    await expect(item.locator("canvas.picture")).to_have_count(1)
    await page.wait_for_function(
        f"([item, wanted]) => item.querySelector('.picture') && String(({PAINTED})(item)) === String(wanted)",
        arg=[await item.element_handle(), wanted],
    )
