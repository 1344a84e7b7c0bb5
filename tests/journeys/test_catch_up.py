"""What came since an account's last visit: said and marked by the server, and by the script in the same way."""

from __future__ import annotations

import re
import sqlite3
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.async_api import Page, expect

from tests.journeys.conftest import reveal
from tests.journeys.navigation import follow
from tests.journeys.people import Person
from tests.journeys.test_plain_forms import plain
from tests.journeys.test_seen_by_others import log_in
from tests.journeys.test_two_browsers import SETTLED, SHIFTS, fill
from tests.processes import Server

NEW = "(list) => list.map((item) => Number(item.dataset.id))"
HIDDEN_WORD = "(item) => getComputedStyle(item.querySelector('h3'), '::before').content"


def let_an_hour_pass(app: Server) -> None:
    """Every visit was an hour earlier."""
    with sqlite3.connect(app.environment["LIVETHREAD_DATABASE"], timeout=20) as sql:
        sql.execute("UPDATE visits SET at = at - 3600000")
    sql.close()
    # What an account has read is read again only after something was written through the server.
    app.token(f"Later {time.time_ns()}")


async def come_back(app: Server, key: str, name: str, page: Page) -> tuple[list[int], list[int]]:
    """Let `name`, who is on `page`, read five comments, and others write meanwhile: return the old ids and the new."""
    old = fill(app, key, f"{name} O", 4)
    author, moderator = Person(app, f"{name} Au"), Person(app, f"{name} Mo", "staff")
    moderator.do("PUT", f"/api/threads/{key}", title="T", author=author.name)
    await page.goto(f"{app.origin}/t/{key}")
    await page.locator("textarea").first.fill("Mine")
    await follow(page, ".post")
    mine = page.locator("li[data-id]", has_text="Mine")
    old.append(int(await mine.get_attribute("data-id") or 0))
    await follow(page, "text=Mark as read")
    await expect(page.locator(".news form")).to_have_count(0)
    let_an_hour_pass(app)
    new = [
        author.post(key, "To you", old[4])["id"],
        author.post(key, "To another", old[0])["id"],
        moderator.post(key, "A new root")["id"],
    ]
    moderator.do("PUT", f"/api/comments/{old[1]}/state", state="removed")
    return old, new


async def test_without_a_script_an_account_is_told_what_is_new_sees_only_that_and_marks_it_as_read(
    app: Server, key: str, name: str, visit: Any
) -> None:
    page = await plain(app, name, f"/t/{key}", visit)
    old, new = await come_back(app, key, name, page)
    await page.goto(f"{app.origin}/t/{key}")
    said = re.compile(r"^Since .*\d\d:\d\d UTC: 3 new, 2 by the author, 1 to you, 1 removed$")
    await expect(page.locator(".since span")).to_have_text(said)
    marked = page.locator("li.unread.since-last")
    assert sorted(await marked.evaluate_all(NEW)) == new
    assert await marked.first.evaluate(HIDDEN_WORD) == '"new, "'
    await follow(page, ".plain a")
    await expect(page).to_have_url(f"{app.origin}/t/{key}?only=new")
    assert await page.locator("li[data-id]:visible").evaluate_all(NEW) == [old[0], new[1], old[4], new[0], new[2]]
    await follow(page, "text=Show all")
    await expect(page.locator("li[data-id]")).to_have_count(7)
    # What the page did not show yet is new the next time.
    late = Person(app, f"{name} L").post(key, "Late")["id"]
    await follow(page, "text=Mark as read")
    await expect(page.locator(".since")).to_be_hidden()
    let_an_hour_pass(app)
    await page.goto(f"{app.origin}/t/{key}?only=new")
    await expect(page.locator(".since span")).to_contain_text("UTC: 1 new")
    assert await page.locator("li[data-id]").evaluate_all(NEW) == [late]


async def test_old_comments_that_were_imported_since_are_new_to_the_server_and_to_the_script(
    app: Server, key: str, name: str, visit: Any, tmp_path: Path
) -> None:
    page = await plain(app, name, f"/t/{key}", visit)
    (first,) = fill(app, key, f"{name} F", 1)
    await page.goto(f"{app.origin}/t/{key}")
    await follow(page, "text=Mark as read")
    await expect(page.locator(".news form")).to_have_count(0)
    let_an_hour_pass(app)
    (tmp_path / "old.jsonl").write_text('{"id":"a","created":5,"body_md":"of 1970"}\n')
    app.run("import", "jsonl", str(tmp_path / "old.jsonl"), "--thread", key)
    reader = await visit()
    await reader.context.add_cookies(await page.context.cookies())
    await reader.read(f"{app.origin}/t/{key}")
    for one in (page, reader.page):
        await one.goto(f"{app.origin}/t/{key}")
        await expect(one.locator(".since span")).to_contain_text(": 1 new")
        shown = await one.locator("li[data-id]").evaluate_all(NEW)
        assert (shown[1], await one.locator("li.since-last").evaluate_all(NEW)) == (first, shown[:1])


