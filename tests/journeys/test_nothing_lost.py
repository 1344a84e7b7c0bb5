"""What was typed stays, whatever comes between; and the focus stays where one works."""

from __future__ import annotations

import re
from typing import Any

from playwright.async_api import Locator, Page, expect

from tests.journeys.navigation import choose
from tests.journeys.people import Person
from tests.journeys.places import IN_BOTH_PLACES, Place
from tests.journeys.test_seen_by_others import log_in
from tests.journeys.test_two_browsers import fill
from tests.processes import Server

REFUSED = "Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); };"
COMPOSED_ESCAPE = """(text) => text.dispatchEvent(
  new KeyboardEvent("keydown", { key: "Escape", isComposing: true, bubbles: true, cancelable: true }))"""


async def loaded(page: Page) -> None:
    await page.wait_for_selector("button[aria-label='Previous unread']", state="attached")


async def test_an_editor_asks_before_it_drops_a_change(app: Server, key: str, name: str, visit: Any) -> None:
    person = Person(app, name)
    own = person.post(key, "As it was")["id"]
    page: Page = (await visit()).page
    await log_in(page, app, name, f"/t/{key}")
    await loaded(page)
    text, form = page.locator(".editor textarea"), page.locator(".editor")
    await choose(page, own, "edit")
    await expect(text).to_have_value("As it was")
    await text.press("Escape")
    await expect(form).to_have_count(0)
    await expect(page.locator(f"#c-{own} .menu")).to_be_focused()
    await choose(page, own, "edit")
    await text.fill("As it will be")
    await text.evaluate(COMPOSED_ESCAPE)
    await expect(form).to_have_count(1)
    await text.press("Escape")
    await expect(form.locator(".says")).to_contain_text("not saved")
    await text.press("!")
    await expect(form.locator(".says")).to_be_empty()
    await text.press("Escape")
    await text.press("Escape")
    await expect(form).to_have_count(0)
    await choose(page, own, "edit")
    await expect(text).to_have_value("As it was")


@IN_BOTH_PLACES
async def test_whatever_is_wrong_is_said_below_the_field_which_has_the_focus_and_is_described_by_it(
    app: Server, place: Place, name: str, visit: Any
) -> None:
    writer = await visit()
    page = await place.sign_up(writer, name)

    async def is_said_of(form: Locator, words: str, *, is_wrong: bool) -> None:
        field, says = form.locator("textarea"), form.locator(".says")
        await expect(says).to_contain_text(words)
        await expect(says).to_have_count(1)
        await expect(field).to_be_focused()
        await expect(field).to_have_accessible_description(re.compile(words))
        assert await field.get_attribute("aria-invalid") == ("true" if is_wrong else None)
        below, above = await says.bounding_box(), await field.bounding_box()
        assert below is not None
        assert above is not None
        assert 0 <= below["y"] - above["y"] - above["height"] <= 8

    async def is_said(form: Locator, post: Locator) -> None:
        field = form.locator("textarea")
        await field.fill("x" * 10_050)
        await post.click()
        await is_said_of(form, "at most 10,000 characters", is_wrong=True)
        await expect(form.locator(".limit")).to_have_text("50 characters too many")
        await field.fill("Short enough")
        await expect(field).not_to_have_attribute("aria-invalid", "true")

    composer = page.locator("form.composer").first
    post = composer.locator(".post")
    await is_said(composer, post)
    await composer.locator("textarea").fill(" ")
    await post.click()
    await is_said_of(composer, "The comment is empty", is_wrong=True)
    await page.context.route("**/api/preview", lambda route: route.abort())
    await page.context.route("**/api/**/comments", lambda route: route.abort())
    await composer.locator("textarea").fill("Once more")
    await composer.locator(".preview").click()
    await expect(composer.locator(".says")).to_contain_text("could not be reached")
    await expect(composer.locator(".shown")).to_have_count(0)
    await post.click()
    await is_said_of(composer, "Not posted", is_wrong=False)
    await page.context.unroute("**/api/**/comments")
    await post.click()
    item = page.locator("li[data-id]")
    await item.locator("> article .reply").click()
    await is_said(page.locator(".answering form"), page.locator(".answering .post"))
    await choose(page, int(await item.get_attribute("data-id") or 0), "edit")
    editor = page.locator("form.editor")
    await expect(editor.locator("textarea")).to_have_value("Once more")
    await is_said(editor, editor.locator(".actions button:not(.quiet)"))


