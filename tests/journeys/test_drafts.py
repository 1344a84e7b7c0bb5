"""A draft is its account's: the next to log in at the same browser finds nothing of it, and logging out clears it."""

from __future__ import annotations

from typing import Any

from playwright.async_api import Page, expect

from tests.journeys.test_seen_by_others import log_in
from tests.journeys.test_two_browsers import fill
from tests.processes import Server, eventually

EVERYTHING = "JSON.stringify(localStorage) + JSON.stringify(sessionStorage)"
WORDS = "What only Ana was to know"


async def somebody(app: Server, name: str, key: str, visit: Any) -> Page:
    """Return the page of a thread, with a new account logged in."""
    app.token(name)
    page: Page = (await visit()).page
    await log_in(page, app, name, f"/t/{key}")
    await settled(page)
    return page


async def settled(page: Page) -> None:
    await page.wait_for_selector(".keys", state="attached")


async def kept(page: Page, words: str = WORDS) -> bool:
    return words in str(await page.evaluate(EVERYTHING))


async def begin(page: Page, words: str = WORDS) -> None:
    await page.locator("textarea").first.fill(words)
    await eventually(lambda: kept(page, words))


async def end_session(page: Page, app: Server) -> None:
    """Let the session end without a log-out in this browser."""
    answer = await page.request.delete(f"{app.origin}/api/session", headers={"origin": app.origin})
    assert answer.status == 200


async def test_the_next_account_finds_nothing_of_the_one_before(app: Server, key: str, name: str, visit: Any) -> None:
    (id_,) = fill(app, key, f"{name} F", 1)
    page = await somebody(app, name, key, visit)
    await begin(page)
    await page.click(f"#c-{id_} .reply")
    await page.locator(".answering textarea").fill(f"{WORDS}, too")
    await eventually(lambda: kept(page, f"{WORDS}, too"))
    await end_session(page, app)
    app.token(f"{name} B")
    await log_in(page, app, f"{name} B", f"/t/{key}")
    await settled(page)
    await expect(page.locator("textarea").first).to_have_value("")
    await page.click(f"#c-{id_} .reply")
    await expect(page.locator(".answering textarea")).to_have_value("")
    assert not await kept(page)


async def test_whoever_is_not_logged_in_finds_nothing_and_the_owner_finds_it_again(
    app: Server, key: str, name: str, visit: Any
) -> None:
    page = await somebody(app, name, key, visit)
    await begin(page)
    await end_session(page, app)
    await page.goto(f"{app.origin}/t/{key}")
    await settled(page)
    await expect(page.locator("textarea").first).to_have_value("")
    await log_in(page, app, name, f"/t/{key}")
    await expect(page.locator("textarea").first).to_have_value(WORDS)


async def test_logging_out_clears_what_was_begun(app: Server, key: str, name: str, visit: Any) -> None:
    page = await somebody(app, name, key, visit)
    other = await page.context.new_page()
    await other.goto(f"{app.origin}/t/{key}")
    await settled(other)
    await begin(page)
    await expect(other.locator("textarea").first).to_have_value(WORDS)
    await other.evaluate("document.activeElement.blur()")
    async with page.expect_navigation():
        await page.click("text=Log out")
    for one in (page, other):
        await expect(one.locator(".viewer")).to_have_count(0)
        await expect(one.locator("textarea").first).to_have_value("")
    await settled(page)
    assert not await kept(page)
    await log_in(page, app, name, f"/t/{key}")
    await settled(page)
    await expect(page.locator("textarea").first).to_have_value("")


async def test_logging_out_from_a_page_without_script_clears_it_too(
    app: Server, key: str, name: str, visit: Any
) -> None:
    page = await somebody(app, name, key, visit)
    await begin(page)
    await page.goto(f"{app.origin}/inbox")
    assert await kept(page)
    async with page.expect_navigation():
        await page.click("text=Log out")
    await eventually(lambda: nothing_kept(page))


async def nothing_kept(page: Page) -> bool:
    return not await kept(page)


async def test_what_a_stranger_began_goes_along_with_the_log_in_of_that_tab_alone(
    app: Server, key: str, name: str, visit: Any
) -> None:
    page: Page = (await visit()).page
    await page.goto(f"{app.origin}/t/{key}")
    await settled(page)
    await begin(page)
    # Another tab of the browser, opened by hand: nothing was written there.
    other = await page.context.new_page()
    app.token(name)
    await other.goto("about:blank")
    await log_in(other, app, name, f"/t/{key}")
    await settled(other)
    await expect(other.locator("textarea").first).to_have_value("")
    await page.reload()
    await expect(page.locator(".viewer")).to_have_text(name)
    await expect(page.locator("textarea").first).to_have_value(WORDS)


async def test_a_nonce_of_mine_makes_no_comment_of_another_mine(app: Server, key: str, name: str, visit: Any) -> None:
    (first, *_) = fill(app, key, f"{name} F", 12)
    page = await somebody(app, name, key, visit)
    await page.locator("textarea").first.fill("Mine")
    await page.click(".composer .post")
    mine = page.locator("li[data-id]", has_text="Mine")
    await expect(mine).to_have_count(1)
    own = (await (await page.request.get(f"{app.origin}/api/threads/{key}")).json())["comments"]
    (nonce,) = [one["nonce"] for one in own if "Mine" in one["html"]]
    await mine.scroll_into_view_if_needed()
    with app.commenter(f"{name} M") as mallory:
        comment = {"body": "As if from you", "parent": first, "nonce": nonce}
        assert mallory.post(f"/api/threads/{key}/comments", json=comment).status_code == 201
    await expect(page.locator(".pill")).to_have_text("\u200e+1")
    await expect(page.locator("li[data-id]", has_text="As if from you")).to_have_count(0)
    await page.click(".pill")
    await expect(page.locator(f"#c-{first} li.unread")).to_have_count(1)
