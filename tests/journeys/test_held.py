"""What is held, or was rejected, is its author's to see, and nobody else's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from playwright.async_api import expect

from tests.journeys.people import Person
from tests.journeys.test_seen_by_others import log_in
from tests.processes import Server, eventually

HELD = "Awaiting moderation. Only you can see it."
REJECTED = "Not approved by a moderator. Only you can see it."


@pytest.fixture(scope="module")
def holding(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("holding"), LIVETHREAD_HOLD="all") as server:
        yield server


@pytest.fixture(scope="module")
def keeper(holding: Server) -> Person:
    return Person(holding, "Keeper", "moderator")


def test_a_held_comment_is_its_authors_to_see_until_it_is_for_all(
    holding: Server, keeper: Person, key: str, name: str
) -> None:
    author, other = Person(holding, name), Person(holding, f"{name} O")
    comment = author.post(key, "Words that *wait*")
    id_ = comment["id"]

    def seen_on(person: Person) -> list[bool]:
        pages = [
            person.http.get(path, follow_redirects=True).text
            for path in (f"/t/{key}", f"/t/{key}/c/{id_}", f"/u/{name}")
        ]
        return ["Words that <em>wait</em>" in page for page in pages]

    assert seen_on(author) == [True, True, True]
    assert author.http.get(f"/t/{key}/c/{id_}").headers["location"] == f"/t/{key}#unseen-{id_}"
    page = author.http.get(f"/t/{key}").text
    assert (HELD in page, f'id="unseen-{id_}"' in page) == (True, True)
    assert seen_on(other) == seen_on(Person(holding, f"{name} P", "moderator")) == [False, False, False]
    assert "Words that" not in httpx2.get(f"{holding.origin}/t/{key}", trust_env=False).text
    mine = author.do("GET", f"/api/threads/{key}/mine")
    assert [(one["id"], one["html"]) for one in mine["pending"]] == [(id_, "<p>Words that <em>wait</em></p>")]
    assert other.do("GET", f"/api/threads/{key}/mine")["pending"] == []
    assert author.do("GET", "/api/me/export")["comments"][0]["body"] == "Words that *wait*"
    keeper.do("PUT", f"/api/comments/{id_}/state", state="visible", revision=1)
    told = author.do("GET", "/api/me/changes")
    assert (told["unread"], told["notices"][0]["kind"], told["notices"][0]["comment"]["id"]) == (1, "approved", id_)
    assert "Your comment was approved" in author.http.get("/inbox").text
    assert HELD not in author.http.get(f"/t/{key}").text
    assert seen_on(other) == [True, True, True]


def test_a_rejected_comment_stays_its_authors_and_the_bell_tells(
    holding: Server, keeper: Person, key: str, name: str
) -> None:
    author, other = Person(holding, name), Person(holding, f"{name} O")
    id_ = author.post(key, f"@{name} Words that wait")["id"]
    keeper.do("PUT", f"/api/comments/{id_}/state", state="removed", revision=1)
    page = author.http.get(f"/t/{key}").text
    assert (REJECTED in page, "Words that wait" in page) == (True, True)
    assert REJECTED in author.http.get(f"/u/{name}").text
    mine = author.do("GET", f"/api/threads/{key}/mine")
    assert ([one["id"] for one in mine["rejected"]], mine["pending"]) == ([id_], [])
    told = author.do("GET", "/api/me/changes")
    assert (told["unread"], told["notices"][0]["kind"]) == (1, "rejected")
    assert "Your comment was not approved" in author.http.get("/inbox").text
    for person in (other, keeper):
        assert "Words that wait" not in person.http.get(f"/t/{key}").text + person.http.get(f"/u/{name}").text
    # Another decision is told as well.
    author.do("PUT", "/api/me/heard", version=told["version"])
    keeper.do("PUT", f"/api/comments/{id_}/state", state="visible", revision=1)
    told = author.do("GET", "/api/me/changes")
    assert (told["unread"], [one["kind"] for one in told["notices"]]) == (1, ["approved"])
    # What all have seen is no longer its author's alone.
    keeper.do("PUT", f"/api/comments/{id_}/state", state="removed", revision=1)
    assert author.do("GET", f"/api/threads/{key}/mine")["rejected"] == []


async def test_what_is_held_stays_on_the_page_after_a_reload(holding: Server, key: str, name: str, visit: Any) -> None:
    Person(holding, name)
    page = (await visit()).page
    await log_in(page, holding, name, f"/t/{key}")
    await page.fill("form.composer textarea", "Words that *wait*")
    await page.click("form.composer .post")
    place = page.locator(".unseen .notice")
    for _ in range(2):
        await eventually(place.count)
        await expect(place.locator("strong")).to_have_text(HELD)
        assert await place.locator(".body").inner_html() == "<p>Words that <em>wait</em></p>"
        await page.reload()
