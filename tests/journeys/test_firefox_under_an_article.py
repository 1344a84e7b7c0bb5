"""A thread under an article of another site in a stock Firefox: read, logged in to in a window, and written in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.journeys.articles import Site
from tests.journeys.embedding import thread_under
from tests.journeys.firefox import GUEST, Firefox, Tab, started
from tests.journeys.people import PASSWORD, Person
from tests.journeys.test_pictures import given, picture
from tests.journeys.test_single_sign_on import Signer, raw
from tests.processes import Server

READER = f"{GUEST}?.querySelector('.reader')?.textContent"


@pytest.fixture(scope="module")
def app(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("app"), LIVETHREAD_SITES=site.origin) as server:
        site.server, site.live = server.origin, server.live_url
        yield server


@pytest.fixture(scope="module")
async def firefox(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Firefox]:
    async with started(tmp_path_factory.mktemp("firefox")) as browser:
        yield browser


async def write(tab: Tab, text: str) -> None:
    await tab.click(".composer textarea")
    await tab.type(text)
    await tab.click(".composer .post")
    await tab.until(f"[...{GUEST}.querySelectorAll('.body')].some((one) => one.textContent === '{text}')")


@pytest.mark.scenario_in_element(40)
async def test_a_reader_logs_in_in_a_window_writes_and_hears_others(
    app: Server, site: Site, firefox: Firefox, key: str, name: str
) -> None:
    url = site.article(key, head=site.policy)
    tab = await firefox.tab()
    await tab.go(url)
    await tab.until(f"{GUEST}?.querySelector('.connection[data-state=live]')")
    await tab.click(".reader button")
    window = await tab.window(f"{app.origin}/embed/login")
    await window.click("#name")
    await window.type(name)
    await window.click("#password")
    await window.type(PASSWORD)
    await window.click("button[value=register]")
    await tab.until(f"{READER}.startsWith('{name}')")
    await write(tab, "From Firefox")
    with app.commenter(f"{name} B") as other:
        body = {"body": "From elsewhere", "nonce": "n" * 20}
        id_ = other.post(f"/api/threads/{thread_under(app, url)}/comments", json=body).json()["comment"]["id"]
    # It may wait behind the pill.
    shown = f"(({GUEST}.querySelector('.pill:not([hidden])')?.click(), {GUEST}.querySelector('#c-{id_}')))"
    await tab.until(shown)
    await tab.reload()
    await tab.until(f"{READER}?.startsWith('{name}')")
    # Until then the page may still scroll to where one was, from under the press.
    await tab.until(f"{GUEST}.querySelector('.connection[data-state=live]')")
    await tab.click(".reader button")
    await tab.until(f"{READER}?.endsWith('Log in')")


async def test_a_reader_whom_the_site_names_writes_without_a_click(
    app: Server, site: Site, firefox: Firefox, key: str, name: str
) -> None:
    id_ = site.origin.removeprefix("http://").replace(":", "-")
    secret = raw(app.run("site", "key", "add", id_, "page").stdout.split()[-1])
    signer = Signer(id_, secret, "page", audience=app.origin)
    tab = await firefox.tab()
    await tab.go(site.article(key, head=site.policy, sso=signer.sign(name, name=name)))
    await tab.until(f"{READER}?.startsWith('{name}')")
    await write(tab, "Signed")
    await tab.go(f"{site.article(key, head=site.policy)}?2")
    await tab.until(f"{READER}?.endsWith('Log in')")


async def test_under_a_policy_without_sockets_the_thread_is_live_a_few_seconds_late(
    app: Server, site: Site, firefox: Firefox, key: str, name: str
) -> None:
    url = site.article(key, head=site.policy.replace(f" {site.live}", ""))
    tab = await firefox.tab()
    await tab.go(url)
    await tab.until(f"{GUEST}?.querySelector('.connection[data-state=late]')")
    with app.commenter(name) as other:
        body = {"body": "By a request", "nonce": "n" * 20}
        other.post(f"/api/threads/{thread_under(app, url)}/comments", json=body)
    await tab.until(f"{GUEST}.querySelector('.body')?.textContent === 'By a request'")


async def test_a_persons_own_picture_is_painted_where_no_images_of_ours_are_allowed(
    app: Server, site: Site, firefox: Firefox, key: str, name: str
) -> None:
    url = site.article(key, head=site.policy, loading="eager")
    ana = Person(app, name)
    ana.post(thread_under(app, url), "Words")
    given(ana, picture("red"))
    tab = await firefox.tab()
    await tab.go(url)
    own = f"{GUEST}?.querySelector('canvas.picture')?.getContext('2d').getImageData(32, 32, 1, 1).data"
    await tab.until(f"((seen) => seen?.[0] > 200 && seen[2] < 50)({own})")
