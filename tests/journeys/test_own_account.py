"""What a person does about their own account: they see and end sessions, and change their name and password."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from playwright.async_api import expect
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.journeys.people import ONE_OFF, PASSWORD, Person
from tests.journeys.test_plain_forms import plain
from tests.processes import Server

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Safari/604.1"
ELSEWHERE = {"x-forwarded-for": "203.0.113.7"}


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with limits that a test reaches."""
    limits = {
        "LIVETHREAD_LIMITS": "on",
        "LIVETHREAD_LIMIT_LOGINS_ACCOUNT": "3/300",
        "LIVETHREAD_LIMIT_LOGINS_EVERYWHERE": "5/3600",
        "LIVETHREAD_LIMIT_MARKS_ACCOUNT": "3/60",
        "LIVETHREAD_LIMIT_TICKETS_ACCOUNT": "3/60",
        "LIVETHREAD_LIMIT_CHANGES_ACCOUNT": "3/60",
        "LIVETHREAD_LIMIT_DELETIONS_ACCOUNT": "3/60",
        "LIVETHREAD_LIMIT_MODERATIONS_ACCOUNT": "3/60",
    }
    with Server(tmp_path_factory.mktemp("strict"), **limits) as server:
        yield server


def browser(app: Server, name: str, agent: str = FIREFOX, **headers: str) -> httpx2.Client:
    """A browser in which somebody logs in: it has cookies, and says where its requests come from."""
    own = {"origin": app.origin, "user-agent": agent, **headers}
    client = httpx2.Client(base_url=app.origin, headers=own, trust_env=False, limits=ONE_OFF)
    assert client.post("/api/session", json={"name": name, "password": PASSWORD}).status_code == 200
    return client


def who(client: httpx2.Client) -> str | None:
    account = client.get("/api/session").json()["account"]
    return account["name"] if account else None


def listed(client: httpx2.Client) -> list[dict[str, Any]]:
    return list(client.get("/api/me/sessions").json()["sessions"])


def test_a_person_sees_and_ends_their_sessions(app: Server, name: str) -> None:
    app.token(name)
    desk, phone = browser(app, name), browser(app, name, PHONE)
    assert [(one["browser"], one["current"]) for one in listed(phone)] == [
        ("Safari on iOS", True),
        ("Firefox on Linux", False),
        ("A program", False),
    ]
    (other,) = [one["id"] for one in listed(phone) if one["browser"] == "Firefox on Linux"]
    assert len(phone.delete(f"/api/me/sessions/{other}").json()["sessions"]) == 2
    assert who(desk) is None
    assert phone.delete(f"/api/me/sessions/{other}").status_code == 404
    assert [one["current"] for one in phone.delete("/api/me/sessions").json()["sessions"]] == [True]
    assert who(phone) == name


def test_nobody_sees_or_ends_the_sessions_of_others(app: Server, name: str) -> None:
    mine, theirs = Person(app, name), Person(app, f"{name} B")
    (one,) = listed(theirs.http)
    assert mine.http.delete(f"/api/me/sessions/{one['id']}").status_code == 404
    mine.do("DELETE", "/api/me/sessions")
    assert len(listed(theirs.http)) == 1
    assert "token" not in json.dumps(listed(theirs.http))


