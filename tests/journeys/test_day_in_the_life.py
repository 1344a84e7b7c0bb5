"""A day in the life of a reader, in one piece: no line that is read ever moves by itself."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.journeys import screen_reader
from tests.journeys.navigation import choose
from tests.journeys.people import Person
from tests.journeys.test_place import STILL, TOP, loaded
from tests.journeys.test_seen_by_others import log_in
from tests.processes import Server

AWAY = 8
# What a screen reader says of all this: where the focus goes, and what is told meanwhile.
FOCUSED = """
textbox: Name
textbox: Password
button: Log in
article: Ana
link: Reply to Ana
textbox: Reply to Ana
article: Ana
article: new, Ana , reply to Ana
article: new, Ana
link: More actions: comment by Ana
menuitem: Copy link
menuitem: Quote
link: More actions: comment by Ana
textbox: Reply to Ana
button: Post
article: Bo , reply to Ana
link: More actions: comment by Bo
menuitem: Copy link
menuitem: Edit
link: More actions: comment by Bo
textbox: Your comment
button: Save
link: More actions: comment by Bo
button: 1 new reply
article: new, Ana , reply to Bo
button: Fold the replies to Ana
""".strip().splitlines()
TOLD = """
(status) Reconnecting… Your draft is saved.
(status) Back online. 8 new comments.
(status) Your comment was posted.
(status) Your comment was edited.
(status) 1 new comment
""".strip().splitlines()


class Line:
    """The comment that is read, and where it stands: asked after whatever happens around it."""

    def __init__(self, page: Page, id_: int) -> None:
        self.page = page
        self.id = id_
        self.top = 0.0

    async def read(self) -> None:
        """The reader has moved: from now on it stands here."""
        self.top = await self.page.evaluate(STILL, self.id)

    async def assert_stands(self, when: str) -> None:
        assert abs(await self.page.evaluate(TOP, self.id) - self.top) < 1, when


@pytest.mark.scenario(10, 19)
async def test_a_day_in_the_life(app: Server, key: str, name: str, visit: Any) -> None:
    ana, bo = Person(app, f"{name} A"), Person(app, f"{name} B")
    words = "Some words of a thread that people come back to. " * 4
    ids = [ana.post(key, f"Number {number}. {words}")["id"] for number in range(12)]
    for number in range(3):
        ana.post(key, f"Below the fifth, {number}.", ids[5])
    read = ids[4]
    visitor = await visit(viewport={"width": 390, "height": 844})
    page = visitor.page
    await screen_reader.listen(page)
    line = Line(page, read)
    item = page.locator(f"#c-{read}")

    # Arrives by a permalink, reads, and folds a branch.
    await log_in(page, app, bo.name, f"/t/{key}/c/{read}")
    await loaded(page)
    await page.wait_for_selector(".connection[data-state=live]")
    await expect(item.locator("> article")).to_be_focused()
    await expect(item.locator("> article")).to_be_in_viewport()
    await line.read()
    branch = page.locator(f"#c-{ids[5]}")
    await branch.locator("> article .fold").evaluate("(button) => button.click()")
    await expect(branch.locator("> article .fold")).to_have_text("▸ 3 replies")
    await line.assert_stands("a branch below was folded")

    # Writes half a reply, loses the network, and comes back to what came.
    await item.locator("> article .reply").click()
    draft = item.locator("> ol > .answering textarea")
    await draft.press_sequentially("Half a reply")
    await line.read()
    await page.context.set_offline(True)
    app.kill()
    await expect(page.locator(".status")).to_have_text("Reconnecting… Your draft is saved.")
    await expect(page.locator(".status")).to_be_in_viewport(ratio=1)
    await line.assert_stands("the network was lost")
    app.start()
    late = [ana.post(key, f"While away, {number}.", parent)["id"]
            for number, parent in enumerate([ids[0], read, read, ids[5], None, None, None, None])]  # fmt: skip
    await page.context.set_offline(False)
    await expect(page.locator(".status")).to_have_text(f"Back online. {AWAY} new comments.")
    await expect(draft).to_be_focused()
    await expect(draft).to_have_value("Half a reply")
    await expect(item.locator("> article .replies")).to_have_text("2 new replies")
    await line.assert_stands("eight comments came")

    # Steps through the unread, and quotes one.
    await item.locator("> article .body").click()
    await expect(page.locator(".floating .pill")).to_have_attribute("aria-label", "3 new comments")
    await page.keyboard.press("n")
    at_end = page.locator(f"#c-{late[4]}")
    for _ in range(AWAY):
        if await at_end.locator("> article").evaluate("(article) => article === document.activeElement"):
            break
        await page.keyboard.press("n")
    await expect(at_end.locator("> article")).to_be_focused()
    await choose(page, late[4], "quote-all")
    answer = at_end.locator("> ol > .answering textarea")
    await expect(answer).to_have_value(f"> While away, 4.\n>\n> — [{ana.name}](/t/{key}/c/{late[4]})\n\n")
    await answer.press_sequentially("So it is.")
    await at_end.locator(".answering .post").click()
    own = at_end.locator("li.own")
    await expect(own.locator(".body")).to_contain_text("So it is.")

    # Edits it, and sees an answer to it arrive.
    line.id = int(await own.get_attribute("data-id") or 0)
    await choose(page, line.id, "edit")
    editor = own.locator(".editor textarea")
    await expect(editor).not_to_have_value("")
    await editor.press("End")
    await editor.fill((await editor.input_value()) + " Or not.")
    await own.locator(".editor button:not(.quiet)").last.click()
    await expect(own.locator("> article .body")).to_contain_text("Or not.")
    await line.read()
    answered = ana.post(key, "It is.", line.id)["id"]
    arrived = page.locator(f"#c-{answered}")
    await expect(own.locator("> article .replies").or_(arrived).first).to_be_attached()
    await line.assert_stands("an answer came")
    if await own.locator("> article .replies").count():
        await own.locator("> article .replies").click()
    await expect(arrived).to_be_attached()

    # Is at the same line after a reload, with the half reply and the folded branch as they were.
    await branch.locator("> article .fold").click()
    await page.evaluate("(id) => document.querySelector(`#c-${id}`).scrollIntoView({block: 'center'})", line.id)
    await line.read()
    await page.reload()
    await loaded(page)
    await page.evaluate(STILL, line.id)
    await line.assert_stands("the page was reloaded")
    await expect(draft).to_have_value("Half a reply")
    await expect(branch).to_have_class(re.compile(r"\bfolded\b"))

    said = [line.replace(ana.name, "Ana").replace(bo.name, "Bo") for line in await screen_reader.heard(page)]
    assert [line for line in said if not line.startswith("(")] == FOCUSED
    assert [line for line in said if line.startswith("(")] == TOLD
