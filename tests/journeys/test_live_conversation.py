"""What one does to a comment in one browser is seen in another, and is equal to a fresh load."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.async_api import expect

from tests.journeys.conftest import reveal
from tests.journeys.navigation import choose
from tests.journeys.places import IN_BOTH_PLACES, Place
from tests.journeys.test_two_browsers import SETTLED, SHIFTS, fill, sign_up
from tests.processes import Server


async def pair(app: Server, key: str, name: str, visit: Any, place: Place | None = None) -> tuple[Any, Any, int]:
    """Return a writer who is signed in, a reader (at `place`), and the comment that the writer has posted."""
    writer, reader = await visit(), await visit()
    await sign_up(writer, app, name, f"/t/{key}")
    await writer.page.fill("textarea", "What I **first** said")
    await writer.page.click(".post")
    item = writer.page.locator("li[data-id]")
    await expect(item).to_have_count(1)
    await (place or Place(app, key)).read(reader)
    return writer, reader, int(await item.get_attribute("data-id"))


async def assert_as_fresh(app: Server, key: str, reader: Any, visit: Any) -> None:
    fresh = await visit()
    await fresh.read(f"{app.origin}/t/{key}")
    assert await reader.painted() == await fresh.painted()


@IN_BOTH_PLACES
@pytest.mark.scenario(6)
async def test_an_edit_waits_for_the_reader_who_has_the_text_before_their_eyes(
    app: Server, place: Place, name: str, visit: Any
) -> None:
    writer, reader, id_ = await pair(app, place.key, name, visit, place)
    await reader.page.wait_for_timeout(300)
    await choose(writer.page, id_, "edit")
    await expect(writer.page.locator(".editor textarea")).to_have_value("What I **first** said")
    await writer.page.fill(".editor textarea", "What I say *now*")
    await writer.page.click(".editor button:not(.quiet)")
    await expect(writer.page.locator(f"#c-{id_} .body")).to_have_text("What I say now")
    note = reader.page.locator(f"#c-{id_} .note")
    await expect(note).to_have_text("Edited – show")
    # In the line that says when, and the name before it whole.
    middle = "one => { const { top, bottom } = one.getBoundingClientRect(); return (top + bottom) / 2; }"
    when = reader.page.locator(f"#c-{id_} .time")
    assert abs(await note.evaluate(middle) - await when.evaluate(middle)) <= 2
    await expect(reader.page.locator(f"#c-{id_} .body")).to_have_text("What I first said")
    await note.click()
    await expect(reader.page.locator(f"#c-{id_} .body")).to_have_text("What I say now")
    await place.assert_as_fresh(reader, visit)


async def test_a_stale_edit_shows_both_texts_and_loses_none(app: Server, key: str, name: str, visit: Any) -> None:
    writer, _, id_ = await pair(app, key, name, visit)
    page = writer.page
    await choose(page, id_, "edit")
    await expect(page.locator(".editor textarea")).to_have_value("What I **first** said")
    answer = await page.request.patch(
        f"{app.origin}/api/comments/{id_}",
        data={"body": "From my phone", "revision": 1},
        headers={"origin": app.origin},
    )
    assert answer.status == 200
    await page.fill(".editor textarea", "From my desk")
    await page.click(".editor button:not(.quiet)")
    await expect(page.locator(".editor .kept")).to_have_text("From my phone")
    await expect(page.locator(".editor textarea")).to_have_value("From my desk")
    await page.click(".editor button:not(.quiet)")
    await expect(page.locator(f"#c-{id_} .body")).to_have_text("From my desk")


async def test_only_another_text_or_state_is_a_change_to_who_answers(
    app: Server, key: str, name: str, visit: Any
) -> None:
    reader = await visit()
    with app.commenter(f"{name} P") as author, app.commenter(f"{name} O") as other:
        post = {"body": "What I first said", "nonce": "p" * 20}
        id_ = author.post(f"/api/threads/{key}/comments", json=post).json()["comment"]["id"]
        page = await reader.read(f"{app.origin}/t/{key}")
        await page.click(f"#c-{id_} .reply")
        await page.fill(".answering textarea", "I am at it")
        assert other.put(f"/api/comments/{id_}/vote", json={"value": 1}).status_code == 200
        await expect(page.locator(f"#c-{id_} > article .score")).to_have_text("1")
        reply = {"body": "First", "parent": id_, "nonce": "q" * 20}
        assert other.post(f"/api/threads/{key}/comments", json=reply).status_code == 201
        await expect(page.locator(f"#c-{id_}")).to_have_attribute("data-replies", "1")
        says = page.locator(".answering .says")
        await expect(says).to_have_text("")
        edit = {"body": "What I say now", "revision": 1}
        assert author.patch(f"/api/comments/{id_}", json=edit).status_code == 200
        await expect(says).to_have_text("This comment changed while you were writing.")
        await expect(page.locator(".answering textarea")).to_have_value("I am at it")


async def test_a_vote_is_shown_at_once_and_reaches_others_as_a_score(
    app: Server, key: str, name: str, visit: Any
) -> None:
    (id_,) = fill(app, key, f"{name} W", 1)
    voter, reader = await visit(), await visit()
    await sign_up(voter, app, name, f"/t/{key}")
    await reader.read(f"{app.origin}/t/{key}")
    up = voter.page.locator(f"#c-{id_} .vote button").first
    await up.click()
    await expect(up).to_have_attribute("aria-pressed", "true")
    for one in (voter, reader):
        await expect(one.page.locator(f"#c-{id_} .score")).to_have_text("1")
    await voter.page.reload()
    await expect(voter.page.locator(f"#c-{id_} .vote button").first).to_have_attribute("aria-pressed", "true")
    await voter.page.locator(f"#c-{id_} .vote button").first.click()
    await expect(reader.page.locator(f"#c-{id_} .score")).to_have_text("0")
    await assert_as_fresh(app, key, reader, visit)


@IN_BOTH_PLACES
async def test_a_large_score_is_written_as_the_reader_writes_numbers_and_moves_nothing(
    app: Server, place: Place, name: str, visit: Any, tmp_path: Path
) -> None:
    line = {"id": "a", "author": f"{name} O", "body_md": "Liked", "created": 1_700_000_000, "score": 999}
    (tmp_path / "one.jsonl").write_text(json.dumps(line))
    app.run("import", "jsonl", str(tmp_path / "one.jsonl"), "--thread", place.key)
    voter, reader = await visit(), await visit()
    await sign_up(voter, app, name, f"/t/{place.key}")
    await place.read(reader)
    up, down = (voter.page.locator(".comments .vote button").nth(which) for which in (0, 1))
    before = await down.bounding_box()
    # Up, back, and up again: what is shown at once is counted on from what is written there.
    for score in ("1,000", "999", "1,000"):
        await up.click()
        await expect(voter.page.locator(".comments .score")).to_have_text(score)
        assert await down.bounding_box() == before
    await expect(reader.page.locator(".comments .score")).to_have_text("1,000")
    await place.assert_as_fresh(reader, visit)


@IN_BOTH_PLACES
@pytest.mark.scenario(8)
async def test_what_a_moderator_removes_and_restores_goes_and_comes_live(
    app: Server, place: Place, name: str, visit: Any
) -> None:
    (id_, _) = fill(app, place.key, name, 2)
    with app.commenter(f"{name} R") as client:
        client.post(f"/api/threads/{place.key}/comments", json={"body": "Answer", "parent": id_, "nonce": "a" * 20})
    app.run("account", "create", f"{name} M", "--role", "moderator", stdin="a long password\n")
    moderator, reader = await visit(), await visit()
    await place.read(reader)
    page = moderator.page
    await page.goto(f"{app.origin}/login?next=/t/{place.key}")
    await page.fill("#name", f"{name} M")
    await page.fill("#password", "a long password")
    await page.click("main form button")
    await choose(page, id_, "moderate")
    await page.click("button[value=removed]")
    body = reader.page.locator(f"#c-{id_} > article .body")
    await expect(body).to_have_text("Removed by a moderator.")
    await page.goto(f"{app.origin}/c/{id_}/moderate")
    await page.click("button[value=visible]")
    await expect(body).not_to_have_text("Removed by a moderator.")
    await place.assert_as_fresh(reader, visit)


@pytest.mark.parametrize("sort", ["newest", "top", "flat"])
async def test_every_order_stays_live_and_equal_to_a_fresh_load(
    app: Server, key: str, name: str, visit: Any, sort: str
) -> None:
    ids = fill(app, key, name, 3)
    with app.commenter(f"{name} V") as client:
        client.put(f"/api/comments/{ids[1]}/vote", json={"value": 1})
        reader = await visit()
        await reader.read(f"{app.origin}/t/{key}?sort={sort}")
        client.post(f"/api/threads/{key}/comments", json={"body": "Answer", "parent": ids[0], "nonce": "b" * 20})
        client.post(f"/api/threads/{key}/comments", json={"body": "A new root", "nonce": "c" * 20})
    await expect(reader.page.locator(".count")).to_have_text("5")
    await reveal(reader.page.locator("live-thread"), 5)
    fresh = await visit()
    await fresh.read(f"{app.origin}/t/{key}?sort={sort}")
    assert await reader.painted() == await fresh.painted()


@IN_BOTH_PLACES
@pytest.mark.scenario(26)
async def test_a_selection_becomes_a_quote_with_its_source(app: Server, place: Place, name: str, visit: Any) -> None:
    (id_,) = fill(app, place.key, f"{name} Q", 1)
    reader = await visit()
    await place.sign_up(reader, name)
    await reader.page.locator(f"#c-{id_} .body p").first.select_text()
    await reader.page.click("button.quote")
    text = reader.page.locator(".answering textarea")
    await expect(text).to_have_value(f"> Comment 0.\n>\n> — [{name} Q](/t/{place.key}/c/{id_})\n\n")
    await reader.page.keyboard.type("Indeed.")
    await reader.page.click(".answering .post")
    source = re.compile(f"/t/{place.key}/c/{id_}$")
    await expect(reader.page.locator(f"#c-{id_} li blockquote a")).to_have_attribute("href", source)


async def test_a_mention_is_completed_with_who_takes_part(app: Server, key: str, name: str, visit: Any) -> None:
    fill(app, key, f"{name} Part", 1)
    writer = await visit()
    await sign_up(writer, app, name, f"/t/{key}")
    await writer.page.locator("textarea").first.press_sequentially("Well, @Ana")
    await writer.page.locator(".names button").first.click()
    await expect(writer.page.locator("textarea").first).to_have_value(f'Well, @"{name} Part" ')
    await writer.page.click(".post")
    mention = writer.page.locator("li[data-id] .mention")
    await expect(mention).to_have_text(f"@{name} Part")
    await expect(mention).to_have_attribute("href", "/u/" + f"{name} Part".replace(" ", "%20"))


async def test_the_authors_answers_are_shown_with_what_they_answer(
    app: Server, key: str, name: str, visit: Any
) -> None:
    question, _ = fill(app, key, f"{name} Q", 2)
    with app.commenter(f"{name} Au") as author:
        app.run("account", "create", f"{name} St", "--role", "staff", stdin="a long password\n")
        session = {"name": f"{name} St", "password": "a long password", "token": True}
        token = httpx2.post(f"{app.origin}/api/session", json=session, trust_env=False).json()["token"]
        described = httpx2.put(
            f"{app.origin}/api/threads/{key}",
            json={"title": "T", "author": f"{name} Au"},
            headers={"authorization": f"Bearer {token}"},
            trust_env=False,
        )
        assert described.status_code == 200
        reader = await visit()
        await reader.read(f"{app.origin}/t/{key}?only=author")
        await expect(reader.page.locator("li[data-id]:visible")).to_have_count(0)
        author.post(f"/api/threads/{key}/comments", json={"body": "Answer", "parent": question, "nonce": "e" * 20})
    await expect(reader.page.locator(".count")).to_have_text("3")
    await reveal(reader.page.locator("live-thread"), 2)


async def test_a_preview_is_what_will_be_shown(app: Server, key: str, name: str, visit: Any) -> None:
    writer = await visit()
    await sign_up(writer, app, name, f"/t/{key}")
    await writer.page.fill("textarea", "So *be* it <b>")
    await writer.page.click(".preview")
    shown = writer.page.locator(".composer .shown")
    await expect(shown).to_have_text("So be it <b>")
    # Beside the text where there is room, else in its place; it follows what is typed.
    text, button = writer.page.locator("textarea").first, writer.page.locator(".preview").first
    await expect(text).to_be_visible()
    await text.press_sequentially(" so")
    await expect(shown).to_have_text("So be it <b> so")
    await writer.page.set_viewport_size({"width": 390, "height": 844})
    await expect(text).to_be_hidden()
    await button.click()
    await expect(shown).to_have_count(0)
    await expect(text).to_be_visible()
    await button.click()
    await expect(shown).to_have_text("So be it <b> so")
    html = await shown.inner_html()
    await writer.page.click(".post")
    await expect(shown).to_have_count(0)
    await expect(text).to_be_visible()
    assert await writer.page.locator("li[data-id] .body").inner_html() == html
    # A picture that is pasted is not lost in silence.
    await text.evaluate("""(text) => {
      const given = new DataTransfer();
      given.items.add(new File(["x"], "x.png", { type: "image/png" }));
      text.dispatchEvent(new ClipboardEvent("paste", { clipboardData: given, bubbles: true, cancelable: true }));
    }""")
    await expect(writer.page.locator(".composer .says").first).to_contain_text("becomes a link")


async def test_who_comes_back_is_told_what_is_new_since_then(app: Server, key: str, name: str, visit: Any) -> None:
    fill(app, key, name, 2)
    reader = await visit()
    page = await reader.read(f"{app.origin}/t/{key}")
    await expect(page.locator("li[data-id]")).to_have_count(2)
    await page.wait_for_timeout(300)
    await page.goto(f"{app.origin}/")
    # As if an hour went by.
    await page.clock.set_system_time(time.time() + 3600)
    fill(app, key, f"{name} N", 3)
    await page.add_init_script(f"({SHIFTS})()")
    await page.goto(f"{app.origin}/t/{key}")
    await expect(page.locator(".since span")).to_contain_text("3 new")
    await page.evaluate(SETTLED)
    assert await page.evaluate("[window.shift, window.moved ?? []]") == [0, []]
    await page.click(".since button")
    await expect(page.locator("li[data-id]:visible")).to_have_count(3)


async def test_the_bell_counts_an_answer_the_moment_it_is_posted(app: Server, key: str, name: str, visit: Any) -> None:
    writer, _, id_ = await pair(app, key, name, visit)
    with app.commenter(f"{name} A") as client:
        client.post(f"/api/threads/{key}/comments", json={"body": "Answer", "parent": id_, "nonce": "d" * 20})
    await expect(writer.page.locator(".bell .told")).to_have_text("1")
    await writer.page.click(".bell")
    await expect(writer.page.locator(".found .body")).to_have_text("Answer")
    assert httpx2.get(f"{app.origin}/inbox", trust_env=False).status_code == 401