async def test_a_new_password_ends_the_other_sessions_and_their_sockets(app: Server, name: str) -> None:
    app.token(name)
    desk, phone = browser(app, name), browser(app, name, PHONE)
    ticket = phone.post("/api/ticket").json()["ticket"]
    async with connect(app.live_url, proxy=None) as socket:
        await socket.send(json.dumps({"type": "hello", "ticket": ticket}))
        await socket.send('{"type":"ping"}')
        assert json.loads(await socket.recv())["type"] == "pong"
        for fresh, status in (("short", 422), ("x" * 257, 422)):
            change = {"password": PASSWORD, "new_password": fresh}
            answer = desk.put("/api/me/password", json=change)
            assert (answer.status_code, answer.json()["error"]["field"]) == (status, "new_password")
        wrong = desk.put("/api/me/password", json={"password": "not this one", "new_password": "another password"})
        assert (wrong.status_code, wrong.json()["error"]["code"]) == (401, "wrong_credentials")
        assert who(phone) == name
        right = desk.put("/api/me/password", json={"password": PASSWORD, "new_password": "another password"})
        assert [one["current"] for one in right.json()["sessions"]] == [True]
        with pytest.raises(ConnectionClosed):
            await socket.recv()
    assert (who(desk), who(phone)) == (name, None)
    credentials = {"name": name, "password": PASSWORD}
    assert desk.post("/api/session", json=credentials).status_code == 401
    assert desk.post("/api/session", json=credentials | {"password": "another password"}).status_code == 200


def test_a_new_name_is_everywhere_and_ends_no_session(app: Server, key: str, name: str) -> None:
    person, other = Person(app, name), Person(app, f"{name} B")
    id_ = person.post(key, "Mine")["id"]
    renamed = person.do("PUT", "/api/me/name", name=f"{name} again")
    assert renamed["account"]["name"] == f"{name} again"
    assert who(person.http) == f"{name} again"
    assert other.do("GET", f"/api/comments/{id_}")["comment"]["author"]["name"] == f"{name} again"
    taken = person.http.put("/api/me/name", json={"name": f"{name} B"})
    assert (taken.status_code, taken.json()["error"]["code"]) == (409, "name_taken")
    assert who(person.http) == f"{name} again"


async def test_all_of_it_works_without_javascript(app: Server, name: str, visit: Any) -> None:
    page = await plain(app, name, "/account", visit)
    phone, desk = browser(app, name, PHONE), browser(app, name)
    await page.reload()
    await expect(page.locator(".sessions li")).to_have_count(3)
    await page.locator(".sessions li", has_text="Safari on iOS").locator("button").click()
    await expect(page.locator(".sessions li")).to_have_count(2)
    assert (who(phone), who(desk)) == (None, name)
    await page.click("text=Log out everywhere else")
    await expect(page.locator(".sessions li")).to_have_count(1)
    assert who(desk) is None
    await page.fill("#name", f"{name} again")
    await page.click("text=Change name")
    await expect(page.locator("h1")).to_have_text(f"{name} again")
    await page.fill("#present-password", "not this one")
    await page.fill("#new-password", "another password")
    await page.click("button:has-text('Change password')")
    await expect(page.locator("form[action='/account/password'] .says")).to_have_text("The password is wrong.")
    await page.fill("#present-password", PASSWORD)
    await page.fill("#new-password", "another password")
    await page.click("button:has-text('Change password')")
    await expect(page.locator("form[action='/account/password'] .says")).to_have_text("")
    async with page.expect_navigation():
        await page.click("text=Log out")
    await log_in_with(page, app, f"{name} again", "another password")


async def log_in_with(page: Any, app: Server, name: str, password: str) -> None:
    await page.goto(f"{app.origin}/login?next=/account")
    await page.fill("#name", name)
    await page.fill("#password", password)
    await page.click("main form button")
    await page.wait_for_url(f"{app.origin}/account")


def test_a_session_of_long_ago_is_no_session(app: Server, name: str) -> None:
    person = Person(app, name)
    with contextlib.closing(sqlite3.connect(app.environment["LIVETHREAD_DATABASE"], timeout=20)) as sql:
        sql.execute("UPDATE sessions SET created = 0, seen = 0 WHERE account = (SELECT max(id) FROM accounts)")
        sql.commit()
    assert person.http.get("/api/me/sessions").status_code == 401
    assert person.http.post("/api/ticket").status_code == 401