async def test_only_the_new_is_paged_and_where_nothing_is_new_all_is_shown(
    app: Server, key: str, name: str, visit: Any
) -> None:
    page = await plain(app, name, f"/t/{key}", visit)
    (first,) = fill(app, key, f"{name} F", 1)
    await page.goto(f"{app.origin}/t/{key}?only=new&sort=top")
    await expect(page.locator("li[data-id]")).to_have_count(1)
    await follow(page, "text=Mark as read")
    await expect(page.locator(".news form")).to_have_count(0)
    let_an_hour_pass(app)
    new = [one for number in range(2) for one in fill(app, f"{key}", f"{name} {'GH'[number]}", 101)]
    answer = Person(app, f"{name} A").post(key, "Deep", first)["id"]
    await page.goto(f"{app.origin}/t/{key}?only=new")
    assert await page.locator("li[data-id]").evaluate_all(NEW) == [first, answer, *new[:199]]
    await follow(page, ".more")
    assert await page.locator("li[data-id]").evaluate_all(NEW) == new[199:]
    await expect(page.locator(".more")).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_script_agrees_with_the_server_and_moves_nothing_on_a_phone(
    app: Server, key: str, name: str, visit: Any, scheme: str
) -> None:
    page = await plain(app, name, f"/t/{key}", visit)
    _, new = await come_back(app, key, name, page)
    cookies = "; ".join(f"{one['name']}={one['value']}" for one in await page.context.cookies())
    served = httpx2.get(f"{app.origin}/t/{key}", headers={"cookie": cookies}, trust_env=False).text
    reader = await visit(viewport={"width": 390, "height": 800}, color_scheme=scheme)
    await reader.context.add_cookies(await page.context.cookies())
    live = reader.page
    await live.add_init_script(f"document.hasFocus = () => false; ({SHIFTS})()")
    await reader.read(f"{app.origin}/t/{key}")
    await expect(live.locator("button.unread").first).to_have_text("3 unread ↓")
    said = re.compile(r"^Since .*\d\d:\d\d( [AP]M)?: 3 new, 2 by the author, 1 to you, 1 removed$")
    await expect(live.locator(".since span")).to_have_text(said)
    marked = sorted(await live.locator("li.since-last").evaluate_all(NEW))
    assert marked == sorted(await live.locator("li.unread").evaluate_all(NEW)) == new
    assert marked == sorted(map(int, re.findall(r'data-id="(\d+)"[^>]*class="[^"]* unread since-last"', served)))
    await live.evaluate(SETTLED)
    assert round(await live.evaluate("window.shift"), 3) == 0, await live.evaluate("window.moved")
    assert await live.evaluate("document.documentElement.scrollWidth") == 390
    await live.click(".since button")
    await expect(live.locator("li[data-id]:visible")).to_have_count(5)
    # What is read is not unread any more, though it was marked by the server.
    await live.set_viewport_size({"width": 390, "height": 2000})
    await live.evaluate("document.hasFocus = () => true")
    await expect(live.locator("li.unread")).to_have_count(0)


async def test_a_page_of_only_the_new_is_live(app: Server, key: str, name: str, visit: Any) -> None:
    page = await plain(app, name, f"/t/{key}", visit)
    old, new = await come_back(app, key, name, page)
    reader = await visit()
    await log_in(reader.page, app, name, "/")
    await reader.read(f"{app.origin}/t/{key}?only=new")
    live = reader.page
    await expect(live.locator("button.unread").first).to_be_visible()
    late = Person(app, f"{name} L").post(key, "Late")["id"]
    await expect(live.locator(".count")).to_have_text("8")
    await reveal(live.locator("live-thread"), 6)
    assert await live.locator("li[data-id]:visible").evaluate_all(NEW) == [
        old[0], new[1], old[4], new[0], new[2], late,
    ]  # fmt: skip
    await live.click("text=Show all")
    await expect(live.locator("li[data-id]")).to_have_count(8)