async def test_a_text_is_counted_as_the_server_counts_and_never_cut(
    app: Server, key: str, name: str, visit: Any
) -> None:
    fill(app, key, f"{name} F", 1)
    app.token(name)
    page: Page = (await visit()).page
    await log_in(page, app, name, f"/t/{key}")
    await loaded(page)
    text, limit = page.locator(".composer textarea").first, page.locator(".composer .limit")
    await text.fill("x" * 8_000)
    await expect(limit).to_have_count(0)
    await text.fill("x" * 9_990)
    await expect(limit).to_have_text("10 characters left")
    await text.fill("x" * 10_050)
    await expect(limit).to_have_text("50 characters too many")
    await page.click(".composer .post")
    await expect(page.locator(".composer .says").first).to_contain_text("10,000 characters")
    assert len(await text.input_value()) == 10_050
    await text.fill("\U0001f600" * 9_999)
    await expect(limit).to_have_text("1 character left")
    await page.click(".composer .post")
    await expect(page.locator("li[data-id]")).to_have_count(2)
    await expect(limit).to_have_count(0)


async def test_a_text_that_the_browser_does_not_keep_goes_along_to_the_log_in(
    app: Server, key: str, name: str, visit: Any
) -> None:
    (id_,) = fill(app, key, f"{name} F", 1)
    app.token(name)
    page: Page = (await visit()).page
    await page.add_init_script(REFUSED)
    await page.goto(f"{app.origin}/t/{key}")
    await loaded(page)
    await page.click(f"#c-{id_} .reply")
    await page.fill(".answering textarea", "Nobody keeps this")
    asked: list[str] = []

    async def stay(dialog: Any) -> None:
        asked.append(dialog.type)
        await dialog.dismiss()

    page.on("dialog", stay)
    await page.evaluate("new Promise((done) => setTimeout(done, 600))")
    await page.evaluate("location.reload()")
    await expect(page.locator(".answering textarea")).to_have_value("Nobody keeps this")
    assert asked == ["beforeunload"]
    await page.click(".answering .post")
    await expect(page.locator("blockquote.kept")).to_have_text("Nobody keeps this")
    await page.fill("#name", name)
    await page.fill("#password", "a long password")
    await page.click("main form button")
    await expect(page.locator("textarea")).to_have_value("Nobody keeps this")


async def test_a_form_with_a_text_outlasts_a_lock(app: Server, key: str, name: str, visit: Any) -> None:
    (id_,) = fill(app, key, f"{name} F", 1)
    staff = Person(app, f"{name} S", "staff")
    page: Page = (await visit()).page
    await page.goto(f"{app.origin}/t/{key}")
    await loaded(page)
    await page.click(f"#c-{id_} .reply")
    await page.fill(".answering textarea", "Begun before the lock")
    await page.locator(".answering textarea").blur()
    staff.do("PUT", f"/api/threads/{key}/lock", locked=True)
    await expect(page.locator(".notice.locked")).to_be_visible()
    await expect(page.locator(".answering textarea")).to_be_visible()
    await expect(page.locator(".composer textarea").first).to_be_hidden()


async def test_the_focus_stays_where_one_works(app: Server, key: str, name: str, visit: Any) -> None:
    ids = fill(app, key, f"{name} F", 12)
    app.token(name)
    page: Page = (await visit()).page
    await log_in(page, app, name, f"/t/{key}")
    await loaded(page)
    reply = page.locator(f"#c-{ids[3]} > article .reply")
    await reply.click()
    await page.click(".answering button:text('Close')")
    await expect(reply).to_be_focused()
    await reply.click()
    await page.keyboard.type("An answer")
    await page.click(".answering .post")
    own = page.locator(f"#c-{ids[3]} li.own")
    await expect(own.locator("> article")).to_be_focused()
    await expect(page.locator("[role=status]")).to_have_text("Your comment was posted.")
    delete = page.locator(".choices .delete")
    await own.locator("> article .menu").click()
    await delete.click()
    await expect(page.locator("[role=status]")).to_contain_text("Press again")
    await delete.press("Enter")
    await expect(page.locator(f"#c-{ids[4]} > article")).to_be_focused()
    # What is out of sight is led to.
    await page.evaluate("scrollTo(0, 0)")
    await page.locator(".composer textarea").first.fill("Far below")
    await page.click(".composer .post")
    await page.click(".status a")
    far = page.locator("li.own", has_text="Far below")
    await expect(far.locator("> article")).to_be_focused()
    await expect(far).to_be_in_viewport()
    # The keys are where they are on any layout.
    await page.evaluate("document.activeElement.dispatchEvent(new KeyboardEvent('keydown',"
                        " {key: 'л', code: 'KeyK', bubbles: true}))")  # fmt: skip
    await expect(page.locator(f"#c-{ids[11]} > article")).to_be_focused()


async def test_the_bell_is_silent_once_its_answer_was_read(app: Server, key: str, name: str, visit: Any) -> None:
    ana, bo = Person(app, name), Person(app, f"{name} B")
    first = ana.post(key, "A question")["id"]
    page: Page = (await visit()).page
    await log_in(page, app, name, f"/t/{key}")
    await loaded(page)
    answer = bo.post(key, "An answer", parent=first)["id"]
    await expect(page.locator(".bell .told")).to_have_text("1")
    await page.locator(".pill:not([hidden])").click()
    await expect(page.locator(f"#c-{answer}")).to_be_in_viewport()
    await expect(page.locator(".bell .told")).to_be_empty()
