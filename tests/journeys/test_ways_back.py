"""No error is a dead end: its page leads back, says what to do, and keeps the words that were sent."""

from __future__ import annotations

from typing import Any

import httpx2
from playwright.async_api import expect

from tests.journeys.navigation import follow
from tests.journeys.people import Person
from tests.journeys.test_plain_forms import plain
from tests.journeys.test_without_javascript import write
from tests.processes import Server


async def test_an_edit_by_somebody_who_was_logged_out_shows_the_words_and_leads_back_to_the_form(
    app: Server, key: str, name: str, visit: Any
) -> None:
    page = await plain(app, name, f"/t/{key}", visit)
    await write(page, "As it was")
    await follow(page, page.locator("li[data-id] .menu"))
    await follow(page, ".choices >> text=Edit")
    form = page.url
    await page.context.clear_cookies()
    await page.fill("textarea", "<What took an hour>\nto write")
    await follow(page, "text=Save")
    words = page.get_by_label("Your comment")
    await expect(words).to_have_value("<What took an hour>\nto write")
    await expect(words).not_to_be_editable()
    await follow(page, page.locator(".error").get_by_role("link", name="Log in"))
    await page.fill("#name", name)
    await page.fill("#password", "a long password")
    await follow(page, "main form button")
    assert page.url == form
    await expect(page.locator("textarea")).to_have_value("As it was")


async def test_a_refused_form_leads_back_to_its_page(app: Server, key: str, name: str, visit: Any) -> None:
    author = Person(app, f"{name} A")
    author.post(key, "Vote for this")
    page = await plain(app, name, f"/t/{key}?sort=newest", visit)
    await page.locator(".vote button").first.evaluate("button => { button.value = '7'; }")
    await follow(page, page.locator(".vote button").first)
    await expect(page.locator("h1")).to_have_text("Please check your input")
    await expect(page.locator(".error")).to_contain_text("Go back and correct it.")
    await follow(page, page.get_by_role("link", name="Back"))
    assert page.url == f"{app.origin}/t/{key}?sort=newest"


def test_the_way_back_leads_to_no_other_site(app: Server, key: str, name: str) -> None:
    person = Person(app, name)
    vote = f"/c/{person.post(key, 'Mine')['id']}/vote"
    for page in (
        "https://evil.example/", f"{app.origin}//evil.example/", f"{app.origin}/\\evil.example", f"{app.origin}@evil/x",
        "http://[", "javascript:alert(1)", "", "/t/x",
    ):  # fmt: skip
        answer = person.http.post(vote, data={"value": "7"}, headers={"referer": page})
        assert answer.status_code == 422
        assert ">Back</a>" not in answer.text, page
    answer = person.http.post(vote, data={"value": "7"}, headers={"referer": f'{app.origin}/t/x?"><b>'})
    assert '<a class="more" href="/t/x?&#34;&gt;&lt;b&gt;">Back</a>' in answer.text


def test_an_address_with_something_wrong_in_it_leads_to_the_same_without_it(app: Server, key: str, name: str) -> None:
    Person(app, name).post(key, "Words")
    for path, way in (
        (f"/t/{key}?cursor=x", f'<a class="more" href="/t/{key}">Try again</a>'),
        (f"/t/{key}?cursor=x", f'<a href="/t/{key}">The thread</a>'),
        (f"/u/{name}?before=x", f'<a class="more" href="/u/{name.replace(" ", "%20")}">Try again</a>'),
    ):
        answer = httpx2.get(app.origin + path, trust_env=False)
        assert (answer.status_code, way in answer.text) == (422, True), path


def test_a_moderator_who_comes_too_late_stays_at_the_comment(app: Server, key: str, name: str) -> None:
    moderator, author = Person(app, f"{name} M", "moderator"), Person(app, name)
    id_ = author.post(key, "Regretted")["id"]
    author.do("DELETE", f"/api/comments/{id_}")
    late = moderator.http.post(f"/c/{id_}/state", data={"state": "visible"})
    assert (late.status_code, "The author has deleted this comment." in late.text) == (409, True)
    assert f'action="/c/{id_}/state"' in late.text
    assert "This is the current text:" not in late.text
    refused = moderator.http.post(f"/c/{id_}/ban", data={"name": f"{name} M", "banned": "yes"})
    assert (refused.status_code, "You cannot ban this account." in refused.text) == (422, True)
    assert f'action="/c/{id_}/state"' in refused.text
