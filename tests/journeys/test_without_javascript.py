"""The whole journey by GET and POST alone."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.journeys.navigation import follow
from tests.processes import Server


async def write(page: Page, text: str) -> None:
    await page.locator("form.composer textarea").first.fill(text)
    await follow(page, page.locator("form.composer button.post").first)


@pytest.mark.scenario(35)
async def test_register_log_in_post_reply_delete_log_out(app: Server, key: str, name: str, visit: Any) -> None:
    visitor = await visit(java_script_enabled=False)
    page = visitor.page
    await page.goto(f"{app.origin}/t/{key}")
    await expect(page.locator(".none")).to_be_visible()
    await follow(page, "nav >> text=Register")
    await page.fill("#name", name)
    await page.fill("#password", "a long password")
    await follow(page, "main form button")
    await expect(page).to_have_url(f"{app.origin}/t/{key}")
    await follow(page, "text=Log out")
    await follow(page, "nav >> text=Log in")
    await page.fill("#name", name)
    await page.fill("#password", "not my password")
    await follow(page, "main form button")
    await expect(page.locator(".says")).to_have_text("The name or the password is wrong.")
    await expect(page.locator("#password")).to_be_focused()
    await expect(page.locator("#password")).to_have_accessible_description("The name or the password is wrong.")
    await page.fill("#password", "a long password")
    await follow(page, "main form button")
    await expect(page.locator(".viewer")).to_have_text(name)

    await write(page, "Hello *world*")
    first = page.locator("ol.comments > li[data-id]")
    await expect(first.locator("> article .body")).to_have_text("Hello world")
    await follow(page, first.locator("> article .reply"))
    await page.fill(".answering textarea", "An answer")
    await follow(page, ".answering button.post")
    answer = page.locator("li li[data-id]")
    await expect(answer.locator(".body")).to_have_text("An answer")
    await follow(page, first.locator("> article .menu"))
    await follow(page, ".choices >> text=Delete")
    await follow(page, "button.danger")
    await expect(first.locator("> article .body")).to_have_text("Deleted by the author.")
    await expect(answer).to_have_count(1)
    await expect(page.locator(".count")).to_have_text("1")
    await follow(page, "text=Log out")
    await expect(page.locator(".viewer")).to_have_count(0)
    await follow(page, answer.locator(".menu"))
    await expect(page.locator(".choices a")).to_have_text(["Link to this comment"])


async def test_a_comment_begun_before_logging_in_waits(app: Server, key: str, name: str, visit: Any) -> None:
    page = (await visit(java_script_enabled=False)).page
    await page.goto(f"{app.origin}/t/{key}")
    await write(page, "Begun before\n\nI had an account")
    await expect(page.locator(".kept")).to_have_text("Begun before\n\nI had an account")
    await page.fill("#name", name)
    await page.fill("#password", "a long password")
    await follow(page, "text=Register with these details instead")
    await expect(page.locator("textarea")).to_have_value("Begun before\n\nI had an account")
    await follow(page, "button.post")
    await expect(page.locator("li[data-id] .body")).to_contain_text("I had an account")


async def test_what_cannot_be_posted_comes_back_with_its_text(app: Server, key: str, name: str, visit: Any) -> None:
    page = (await visit(java_script_enabled=False)).page
    await page.goto(f"{app.origin}/register?next=/t/{key}")
    await page.fill("#name", name)
    await page.fill("#password", "a long password")
    await follow(page, "main form button")
    with app.commenter(f"{name} B") as other:
        first = other.post(f"/api/threads/{key}/comments", json={"body": "Here", "nonce": "n" * 20}).json()["comment"]
        await page.goto(f"{app.origin}/t/{key}/c/{first['id']}?reply={first['id']}")
        await page.fill(".answering textarea", "Too late")
        other.delete(f"/api/comments/{first['id']}")
    await follow(page, ".answering button.post")
    await expect(page.locator(".says")).to_have_text("The comment you are replying to is gone.")
    await expect(page.locator("textarea")).to_have_value("Too late")


async def test_a_long_thread_is_read_page_by_page(app: Server, key: str, name: str, visit: Any) -> None:
    with app.commenter(name) as client:
        for number in range(205):
            body = {"body": f"Comment {number}", "nonce": f"n-{number:020d}"}
            assert client.post(f"/api/threads/{key}/comments", json=body).status_code == 201
    page = (await visit(java_script_enabled=False)).page
    await page.goto(f"{app.origin}/t/{key}")
    await expect(page.locator("li[data-id]")).to_have_count(200)
    await follow(page, "text=More comments (5)")
    await expect(page.locator("li[data-id]")).to_have_count(5)
    await follow(page, "text=All comments from the start")
    await expect(page.locator("li[data-id]")).to_have_count(200)


async def test_a_locked_thread_says_so_and_takes_nothing(app: Server, key: str, name: str, visit: Any) -> None:
    app.run("account", "create", f"{name} S", "--role", "staff", "--password", "a long password")
    with app.commenter(name) as reader:
        page = (await visit(java_script_enabled=False)).page
        await page.goto(f"{app.origin}/login?next=/t/{key}")
        await page.fill("#name", f"{name} S")
        await page.fill("#password", "a long password")
        await follow(page, "main form button")
        cookie = (await page.context.cookies())[0]
        answer = reader.put(
            f"/api/threads/{key}",
            json={"title": "Closed <b>now</b>", "locked": True},
            headers={"authorization": f"Bearer {cookie['value']}"},
        )
        assert answer.status_code == 200
        refused = reader.post(f"/api/threads/{key}/comments", json={"body": "Still?", "nonce": "n" * 20})
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "locked")
    other = (await visit(java_script_enabled=False)).page
    await other.goto(f"{app.origin}/t/{key}")
    await expect(other.locator(".locked")).to_be_visible()
    await expect(other.locator("h1")).to_have_text("Closed <b>now</b>")
    await expect(other.locator("form.composer")).to_be_hidden()