def test_the_owner_gets_in_from_a_known_browser_while_others_guess(strict: Server) -> None:
    app = strict
    app.token("Ana")
    known, credentials = browser(app, "Ana"), {"name": "Ana", "password": PASSWORD}
    known.delete("/api/session")
    strangers = httpx2.Client(base_url=app.origin, trust_env=False, limits=ONE_OFF)

    def guess(number: int) -> int:
        wrong = credentials | {"password": "a guess"}
        return strangers.post(
            "/api/session", json=wrong, headers={"x-forwarded-for": f"203.0.113.{number // 2}"}
        ).status_code

    assert [guess(number) for number in range(7)] == [401] * 5 + [429] * 2
    app.stop()
    app.start()
    assert strangers.post("/api/session", json=credentials, headers=ELSEWHERE).status_code == 429
    # From another address as well: it is the browser that is known.
    known.headers["x-forwarded-for"] = "198.51.100.1"
    (device,) = [cookie for cookie in known.cookies if "-device-" in cookie]
    value = known.cookies[device]
    assert known.post("/api/session", json=credentials).status_code == 200
    # For this account alone, and not to be made up.
    own = {"origin": app.origin} | ELSEWHERE
    for cookie in (f"{device}={value[:-1]}x", f"{device}9={value}", f"{device}=", f"{device}=.", f"{device}=x"):
        assert strangers.post("/api/session", json=credentials, headers=own | {"cookie": cookie}).status_code == 429


RATED = [
    ("PUT", "/api/threads/t/visit", {"comment": 1, "version": 1}),
    ("POST", "/t/t/visit", {"comment": "1", "version": "1", "at": "1"}),
    ("PUT", "/api/me/heard", {"version": 1}),
    ("POST", "/inbox", {"version": "1"}),
    ("POST", "/api/me/feed", None),
    ("POST", "/account/feed", {}),
    ("PUT", "/api/me/name", {"name": "x/y\u202e"}),
    ("POST", "/api/ticket", None),
    ("DELETE", "/api/comments/1", None),
    ("POST", "/c/1/delete", {}),
    ("PUT", "/api/me/password", {"password": "not this one", "new_password": PASSWORD}),
    ("POST", "/account/close", {"password": "not this one", "comments": "keep"}),
]
MODERATING = [
    ("PUT", "/api/comments/999/state", {"state": "removed"}),
    ("PUT", "/api/threads/t/lock", {"locked": False}),
    ("PUT", "/api/accounts/Nobody/ban", {"banned": True}),
    ("PUT", "/api/threads/t", {"title": "A title"}),
    ("POST", "/c/999/state", {"state": "removed"}),
    ("POST", "/c/999/ban", {"name": "Nobody", "banned": "yes"}),
    ("POST", "/t/t/lock", {"locked": "no"}),
]


def ask(client: httpx2.Client, method: str, path: str, sent: Any) -> httpx2.Response:
    content: dict[str, Any] = {"json": sent} if path.startswith("/api/") else {"data": sent}
    return client.request(method, path, **({} if sent is None else content))


@pytest.mark.parametrize(("method", "path", "sent"), RATED, ids=lambda value: str(value)[:40])
def test_every_write_of_an_account_has_its_rate(strict: Server, name: str, method: str, path: str, sent: Any) -> None:
    strict.token(name)
    client = browser(strict, name)
    answers = [ask(client, method, path, sent) for _ in range(4)]
    assert 429 not in [answer.status_code for answer in answers[:3]]
    assert answers[3].status_code == 429
    assert int(answers[3].headers["retry-after"]) > 0


def test_what_moderators_do_has_one_rate(strict: Server, name: str) -> None:
    strict.run("account", "create", name, "--role", "staff", stdin=PASSWORD + "\n")
    client = browser(strict, name)
    assert [ask(client, *MODERATING[1]).status_code for _ in range(3)] == [200] * 3
    assert [ask(client, *one).status_code for one in MODERATING] == [429] * len(MODERATING)
