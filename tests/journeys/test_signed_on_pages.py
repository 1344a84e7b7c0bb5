"""Pages of a site that say who reads them, in a real browser: logged in without a click, and out again for good."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx2
import pytest
from playwright.async_api import BrowserContext, Page, Route, expect

from tests.journeys.articles import Site
from tests.journeys.embedding import thread_under
from tests.journeys.test_single_sign_on import Signer, raw
from tests.processes import Server, eventually

READER = "live-thread .reader"
HEARD = """for (const what of ["sso-expired", "comment", "login", "error"]) {
  document.addEventListener(`livethread-${what}`, ({ detail }) => {
    window.heard = [...(window.heard ?? []), `${what} ${detail.name ?? detail.error?.code ?? ""}`.trim()];
  });
}"""


@pytest.fixture(scope="module")
def app(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("app"), LIVETHREAD_SITES=site.origin) as server:
        site.server, site.live = server.origin, server.live_url
        yield server


@pytest.fixture(scope="module")
def signer(app: Server, site: Site) -> Signer:
    id_ = site.origin.removeprefix("http://").replace(":", "-")
    secret = raw(app.run("site", "key", "add", id_, "page").stdout.split()[-1])
    return Signer(id_, secret, "page", audience=app.origin)


async def test_who_is_signed_in_by_the_site_reads_as_themselves_until_the_site_says_otherwise(
    app: Server, site: Site, reader: BrowserContext, key: str, name: str, signer: Signer
) -> None:
    page = reader.pages[0]
    await page.add_init_script(HEARD)
    url = site.article(key, head=site.policy, sso=signer.sign(name, name=name))
    await page.goto(url)
    await expect(page.locator(f"{READER} bdi")).to_have_text(name)
    await page.locator("live-thread .composer textarea").first.fill("Without a log-in")
    await page.locator("live-thread .composer .post").first.click()
    await expect(page.locator("live-thread li[data-id] .name").first).to_have_text(name)
    # The page comes again as it was, out of a cache: its token was used, and the session lives.
    await page.reload()
    await expect(page.locator(f"{READER} bdi")).to_have_text(name)
    assert await page.evaluate("window.heard") == [f"login {name}"]

    # Once the session is over, a fresh token is fetched from the site.
    (site.folder / "token").write_text(signer.sign(f"{name} B", name=f"{name} B") + "\n")
    now = int(time.time())
    site.article(key, head=site.policy, sso=signer.sign(f"{name} B", iat=now - 90, exp=now - 30), sso_url="/token")
    await page.goto(f"{url}?2")
    # Its policy lets the page fetch nothing of its own.
    await eventually(lambda: page.evaluate("window.heard?.includes('sso-expired')"))
    site.article(key, sso=signer.sign(f"{name} B", iat=now - 90, exp=now - 30), sso_url="/token")
    await page.goto(f"{url}?3")
    await expect(page.locator(f"{READER} bdi")).to_have_text(f"{name} B")
    assert await page.evaluate("window.heard") == ["sso-expired", f"login {name} B"]

    # Nobody any more: by the page's own script, then by the next page.
    signed = "(token) => document.querySelector('live-thread').setAttribute('sso', token)"
    await page.evaluate(signed, signer.sign(name, name=name))
    await expect(page.locator(f"{READER} bdi")).to_have_text(name)
    other = app.token(f"{name} C")
    httpx2.post(
        f"{app.origin}/api/threads/{thread_under(app, url)}/comments",
        json={"body": "An arrival", "nonce": "a" * 20},
        headers={"authorization": f"Bearer {other}"},
        trust_env=False,
    )
    await page.wait_for_function("(name) => window.heard?.includes(`comment ${name} C`)", arg=name)
    site.article(key)
    await page.goto(f"{url}?4")
    await expect(page.locator(f"{READER} button")).to_have_text("Log in")
    await expect(page.locator("live-thread li[data-id]").first).to_be_visible()


async def test_who_logs_out_stays_out_until_they_log_in_again(
    app: Server, site: Site, reader: BrowserContext, key: str, name: str, signer: Signer
) -> None:
    (site.folder / f"{key}-token").write_text(signer.sign(name, name=name))
    page = reader.pages[0]
    await page.goto(site.article(key, sso_url=f"/{key}-token"))
    await expect(page.locator(f"{READER} bdi")).to_have_text(name)
    (site.folder / f"{key}-token").write_text(signer.sign(name, name=name, iat=int(time.time()) + 20))
    await page.locator(f"{READER} button").click()
    await expect(page.locator(f"{READER} button")).to_have_text("Log in")
    # The page asks its site no more, and neither does the next one in this tab.
    await page.reload()
    await expect(page.locator(f"{READER} button")).to_have_text("Log in")
    await page.locator(f"{READER} button").click()
    await expect(page.locator(f"{READER} bdi")).to_have_text(name)


async def test_a_page_that_names_nobody_shows_the_reader_before_to_nobody_even_if_the_network_fails_once(
    app: Server, site: Site, reader: BrowserContext, key: str, name: str, signer: Signer
) -> None:
    page = reader.pages[0]
    await page.add_init_script(HEARD)
    await page.goto(site.article(key, sso=signer.sign(name, name=name)))
    await expect(page.locator(f"{READER} bdi")).to_have_text(name)
    # Whatever the page had kept to remember it by is gone.
    await page.evaluate("sessionStorage.clear()")
    fails = [True]

    async def fail_once(route: Route) -> None:
        if route.request.method == "DELETE" and fails:
            fails.clear()
            await route.abort()
        else:
            await route.fallback()

    await page.route("**/api/session", fail_once)
    await page.goto(f"{site.article(key)}?2")
    await expect(page.locator(f"{READER} button")).to_have_text("Log in")
    assert not fails
    assert await page.evaluate("window.heard.some((one) => one.startsWith('login'))") is False
    await page.reload()
    await expect(page.locator(f"{READER} button")).to_have_text("Log in")


async def test_two_tabs_that_name_different_readers_do_not_take_turns_without_end(
    app: Server, site: Site, reader: BrowserContext, key: str, name: str, signer: Signer
) -> None:
    asked: list[str] = []
    pages: list[Page] = []
    for who in ("A", "B"):
        (site.folder / f"{key}-{who}").write_text(signer.sign(f"{name} {who}", name=f"{name} {who}"))
        page = await reader.new_page()
        page.on("request", lambda one: asked.append(one.method) if one.url.endswith("/api/session") else None)
        await page.goto(f"{site.article(key, sso_url=f'/{key}-{who}')}?{who}")
        await expect(page.locator(f"{READER} bdi")).to_have_text(f"{name} {who}")
        pages.append(page)
    # The first tab hears of it, and shows who it is that is logged in now.
    await expect(pages[0].locator(f"{READER} bdi")).to_have_text(f"{name} B")
    begun = asked.count("POST")
    await pages[1].evaluate("document.querySelector('live-thread').refresh()")
    await pages[0].evaluate("document.querySelector('live-thread').refresh()")
    await expect(pages[0].locator(f"{READER} bdi")).to_have_text(f"{name} B")
    assert asked.count("POST") == begun <= 4


async def test_a_site_with_a_wrong_clock_is_told_once_of_its_expired_tokens(
    app: Server, site: Site, reader: BrowserContext, key: str, signer: Signer
) -> None:
    page, now = reader.pages[0], int(time.time())
    old = [signer.sign("late", iat=now - 900 - number, exp=now - 800) for number in range(20)]
    await page.add_init_script(f"""const old = {old}; window.told = 0;
      document.addEventListener("livethread-sso-expired", ({{ target }}) => {{
        window.told += 1; target.setAttribute("sso", old.pop());
      }});""")
    asked: list[str] = []
    page.on("requestfinished", lambda one: asked.append(one.method) if one.url.endswith("/api/session") else None)
    await page.goto(site.article(key, sso=signer.sign("late", iat=now - 900, exp=now - 800)))
    await eventually(lambda: len(asked) >= 2)
    await expect(page.locator(f"{READER} button")).to_have_text("Log in")
    assert await page.evaluate("window.told") == 1
