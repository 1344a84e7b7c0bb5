"""How an account has pages shown: chosen once, by a form or in a thread, it holds for all that the account opens."""

from __future__ import annotations

from typing import Any

import httpx2
from playwright.async_api import Page, expect

from tests.journeys.people import Person
from tests.journeys.test_seen_by_others import log_in
from tests.processes import Server

PLAIN: dict[str, Any] = {"density": "comfortable", "theme": "auto", "shortcuts": True}
COMPACT: dict[str, Any] = {"density": "compact", "theme": "dark", "shortcuts": False}
GROUND = "getComputedStyle(document.body).backgroundColor"
HEIGHT = "document.querySelector('.comments').firstElementChild.offsetHeight"
DARK, LIGHT = "rgb(20, 23, 26)", "rgb(255, 255, 255)"


def test_what_an_account_chose_holds_on_its_pages_and_on_nobody_elses(app: Server, key: str, name: str) -> None:
    ana = Person(app, name)
    ana.post(key, "Words")
    fragment = f"/t?only=fragment&key={key}"
    pages = ["/", "/account", "/inbox", f"/u/{name}", f"/t/{key}", f"/t/{key}?sort=top", "/c/999999/edit"]

    def looks() -> set[str]:
        found = set()
        for path in pages:
            html = ana.http.get(path).text
            root = html.split("<html ")[1].split(">")[0].partition(' class="')[2].rstrip('"')
            assert ("/appearance.css" in html) == bool(root), path
            schemes = html.split('"color-scheme" content="')[1].split('"')[0]
            found.add(f"{root} {html.count('theme-color')} {schemes}")
        return found

    def section() -> str:
        return ana.http.get(fragment).text.split("<section ")[1].split(">")[0]

    assert looks() == {" 2 light dark"}
    assert ' class="thread"' in section()
    assert "keyless" not in section()
    everybody = httpx2.get(f"{app.origin}/t/{key}", trust_env=False)
    # A checkbox that is not ticked is not sent.
    chosen = ana.http.post("/account/appearance", data={"density": "compact", "theme": "dark"})
    assert (chosen.status_code, chosen.headers["location"]) == (303, "/account")
    assert looks() == {"compact dark 1 dark"}
    own = ana.http.get("/account").text
    assert '<option value="compact" selected>' in own
    assert '<option value="dark" selected>' in own
    assert 'name="shortcuts" value="on" aria' in own
    # On another site's page, the colours are the page's.
    assert ' class="thread compact"' in section()
    assert section().endswith(" keyless")
    assert ana.do("GET", "/api/me/export")["account"]["appearance"] == COMPACT
    same = httpx2.get(f"{app.origin}/t/{key}", trust_env=False)
    assert (same.text, same.headers["etag"]) == (everybody.text, everybody.headers["etag"])

    for form, field in (({"density": "tight", "theme": "dark"}, "density"), ({"density": "compact"}, "theme")):
        refused = ana.http.post("/account/appearance", data=form)
        assert (refused.status_code, f"The {field} must be one of " in refused.text) == (422, True)
    bad = ana.http.patch("/api/me/appearance", json={"theme": "blue"})
    assert (bad.status_code, bad.json()["error"]["field"]) == (422, "theme")
    # What is not given stays.
    assert ana.do("PATCH", "/api/me/appearance", theme="light")["appearance"] == COMPACT | {"theme": "light"}
    assert looks() == {"compact light 1 light"}
    assert ana.do("PATCH", "/api/me/appearance", **PLAIN)["appearance"] == PLAIN
    assert looks() == {" 2 light dark"}


async def test_a_thread_looks_as_the_account_chose_in_each_of_its_browsers(
    app: Server, visit: Any, key: str, name: str
) -> None:
    ana = Person(app, name)
    first = ana.post(key, "First")["id"]
    second = ana.post(key, "Second", first)["id"]
    page: Page = (await visit(color_scheme="light")).page
    await log_in(page, app, name, "/account")
    await page.goto(f"{app.origin}/t/{key}")
    tall = await page.evaluate(HEIGHT)
    assert await page.evaluate(GROUND) == LIGHT
    # Another of the account's browsers, without script.
    other: Page = (await visit(java_script_enabled=False)).page
    await log_in(other, app, name, "/account")
    await other.select_option("#density", "compact")
    await other.select_option("#theme", "dark")
    await other.uncheck("[name=shortcuts]")
    await other.click("form[action$=appearance] button")
    await expect(other.locator("#density")).to_have_value("compact")

    await page.reload()
    assert await page.evaluate(GROUND) == DARK
    assert await page.evaluate(HEIGHT) < 0.8 * tall
    await expect(page.locator(".keys span")).to_have_text("Keyboard shortcuts are off.")
    await page.locator(".comments .body").first.click()
    await page.keyboard.press("j")
    assert await page.evaluate("document.activeElement.closest('li')") is None
    async with page.expect_response("**/api/me/appearance"):
        await page.click(".keys button")
    await page.keyboard.press("j")
    assert await page.evaluate("document.activeElement.closest('li').dataset.id") == str(second)
    await other.reload()
    await expect(other.locator("[name=shortcuts]")).to_be_checked()
    # On paper all is dark on light.
    await page.emulate_media(media="print")
    assert await page.evaluate(GROUND) == LIGHT
