"""One thread goes under another while people read and write in both: they are led along, with what they have begun."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from playwright.async_api import Page, expect

from tests.journeys.articles import Site
from tests.journeys.embedding import thread_under
from tests.journeys.test_two_browsers import fill
from tests.processes import Server


@pytest.fixture(scope="module")
def app(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("app"), LIVETHREAD_SITES=site.origin) as server:
        site.server, site.live = server.origin, server.live_url
        yield server


async def test_readers_of_either_thread_have_all_of_it_and_nobody_is_led_away_while_writing(
    app: Server, key: str, name: str, visit: Any
) -> None:
    old, new = f"{key}-old", f"{key}-new"
    first, *_, last = fill(app, old, f"{name} Old", 30)
    (there,) = fill(app, new, f"{name} New", 1)
    reads, writes, stays = [(await visit()) for _ in range(3)]
    for visitor, where in ((reads, old), (writes, old), (stays, new)):
        await visitor.read(f"{app.origin}/t/{where}")
        await visitor.page.wait_for_selector(".keys", state="attached")
    await reads.page.locator(f"#c-{last}").scroll_into_view_if_needed()
    draft = writes.page.locator(f"#c-{first} .answering textarea")
    await writes.page.click(f"#c-{first} .reply")
    await draft.press_sequentially("Begun before ")

    assert f"of {old} are now under {new}" in app.run("thread", "merge", old, new).stdout
    # Who reads is there, where they were; who writes goes on writing, and goes there when they like.
    await reads.page.wait_for_url(f"**/t/{new}/c/*")
    await expect(reads.page.locator(f"#c-{last}")).to_be_in_viewport()
    door = writes.page.locator(".status a")
    await expect(door).to_be_visible()
    await draft.press_sequentially("and after")
    await door.click()
    await writes.page.wait_for_url(f"**/t/{new}")
    await expect(draft).to_have_value("Begun before and after")
    await expect(stays.page.locator(".count")).to_have_text("31")
    for visitor in (reads, writes, stays):
        found = [one["id"] for one in await visitor.painted()]
        assert sorted(found) == sorted({first, last, there, *found})
        assert len(found) == 31, found

    # And what it was called leads there: pages, the feed, the interface, and an answer to who was away.
    with httpx2.Client(base_url=app.origin, trust_env=False) as http:
        for path in ("", f"/c/{first}", "?sort=newest"):
            answer = http.get(f"/t/{old}{path}")
            assert (answer.status_code, answer.headers["location"]) == (301, f"/t/{new}{path}")
        page = http.get(f"/api/threads/{old}").json()
        assert (page["thread"], page["info"]["comments"]) == (new, 31)
        assert "moved" not in page["info"]
        away = http.get(f"/api/threads/{old}/changes", params={"after": 1, "epoch": page["epoch"]}).json()
        assert (away["thread"], away["comments"], away["info"]["moved"]) == (old, [], new)
    with app.commenter(f"{name} Late") as late:
        said = late.post(f"/api/threads/{old}/comments", json={"body": "Late", "parent": first, "nonce": "l" * 20})
    assert said.status_code == 201
    await expect(stays.page.locator(".count")).to_have_text("32")


async def test_under_articles_the_element_shows_the_other_thread_in_its_place(
    app: Server, site: Site, key: str, name: str, visit: Any
) -> None:
    urls = [site.article(f"{key}-{one}", space=10) for one in ("old", "new")]
    old, new = (thread_under(app, url) for url in urls)
    with app.commenter(name) as ana:
        for thread, words, nonce in ((old, "Said under the old", "o" * 20), (new, "Said under the new", "n" * 20)):
            ana.post(f"/api/threads/{thread}/comments", json={"body": words, "nonce": nonce})
    page: Page = (await visit()).page
    await page.goto(urls[0])
    await expect(page.locator("live-thread .connection[data-state=live]")).to_have_count(1)
    await page.locator("live-thread .keys").wait_for(state="attached")
    app.run("thread", "merge", *urls)
    await expect(page.locator("live-thread .body")).to_have_text(["Said under the old", "Said under the new"])
    await expect(page.locator("live-thread .connection[data-state=live]")).to_have_count(1)
    assert page.url == urls[0]
    # Live in the other thread, and so on the next visit.
    with app.commenter(f"{name} Late") as late:
        late.post(f"/api/threads/{new}/comments", json={"body": "Later", "nonce": "n" * 20})
    await expect(page.locator("live-thread .count")).to_have_text("3")
    await page.reload()
    await expect(page.locator("live-thread .body")).to_have_count(3)
    counted = httpx2.get(f"{app.origin}/api/counts?site={site.origin}&keys={old},{new}", trust_env=False).json()[
        "counts"
    ]
    assert counted == {old: 3, new: 3}
