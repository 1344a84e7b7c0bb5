"""What one person does by the page's own controls is on another's screen, and is equal to a fresh load."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import httpx2
import pytest
from playwright.async_api import Page, expect

from tests.journeys.navigation import choose, follow
from tests.journeys.test_live_conversation import assert_as_fresh, pair
from tests.journeys.test_two_browsers import fill, sign_up
from tests.processes import Server, eventually

PASSWORD = "a long password"


async def log_in(page: Page, app: Server, name: str, back: str) -> None:
    await page.goto(f"{app.origin}/login?next={back}")
    await page.fill("#name", name)
    await page.fill("#password", PASSWORD)
    await page.click("main form button")
    await page.wait_for_url(f"{app.origin}{back}")


async def with_role(app: Server, name: str, role: str, back: str, visit: Any) -> Page:
    """Return the page of a new account with that role, logged in."""
    app.run("account", "create", name, "--role", role, stdin=f"{PASSWORD}\n")
    page: Page = (await visit()).page
    await log_in(page, app, name, back)
    return page


async def set_state(page: Page, app: Server, id_: int, state: str) -> None:
    await page.goto(f"{app.origin}/c/{id_}/moderate")
    await follow(page, f"button[value={state}]")


async def test_a_quote_is_seen_and_goes_and_comes_with_its_source(app: Server, key: str, name: str, visit: Any) -> None:
    (source,) = fill(app, key, f"{name} S", 1)
    writer, reader = await visit(), await visit()
    moderator = await with_role(app, f"{name} M", "moderator", f"/t/{key}", visit)
    await sign_up(writer, app, name, f"/t/{key}")
    await reader.read(f"{app.origin}/t/{key}")
    await writer.page.evaluate(f"getSelection().selectAllChildren(document.querySelector('#c-{source} .body p'))")
    await writer.page.click("button.quote")
    await writer.page.keyboard.type("Quite so.")
    await writer.page.click(".answering .post")
    await expect(reader.page.locator(".count")).to_have_text("2")
    await assert_as_fresh(app, key, reader, visit)
    quoting = reader.page.locator(f"#c-{source} li .body")
    await expect(quoting.locator("blockquote")).to_contain_text("Comment 0.")
    await set_state(moderator, app, source, "removed")
    await expect(quoting).to_contain_text("What was quoted here is gone.")
    await expect(quoting).to_contain_text("Quite so.")
    await assert_as_fresh(app, key, reader, visit)
    await set_state(moderator, app, source, "visible")
    await expect(quoting.locator("blockquote")).to_contain_text("Comment 0.")
    await assert_as_fresh(app, key, reader, visit)


async def test_what_is_held_goes_until_it_is_approved(app: Server, key: str, name: str, visit: Any) -> None:
    first, second = fill(app, key, name, 2)
    reader = await visit()
    moderator = await with_role(app, f"{name} M", "moderator", f"/t/{key}", visit)
    await reader.read(f"{app.origin}/t/{key}")
    await set_state(moderator, app, second, "pending")
    await expect(reader.page.locator(f"#c-{second}")).to_have_count(0)
    await expect(reader.page.locator(".count")).to_have_text("1")
    await assert_as_fresh(app, key, reader, visit)
    await moderator.click("nav >> text=Waiting")
    await (
        moderator.locator(".found > li", has=moderator.locator(f"a[href*='/c/{second}']"))
        .get_by_text("Approve")
        .click()
    )
    await expect(reader.page.locator(".count")).to_have_text("2")
    await assert_as_fresh(app, key, reader, visit)
    await expect(reader.page.locator(f"#c-{first}")).to_have_count(1)


async def test_badges_say_who_speaks(app: Server, key: str, name: str, visit: Any) -> None:
    reader, author = await visit(), await visit()
    await sign_up(author, app, f"{name} Au", f"/t/{key}")
    staff = await with_role(app, f"{name} St", "staff", f"/t/{key}", visit)
    moderator = await with_role(app, f"{name} Mo", "moderator", f"/t/{key}", visit)
    described = await staff.request.put(
        f"{app.origin}/api/threads/{key}",
        data={"title": "Who speaks", "author": f"{name} Au"},
        headers={"origin": app.origin},
    )
    assert described.status == 200
    await reader.read(f"{app.origin}/t/{key}")
    for page, said in ((author.page, "By the author"), (staff, "By the staff"), (moderator, "By a moderator")):
        await page.locator("textarea").first.fill(said)
        await page.locator("button.post").first.click()
        await expect(page.locator("li[data-id]", has_text=said)).to_have_count(1)
    await expect(reader.page.locator(".count")).to_have_text("3")
    await assert_as_fresh(app, key, reader, visit)
    await expect(reader.page.locator("li .badge")).to_have_text(["Author", "Staff", "Moderator"])


async def test_who_is_mentioned_hears_of_it_and_has_read_it_on_every_device(
    app: Server, key: str, name: str, visit: Any
) -> None:
    mentioned, device, writer = await visit(), await visit(), await visit()
    handle = f"{name}-X".replace(" ", "-")
    # In another thread: shown in its own, the mention would be read before anybody presses the bell.
    await sign_up(mentioned, app, handle, f"/t/{key}-aside")
    await log_in(device.page, app, handle, f"/t/{key}-aside")
    await sign_up(writer, app, name, f"/t/{key}")
    await writer.page.locator("textarea").first.fill(f"What says @{handle}?")
    await writer.page.click(".post")
    for one in (mentioned, device):
        await expect(one.page.locator(".bell .told")).to_have_text("1")
    await mentioned.page.click(".bell")
    await expect(mentioned.page.locator(".found .who")).to_contain_text("mentioned you")
    await mentioned.page.click("text=Mark all as read")
    await expect(mentioned.page.locator(".bell .told")).to_have_text("")
    await expect(device.page.locator(".bell .told")).to_have_text("")
    await device.page.reload()
    await expect(device.page.locator(".bell .told")).to_have_text("")
    await mentioned.read(f"{app.origin}/t/{key}")
    await assert_as_fresh(app, key, mentioned, visit)


@pytest.mark.parametrize("choice", ["keep", "erase"])
async def test_an_account_that_is_closed_leaves_the_screens_of_others(
    app: Server, key: str, name: str, visit: Any, choice: str
) -> None:
    writer, reader, id_ = await pair(app, key, name, visit)
    with app.commenter(f"{name} R") as client:
        client.post(f"/api/threads/{key}/comments", json={"body": "Below", "parent": id_, "nonce": "q" * 20})
    await expect(reader.page.locator(".count")).to_have_text("2")
    page = writer.page
    await page.goto(f"{app.origin}/account")
    await page.check(f"input[value={choice}]")
    await page.fill("#password", PASSWORD)
    await page.click("text=Close account permanently")
    await page.wait_for_url(f"{app.origin}/")
    article = reader.page.locator(f"#c-{id_} > article")
    if choice == "keep":
        await expect(article.locator(".name")).to_have_text("Anonymous")
        await expect(article.locator(".body")).to_have_text("What I first said")
    else:
        await expect(article.locator(".body")).to_have_text("Deleted by the author.")
    await expect(reader.page.locator("main")).not_to_contain_text(f"{name} ·")
    await assert_as_fresh(app, key, reader, visit)
    gone = await reader.page.request.get(f"{app.origin}/u/{name}")
    assert gone.status == 404


async def test_a_profile_a_search_and_the_feeds_follow_what_is_said_and_unsaid(
    app: Server, key: str, name: str, visit: Any
) -> None:
    writer, reader, id_ = await pair(app, key, name, visit)
    other = reader.page
    places = {f"/u/{name}": ".found li", f"/search?thread={key}&q=first+said": ".found li"}

    async def is_found(path: str, place: str) -> bool:
        await other.goto(f"{app.origin}{path}")
        return bool(await other.locator(place).count() == 1)

    for path, place in places.items():
        await eventually(lambda path=path, place=place: is_found(path, place))
        await expect(other.locator(f"{place} .body")).to_have_text("What I first said")
        await expect(other.locator(f"{place} a.where")).to_have_attribute("href", f"/t/{key}/c/{id_}#c-{id_}")

    def entries() -> int:
        feed = httpx2.get(f"{app.origin}/t/{key}/feed", trust_env=False).content
        return len(ElementTree.fromstring(feed).findall("{*}entry"))

    assert entries() == 1
    await choose(writer.page, id_, "delete", "delete")
    await expect(writer.page.locator(f"#c-{id_}.comment")).to_have_count(0)
    for path, place in places.items():
        assert not await is_found(path, place)
    assert entries() == 0


async def test_an_edit_shows_what_it_changed(app: Server, key: str, name: str, visit: Any) -> None:
    writer, reader, id_ = await pair(app, key, name, visit)
    await choose(writer.page, id_, "edit")
    await expect(writer.page.locator(".editor textarea")).to_have_value("What I **first** said")
    await writer.page.fill(".editor textarea", "What I **then** said")
    await writer.page.click(".editor button:not(.quiet)")
    note = reader.page.locator(f"#c-{id_} .note")
    await expect(note).to_have_text("Edited – show")
    await note.click()
    await expect(note).to_have_text("edited")
    await note.click()
    await expect(reader.page.locator(".edits del")).to_have_text("first")
    await expect(reader.page.locator(".edits ins")).to_have_text("then")


async def test_a_spoiler_is_hidden_until_it_has_the_focus(app: Server, key: str, name: str, visit: Any) -> None:
    writer, reader, _ = await pair(app, key, name, visit)
    await writer.page.locator("textarea").first.fill("It was ||the *gardener*||.")
    await writer.page.locator(".post").first.click()
    await expect(reader.page.locator(".count")).to_have_text("2")
    await assert_as_fresh(app, key, reader, visit)
    spoiler = reader.page.locator(".spoiler")
    colours = "(one) => [getComputedStyle(one).color, getComputedStyle(one).backgroundColor]"
    # Not by two equal colours: paper has no grounds, and forced colours are the system's.
    for media in ({}, {"media": "print"}, {"media": "screen", "forced_colors": "active"}):
        await reader.page.emulate_media(**media)
        assert (await spoiler.evaluate(colours))[0] == "rgba(0, 0, 0, 0)"
    await reader.page.emulate_media(forced_colors="none")
    await spoiler.focus()
    shown = await spoiler.evaluate(colours)
    assert shown[0] != shown[1]


async def test_who_is_banned_is_out_at_once_and_keeps_what_they_wrote(
    app: Server, key: str, name: str, visit: Any
) -> None:
    writer, reader, id_ = await pair(app, key, name, visit)
    moderator = await with_role(app, f"{name} M", "moderator", f"/t/{key}", visit)
    await writer.page.locator("textarea").first.fill("One thing more")
    # Who tries before they are told.
    await writer.page.route("**/api/ticket", lambda route: route.abort())
    await moderator.goto(f"{app.origin}/c/{id_}/moderate")
    await follow(moderator, "text=Ban account")
    await writer.page.locator(".post").first.click()
    told = "Not posted. Your text is saved. This account was banned."
    await expect(writer.page.locator(".composer .says").first).to_have_text(told)
    await expect(writer.page.locator("textarea").first).to_have_value("One thing more")
    await assert_as_fresh(app, key, reader, visit)


@pytest.mark.parametrize("how", ["banned", "logged out"])
async def test_who_is_out_is_told_before_they_try_and_keeps_their_draft(
    app: Server, key: str, name: str, visit: Any, how: str
) -> None:
    writer, reader, id_ = await pair(app, key, name, visit)
    page = writer.page
    await expect(page.locator("button[aria-label='Previous unread']")).to_have_count(1)
    await page.locator("textarea").first.fill("One thing more")
    # Whose socket has not signed in yet hears of nothing.
    frames: list[str] = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: frames.append(str(frame))))
    await page.reload()
    await eventually(lambda: any("hello" in frame for frame in frames))
    if how == "banned":
        moderator = await with_role(app, f"{name} M", "moderator", f"/t/{key}", visit)
        await moderator.goto(f"{app.origin}/c/{id_}/moderate")
        await moderator.click("text=Ban account")
        told = "This account was banned. Your draft is saved."
    else:
        ended = await page.request.delete(f"{app.origin}/api/session", headers={"origin": app.origin})
        assert ended.status == 200
        told = "You are logged out. Your draft is saved."
    await expect(page.locator(".status")).to_have_text(told)
    await expect(page.locator(".viewer")).to_have_count(0)
    await expect(page.locator(".post").first).to_have_text("Log in or register to post comments")
    await page.click(f"#c-{id_} > article .reply")
    await expect(page.locator(".answering .post")).to_have_text("Log in or register to post comments")
    await expect(page.locator(".preview")).to_have_count(0)
    await expect(page.locator("textarea").first).to_have_value("One thing more")
    await expect(page.locator(".connection")).to_have_attribute("data-state", "live")
    assert reader.wrong == []
