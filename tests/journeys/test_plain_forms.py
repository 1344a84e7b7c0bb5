"""What a conversation is made of, by GET and POST alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.async_api import Page, expect

from tests.journeys.navigation import follow
from tests.journeys.people import Person
from tests.journeys.test_seen_by_others import log_in
from tests.journeys.test_two_browsers import fill
from tests.journeys.test_without_javascript import write
from tests.processes import Server, eventually

PASSWORD = "a long password"


async def plain(app: Server, name: str, back: str, visit: Any, role: str = "") -> Page:
    """Return the page of a new account, without JavaScript."""
    app.run("account", "create", name, *(["--role", role] if role else []), stdin=f"{PASSWORD}\n")
    page: Page = (await visit(java_script_enabled=False)).page
    await log_in(page, app, name, back)
    return page


async def test_voting_editing_and_what_was_edited(app: Server, key: str, name: str, visit: Any) -> None:
    (id_,) = fill(app, key, f"{name} V", 1)
    page = await plain(app, name, f"/t/{key}", visit)
    up, down = (page.locator(f"#c-{id_} .vote button").nth(place) for place in (0, 1))
    # The scores of a thread move at most once a second, but one's own vote is there at once.
    for button, is_pressed, score in ((up, 1, "1"), (up, 0, "0"), (up, 1, "1"), (down, 1, "-1"), (down, 0, "0")):
        await follow(page, button)
        await expect(button).to_have_attribute("aria-pressed", "true" if is_pressed else "false")
        await expect(page.locator(f"#c-{id_} .score")).to_have_text(score)
    await write(page, "I said *this*")
    mine = page.locator("li[data-id]", has_text="I said")
    await follow(page, mine.locator(".menu"))
    await follow(page, ".choices >> text=Edit")
    await expect(page.locator("textarea")).to_have_value("I said *this*")
    second = await page.context.new_page()
    await second.goto(page.url)
    await second.fill("textarea", "I said *that*")
    await follow(second, "text=Save")
    await page.fill("textarea", "I said nothing")
    await follow(page, "text=Save")
    await expect(page.locator(".kept")).to_have_text("I said *that*")
    await expect(page.locator("textarea")).to_have_value("I said nothing")
    await follow(page, "text=Save")
    await expect(mine.locator(".body")).to_have_text("I said nothing")
    await follow(page, mine.locator(".note"))
    await expect(page.locator(".edits > li")).to_have_count(3)
    await expect(page.locator(".edits del").first).to_contain_text("that")


async def test_every_order_and_the_authors_answers_are_links(app: Server, key: str, name: str, visit: Any) -> None:
    first, second = fill(app, key, f"{name} Q", 2)
    page = await plain(app, f"{name} St", f"/t/{key}", visit, "staff")
    described = {"title": "T", "author": f"{name} St"}
    headers = {"origin": app.origin}
    answer = await page.request.put(f"{app.origin}/api/threads/{key}", data=described, headers=headers)
    assert answer.status == 200
    await page.goto(f"{app.origin}/t/{key}")
    await follow(page, f"#c-{second} .vote button >> nth=0")
    await follow(page, f"#c-{first} .reply")
    await page.fill(".answering textarea", "The author's answer")
    await follow(page, ".answering .post")
    mine = await page.locator("li li[data-id]").get_attribute("data-id")
    await page.goto(f"{app.origin}/t/{key}")
    ids = "(list) => list.map((item) => Number(item.dataset.id))"
    for sort, shown in {
        "Newest": [second, first, int(mine or 0)],
        "Top": [second, first, int(mine or 0)],
        "Flat": [first, second, int(mine or 0)],
        "Oldest": [first, int(mine or 0), second],
    }.items():
        await follow(page, f".sorts >> text={sort}")
        assert await page.locator("li[data-id]").evaluate_all(ids) == shown, sort
    await follow(page, ".sorts >> text=Author’s replies")
    assert await page.locator("li[data-id]:visible").evaluate_all(ids) == [first, int(mine or 0)]
    await expect(page.locator("li li .badge")).to_have_text("Author")


async def test_a_preview_a_quote_a_mention_and_a_spoiler(app: Server, key: str, name: str, visit: Any) -> None:
    (source,) = fill(app, key, f"{name} Q", 1)
    page = await plain(app, name, f"/t/{key}", visit)
    text = f'> Comment 0.\n>\n> — [Q](/t/{key}/c/{source})\n\n@"{name} Q" means ||nothing||'
    await page.locator("textarea").first.fill(text)
    await follow(page, page.locator(".preview").first)
    shown = await page.locator(".shown").inner_html()
    await expect(page.locator("textarea")).to_have_value(text)
    await follow(page, ".post")
    body = page.locator("li[data-id] .body", has=page.locator(".mention"))
    assert await body.inner_html() == shown
    await expect(body.locator("blockquote a")).to_have_attribute("href", f"/t/{key}/c/{source}")
    await follow(page, body.locator(".mention"))
    await expect(page.locator("h1")).to_have_text(f"{name} Q")
    await expect(page.locator(".found li")).to_have_count(1)


async def test_the_inbox_its_feed_and_the_end_of_an_account(app: Server, key: str, name: str, visit: Any) -> None:
    page = await plain(app, name, f"/t/{key}", visit)
    await write(page, "Ask me")
    id_ = int(await page.locator("li[data-id]").get_attribute("data-id") or 0)
    with app.commenter(f"{name} A") as client:
        client.post(f"/api/threads/{key}/comments", json={"body": "I do", "parent": id_, "nonce": "i" * 20})
    await page.reload()
    await expect(page.locator(".bell .told")).to_have_text("1")
    await follow(page, ".bell")
    await expect(page.locator(".found .context")).to_have_text("Ask me")
    await expect(page.locator(".found .body")).to_have_text("I do")
    await expect(page.locator(".found .badge")).to_have_text("New")
    await follow(page, "text=Mark all as read")
    await expect(page.locator(".found .badge")).to_have_count(0)
    await expect(page.locator(".bell .told")).to_have_text("")
    await follow(page, ".viewer")
    await follow(page, "text=Create an address")
    feed = await page.locator("a[href*='/feed/mine/']").get_attribute("href")
    assert "I do" in await (await page.request.get(str(feed))).text()
    await page.check("input[value=keep]")
    await page.fill("#password", "not my password")
    await follow(page, "text=Close account permanently")
    await expect(page.locator("[action='/account/close'] .says")).not_to_have_text("")
    await page.check("input[value=keep]")
    await page.fill("#password", PASSWORD)
    await follow(page, "text=Close account permanently")
    await expect(page.locator(".viewer")).to_have_count(0)
    await page.goto(f"{app.origin}/t/{key}")
    await expect(page.locator(f"#c-{id_} > article .name")).to_have_text("Anonymous")


async def test_searching_and_the_feed_of_a_thread(app: Server, key: str, name: str, visit: Any) -> None:
    fill(app, key, name, 2)
    page = (await visit(java_script_enabled=False)).page

    async def is_found() -> bool:
        await page.goto(f"{app.origin}/t/{key}")
        await follow(page, ".sorts >> text=Search")
        await page.fill("#q", "paragraphs")
        await follow(page, "main form button")
        return bool(await page.locator(".found li").count() == 2)

    await eventually(is_found)
    await page.goto(f"{app.origin}/t/{key}")
    feed = await page.locator(".sorts >> text=Feed").get_attribute("href")
    assert "It has two paragraphs" in await (await page.request.get(f"{app.origin}{feed}")).text()


async def test_a_moderator_needs_no_script_either(app: Server, key: str, name: str, visit: Any) -> None:
    (id_,) = fill(app, key, f"{name} T", 1)
    page = await plain(app, f"{name} M", f"/t/{key}", visit, "moderator")
    body = page.locator(f"#c-{id_} .body")
    for button, back in (("Remove", "Restore"), ("Hold", "Approve")):
        await page.goto(f"{app.origin}/t/{key}/c/{id_}")
        await follow(page, f"#c-{id_} .menu")
        await follow(page, ".choices >> text=Moderate")
        await follow(page, f"button:text-is('{button}')")
        said = "removed" if back == "Restore" else "pending"
        await expect(page.locator(".notice, main .meta").first).to_contain_text(said)
        await page.goto(f"{app.origin}/t/{key}")
        await expect(page.locator(".count")).to_have_text("0")
        await page.goto(f"{app.origin}/c/{id_}/moderate" if back == "Restore" else f"{app.origin}/pending")
        await follow(page, page.locator(f"form[action='/c/{id_}/state'] >> text={back}"))
        if back == "Approve":
            # One stays where one decides, and is told what was done.
            await expect(page.locator(".notice")).to_have_text(f"The comment by {name} T is shown now. Change this")
            await page.goto(f"{app.origin}/t/{key}/c/{id_}")
        await expect(body).to_contain_text("Comment 0.")
    await page.goto(f"{app.origin}/t/{key}")
    await follow(page, "text=Lock the thread")
    await expect(page.locator(".locked")).to_be_visible()
    await follow(page, "text=Unlock the thread")
    await expect(page.locator(".locked")).to_be_hidden()
    await follow(page, f"#c-{id_} .menu")
    await follow(page, ".choices >> text=Moderate")
    await follow(page, "text=Ban account")
    await expect(page.locator("main")).to_contain_text("This account is banned.")
    await expect(page.locator("button.danger")).to_have_text(["Remove"])
    answer = await page.request.post(
        f"{app.origin}/api/session", data={"name": f"{name} T", "password": PASSWORD}, headers={"origin": app.origin}
    )
    assert answer.status == 403


@pytest.mark.parametrize("address", ["inbox", "account", "pending"])
async def test_who_is_nobody_is_asked_to_log_in(app: Server, visit: Any, address: str) -> None:
    page = (await visit(java_script_enabled=False)).page
    answer = await page.goto(f"{app.origin}/{address}")
    assert answer
    assert answer.status == 401


def test_an_error_page_leads_back_and_asks_to_log_in_only_where_that_helps(app: Server, key: str, name: str) -> None:
    person = Person(app, name)
    lost = person.http.get(f"/t/{key}/c/987654321").text
    assert f'<a href="/t/{key}">The thread</a>' in lost
    # Who asks is not known there.
    assert "/login" not in lost
    with httpx2.Client(base_url=app.origin, trust_env=False) as nobody:
        assert '<a class="more" href="/login?next=/inbox">Log in</a>' in nobody.get("/inbox").text


def test_a_moderator_is_offered_what_fits_the_account(app: Server, key: str, name: str) -> None:
    moderator, other = Person(app, f"{name} M", "moderator"), Person(app, name)
    page = f"/c/{other.post(key, 'Hello')['id']}/moderate"
    ban, let_in = "Ban account", "Unban"
    for is_banned in (False, True, False):
        moderator.do("PUT", f"/api/accounts/{name}/ban", banned=is_banned)
        shown = moderator.http.get(page).text
        assert (ban in shown, let_in in shown) == (not is_banned, is_banned)


def test_a_moderator_decides_on_the_text_that_was_seen(app: Server, key: str, name: str) -> None:
    moderator, author = Person(app, f"{name} M", "moderator"), Person(app, name)
    comment = author.post(key, "First words")
    there = f"/c/{comment['id']}/state"
    page = moderator.http.get(f"/c/{comment['id']}/moderate").text
    assert '<input type="hidden" name="revision" value="1">' in page
    author.do("PATCH", f"/api/comments/{comment['id']}", body="Second words", revision=1)
    late = moderator.http.post(there, data={"state": "removed", "revision": "1"})
    assert late.status_code == 409
    assert "This comment was edited in the meantime. This is the current text:" in late.text
    assert "Second words" in late.text
    assert '<input type="hidden" name="revision" value="2">' in late.text
    refused = moderator.do("PUT", f"/api/comments/{comment['id']}/state", 409, state="removed", revision=1)
    assert refused["error"]["code"] == "stale_revision"
    assert (refused["current"]["revision"], refused["current"]["body"]) == (2, "Second words")
    assert author.do("GET", f"/api/comments/{comment['id']}")["comment"]["state"] == "visible"
    # What is as it should be already needs no decision.
    moderator.do("PUT", f"/api/comments/{comment['id']}/state", state="visible", revision=1)
    assert moderator.http.post(there, data={"state": "removed", "revision": "2"}).status_code == 303
    assert author.do("GET", f"/api/comments/{comment['id']}")["comment"]["state"] == "removed"


def test_the_list_of_what_waits_sends_the_text_that_it_showed(tmp_path: Path) -> None:
    with Server(tmp_path, LIVETHREAD_HOLD="all") as app:
        moderator, author = Person(app, "Keeper", "moderator"), Person(app, "Ana")
        comment = author.post("held", "First words")
        page = moderator.http.get("/pending").text
        assert "First words" in page
        assert '<input type="hidden" name="revision" value="1">' in page
        author.do("PATCH", f"/api/comments/{comment['id']}", body="Worse words", revision=1)
        late = moderator.http.post(f"/c/{comment['id']}/state", data={"state": "visible", "revision": "1"})
        assert (late.status_code, "Worse words" in late.text) == (409, True)
        assert moderator.do("GET", "/api/pending")["pending"][0]["comment"]["revision"] == 2


def test_a_page_that_was_refused_for_a_moment_is_asked_for_again_by_its_link(tmp_path: Path) -> None:
    with Server(tmp_path, LIVETHREAD_LIMITS="on", LIVETHREAD_LIMIT_SEARCHES_ADDRESS="1/3600") as app:
        answers = [httpx2.get(f"{app.origin}/search?q=a&thread=b", trust_env=False) for _ in range(2)]
    assert [one.status_code for one in answers] == [200, 429]
    assert '<a class="more" href="/search?q=a&amp;thread=b">Try again</a>' in answers[1].text
