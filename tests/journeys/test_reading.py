"""Keys, other tabs, and a tab that nobody looks at: what makes reading easy, in a real browser."""

from __future__ import annotations

import time
from typing import Any

import httpx2
import pytest
from playwright.async_api import Page, WebSocket, expect

from tests.journeys.places import IN_BOTH_PLACES, WITHIN, Place
from tests.journeys.test_two_browsers import fill, sign_up
from tests.processes import Server, eventually

HERE = f"((one) => one.closest('li[data-id]')?.id ?? one.tagName)({WITHIN}.activeElement ?? document.activeElement)"
HIDE = """(state) => {
  Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


async def press(page: Page, key: str) -> str:
    await page.keyboard.press(key)
    return str(await page.evaluate(HERE))


@IN_BOTH_PLACES
@pytest.mark.scenario(27)
async def test_keys_go_from_comment_to_comment_only_within_the_thread(
    app: Server, place: Place, name: str, visit: Any
) -> None:
    first, second, third = fill(app, place.key, name, 3)
    reader = await visit()
    await place.sign_up(reader, f"{name} K")
    page = reader.page
    await expect(page.locator(".keys")).to_be_visible()
    await page.evaluate(f"{WITHIN}.activeElement?.blur()")
    assert await press(page, "j") == "BODY"
    await page.locator(f"#c-{first} .body").click()
    assert [await press(page, one) for one in "jjjk"] == [f"c-{id_}" for id_ in (second, third, third, second)]
    await page.keyboard.press("r")
    text = page.locator(f"#c-{second} .answering textarea")
    await expect(text).to_be_focused()
    await page.keyboard.type("just keys")
    await expect(text).to_have_value("just keys")
    await page.click("text=Turn off")
    await page.reload()
    await page.wait_for_selector(".keys")
    await page.locator(f"#c-{first} .body").click()
    assert await press(page, "j") in ("LIVE-THREAD", "SECTION")
    await page.click("text=Turn on")
    await page.locator(f"#c-{first} .body").click()
    assert await press(page, "j") == f"c-{second}"


@IN_BOTH_PLACES
@pytest.mark.scenario(24, 27)
async def test_keys_and_buttons_go_to_what_is_unread(app: Server, place: Place, name: str, visit: Any) -> None:
    ids = fill(app, place.key, name, 12)
    reader = await visit(viewport={"width": 800, "height": 600})
    page = await place.read(reader)
    await page.wait_for_selector(".keys", state="attached")
    await expect(page.locator(".unread:visible")).to_have_count(0)
    # In a page without the focus nothing is read by being seen.
    await page.evaluate("document.hasFocus = () => false")
    late = fill(app, place.key, f"{name} U", 3)
    await expect(page.locator("button.unread").first).to_have_text("3 unread ↓")
    await page.locator(f"#c-{ids[0]} .body").click()
    assert [await press(page, one) for one in "nnp"] == [f"c-{id_}" for id_ in (late[0], late[1], late[0])]
    await page.keyboard.press("n")
    await page.click("button[aria-label='Previous unread']")
    assert await page.evaluate(HERE) == f"c-{late[0]}"
    with app.commenter(f"{name} V") as client:
        held = client.post(
            f"/api/threads/{place.key}/comments", json={"body": "Held.", "parent": ids[0], "nonce": "h" * 20}
        ).json()["comment"]["id"]
    await expect(page.locator(".pill")).to_be_visible()
    await page.locator(f"#c-{late[2]} .body").click()
    await page.keyboard.press("n")
    await expect(page.locator(f"#c-{held} > article")).to_be_focused()


@IN_BOTH_PLACES
@pytest.mark.scenario(20)
async def test_tabs_share_drafts_and_what_was_read(app: Server, place: Place, name: str, visit: Any) -> None:
    fill(app, place.key, name, 2)
    # All is in sight, also below an article.
    reader = await visit(viewport={"width": 1280, "height": 1200})
    one = await place.read(reader)
    other = await reader.context.new_page()
    await other.goto(place.url())
    for page in (one, other):
        await page.wait_for_selector(".keys")
        await page.evaluate("document.hasFocus = () => false")
    await one.locator("textarea").first.fill("Begun here")
    await expect(other.locator("textarea").first).to_have_value("Begun here")
    # While one writes nothing lies over the text.
    await expect(one.locator(".floating button:visible")).to_have_count(0)
    await one.locator("textarea").first.blur()
    fill(app, place.key, f"{name} N", 2)
    for page in (one, other):
        await expect(page.locator(".pill")).to_have_text("\u200e+2")
        await page.click(".pill")
        await expect(page.locator("li.unread")).to_have_count(2)
    await one.bring_to_front()
    await one.evaluate("document.hasFocus = () => true")
    for page in (one, other):
        await expect(page.locator("li.unread")).to_have_count(0)


async def test_who_logs_in_or_out_in_one_tab_has_done_so_in_all(app: Server, key: str, name: str, visit: Any) -> None:
    reader = await visit()
    other = await reader.context.new_page()
    await other.goto(f"{app.origin}/t/{key}")
    await other.wait_for_selector(".keys", state="attached")
    await other.locator("textarea").first.fill("Not lost")
    await other.evaluate("document.activeElement.blur()")
    await sign_up(reader, app, name, f"/t/{key}")
    await expect(other.locator(".viewer")).to_have_text(name)
    await expect(other.locator("textarea").first).to_have_value("Not lost")
    # The end of the socket takes the name off the page before the tab reloads.
    await other.evaluate("window.isOfBefore = true")
    await reader.page.click("text=Log out")
    await other.wait_for_function("() => !window.isOfBefore")
    await expect(other.locator(".viewer")).to_have_count(0)
    # Whoever is writing there is told, and not disturbed.
    await other.wait_for_selector(".keys", state="attached")
    await other.evaluate("document.hasFocus = () => true")
    await other.locator("textarea").first.fill("Not lost again")
    await reader.page.goto(f"{app.origin}/login?next=/t/{key}")
    await reader.page.fill("#name", name)
    await reader.page.fill("#password", "a long password")
    await reader.page.click("main form button")
    told = f"You are {name} now, in another tab. Reload this tab to continue."
    await expect(other.locator(".status")).to_have_text(told)
    await expect(other.locator("textarea").first).to_have_value("Not lost again")


@IN_BOTH_PLACES
@pytest.mark.scenario(13)
async def test_a_hidden_tab_closes_its_socket_after_five_minutes_and_comes_back_whole(
    app: Server, place: Place, name: str, visit: Any
) -> None:
    fill(app, place.key, name, 2)
    reader, witness = await visit(), await visit()
    await reader.page.clock.install()
    page = await place.read(reader)
    await page.wait_for_selector(".keys", state="attached")
    await place.read(witness)
    sockets: list[WebSocket] = []

    def opened(socket: WebSocket) -> None:
        sockets.append(socket)

    page.on("websocket", opened)
    await page.reload()
    await page.wait_for_selector(".connection[data-state=live]")
    await page.wait_for_selector(".keys", state="attached")
    await page.evaluate(HIDE, "hidden")
    await page.clock.fast_forward(299_000)
    assert not sockets[0].is_closed()
    await page.clock.fast_forward(2_000)
    await eventually(sockets[0].is_closed)
    fill(app, place.key, f"{name} H", 3)
    await expect(witness.page.locator(".count")).to_have_text("5")
    await expect(reader.page.locator(".count")).to_have_text("2")
    await page.evaluate(HIDE, "visible")
    await expect(page.locator(".count")).to_have_text("5")
    assert await reader.painted() == await witness.painted()


async def test_a_lock_closes_the_forms_of_others_live_and_spares_who_writes(
    app: Server, key: str, name: str, visit: Any
) -> None:
    fill(app, key, name, 1)
    app.run("account", "create", f"{name} M", "--role", "moderator", stdin="a long password\n")
    moderator, reader, writer = await visit(), await visit(), await visit()
    await reader.read(f"{app.origin}/t/{key}")
    await writer.read(f"{app.origin}/t/{key}")
    await writer.page.locator("textarea").first.fill("Still at it")
    page = moderator.page
    await page.goto(f"{app.origin}/login?next=/t/{key}")
    await page.fill("#name", f"{name} M")
    await page.fill("#password", "a long password")
    await page.click("main form button")
    await page.click("text=Lock the thread")
    for one in (reader, writer):
        await expect(one.page.locator(".locked")).to_be_visible()
        await expect(one.page.locator("li[data-id] .reply")).to_be_hidden()
    await expect(reader.page.locator("form.composer")).to_be_hidden()
    await expect(writer.page.locator("form.composer textarea")).to_have_value("Still at it")
    await expect(writer.page.locator("form.composer")).to_be_visible()
    await expect(page.locator("form.composer")).to_be_visible()
    await page.click("text=Unlock the thread")
    await expect(reader.page.locator("form.composer")).to_be_visible()
    await expect(reader.page.locator(".locked")).to_be_hidden()


async def test_on_a_phone_who_is_writing_is_shown_and_moves_nothing(
    app: Server, key: str, name: str, visit: Any
) -> None:
    reader = await visit(viewport={"width": 390, "height": 800})
    page = await reader.read(f"{app.origin}/t/{key}")
    # The form is one row until somebody writes in it.
    await page.wait_for_selector("button[aria-label='Previous unread']", state="attached")
    await page.locator(".composer textarea").first.focus()
    hint = page.locator(".hint").first
    before = await hint.bounding_box()
    await hint.evaluate("(hint) => { hint.dataset.typing = 'Somebody with rather a long name is writing…'; }")
    assert await hint.bounding_box() == before
    assert before
    assert before["height"] == 20


@IN_BOTH_PLACES
@pytest.mark.scenario(21, 23)
async def test_what_is_new_is_counted_and_reached_behind_more_comments(
    app: Server, place: Place, name: str, visit: Any
) -> None:
    ids = fill(app, place.key, name, 210)
    reader = await visit()
    page = await place.read(reader)
    await page.wait_for_selector(".keys", state="attached")
    await page.goto(f"{app.origin}/")
    # As if an hour went by.
    await page.clock.set_system_time(time.time() + 3600)
    late = fill(app, place.key, f"{name} L", 3)
    app.run("account", "create", f"{name} M", "--role", "moderator", stdin="a long password\n")
    session = {"name": f"{name} M", "password": "a long password", "token": True}
    token = httpx2.post(f"{app.origin}/api/session", json=session, trust_env=False).json()["token"]
    for id_ in (ids[205], ids[206]):
        removed = httpx2.put(
            f"{app.origin}/api/comments/{id_}/state",
            json={"state": "removed"},
            headers={"authorization": f"Bearer {token}"},
            trust_env=False,
        )
        assert removed.status_code == 200
    await page.goto(place.url())
    await expect(page.locator(".since span")).to_contain_text(": 3 new, 2 removed")
    await expect(page.locator("li[data-id]")).to_have_count(200)
    await page.locator(f"#c-{ids[0]} .body").click()
    await page.keyboard.press("n")
    await expect(page.locator(f"#c-{late[0]} > article")).to_be_focused()
    await page.click(".since button")
    await expect(page.locator("li[data-id]:visible")).to_have_count(3)
    # By a link into what is not loaded yet.
    await page.goto(f"{app.origin}/")
    await page.goto(place.url(comment=ids[208]))
    await expect(page.locator(f"#c-{ids[208]} > article")).to_be_focused()
    await expect(page.locator(f"#c-{ids[208]} > article")).to_be_in_viewport()


async def test_the_next_unread_is_reached_behind_more_replies(app: Server, key: str, name: str, visit: Any) -> None:
    first, second = fill(app, key, name, 2)
    with app.commenter(f"{name} R") as client:

        def reply(parent: int, number: int) -> int:
            body = {"body": f"Reply {number}", "parent": parent, "nonce": f"reply-{number:020d}"}
            return int(client.post(f"/api/threads/{key}/comments", json=body).json()["comment"]["id"])

        replies = [reply(first, number) for number in range(150)]
        reader = await visit()
        page = await reader.read(f"{app.origin}/t/{key}")
        await page.wait_for_selector(".keys", state="attached")
        await page.goto(f"{app.origin}/")
        # As if an hour went by.
        await page.clock.set_system_time(time.time() + 3600)
        late = [reply(first, 150), reply(replies[140], 151), reply(second, 152)]
    await page.add_init_script("document.hasFocus = () => false")
    await page.goto(f"{app.origin}/t/{key}")
    await expect(page.locator("button.unread").first).to_have_text("3 unread ↓")
    await expect(page.locator(".since span")).to_contain_text(": 3 new")
    await expect(page.locator(".more-replies")).to_have_text("More replies (122)")
    await page.locator(f"#c-{first} > article .body").click()
    # A hundred replies for each press.
    await page.click("button.unread >> nth=0")
    await expect(page.locator(".more-replies")).to_have_text("More replies (22)")
    await page.keyboard.press("n")
    for id_ in (late[1], late[0], late[2]):
        await expect(page.locator(f"#c-{id_} > article")).to_be_focused()
        await page.keyboard.press("n")


async def test_what_comes_live_behind_a_link_is_counted_and_reached(
    app: Server, key: str, name: str, visit: Any
) -> None:
    first, *_ = fill(app, key, name, 2)
    with app.commenter(f"{name} R") as client:

        def reply(parent: int, number: int) -> int:
            body = {"body": f"Reply {number}", "parent": parent, "nonce": f"reply-{number:020d}"}
            return int(client.post(f"/api/threads/{key}/comments", json=body).json()["comment"]["id"])

        replies = [reply(first, number) for number in range(60)]
        reader = await visit()
        await reader.page.add_init_script("document.hasFocus = () => false")
        page = await reader.read(f"{app.origin}/t/{key}")
        await page.wait_for_selector(".keys", state="attached")
        unread = page.locator("button.unread").first
        late = [reply(first, 60), reply(replies[50], 61)]
        await expect(unread).to_have_text("2 unread ↓")
        assert client.delete(f"/api/comments/{late[0]}").status_code == 200
        await expect(unread).to_have_text("1 unread ↓")
        # Another text is no other comment.
        edit = {"body": "Another", "revision": 1}
        assert client.patch(f"/api/comments/{replies[51]}", json=edit).status_code == 200
    await expect(page.locator(".more-replies")).to_have_text("More replies (31)")
    await unread.click()
    await expect(page.locator(f"#c-{late[1]} > article")).to_be_focused()
    await expect(page.locator("li.unread")).to_have_count(1)
    await expect(unread).to_have_text("1 unread ↓")


async def test_an_account_is_told_on_one_device_what_came_since_it_read_on_another(
    app: Server, key: str, name: str, visit: Any
) -> None:
    mine, *_ = fill(app, key, f"{name} D", 2)
    phone, desk = await visit(), await visit()
    for device in (phone, desk):
        page = device.page
        await page.goto(f"{app.origin}/login?next=/t/{key}")
        await page.fill("#name", f"{name} D")
        await page.fill("#password", "a long password")
        if device is desk:
            await page.clock.set_system_time(time.time() + 3600)
        await page.click("main form button")
        await page.wait_for_selector(".keys", state="attached")
        if device is phone:
            await page.goto(f"{app.origin}/")

            async def is_kept(asks: Any = page.request) -> bool:
                answer = await asks.get(f"{app.origin}/api/threads/{key}/mine")
                return bool((await answer.json())["visit"])

            await eventually(is_kept)
            with app.commenter(f"{name} E") as client:
                for number, parent in enumerate([None, mine]):
                    body = {"body": "Since", "parent": parent, "nonce": f"since-{number:020d}"}
                    assert client.post(f"/api/threads/{key}/comments", json=body).status_code == 201
    await expect(desk.page.locator(".since span")).to_contain_text(": 2 new, 1 to you")
    await expect(desk.page.locator(".since-last")).to_have_count(2)
