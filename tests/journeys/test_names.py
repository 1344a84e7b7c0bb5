"""Names at the doors of the server: registered, in addresses, on pages."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from urllib.parse import quote

import httpx2
import pytest

from tests.journeys.people import PASSWORD, Person
from tests.processes import Server


def register(app: Server, name: str) -> tuple[int, str]:
    answer = httpx2.post(f"{app.origin}/api/accounts", json={"name": name, "password": PASSWORD}, trust_env=False)
    return answer.status_code, answer.json().get("error", {}).get("code", "")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Anonymous", (422, "name_reserved")), ("С0mment", (422, "name_reserved")), ("Rаndоm", (422, "invalid")),
        ("adm1n", (422, "name_reserved")),
        ("Ana (imported)", (422, "name_reserved")), ("Boss\u3164", (422, "invalid")), ("a/b", (422, "invalid")),
        ("..", (422, "invalid")), ("ﷺ" * 3, (422, "invalid")), ("علی\u200cرضا", (201, "")), ("1234", (201, "")),
        ("A? B#C%2F", (201, "")), ("शिव. ", (201, "")),
    ],
)  # fmt: skip
def test_a_name_is_registered_or_refused_with_a_code(app: Server, name: str, expected: tuple[int, str]) -> None:
    status, code = register(app, name)
    assert (status, code) == expected
    if status == 201:
        page = httpx2.get(f"{app.origin}/u/{quote(name.strip(), safe='')}", trust_env=False)
        assert page.status_code == 200
        assert "No comments yet." in page.text


def test_two_people_whose_names_differ_in_a_sign_are_two(app: Server, key: str) -> None:
    for one, other in (("たいき", "だいき"), ("राम", "रमा"), ("कमल", "कमला")):
        first, second = Person(app, one), Person(app, other)
        comment = first.post(key, f"@{other}")
        assert comment["html"] == f'<p><a class="mention" href="/u/{quote(other)}">@{other}</a></p>'
        assert second.do("GET", "/api/me/changes")["unread"] == 1
        assert second.do("GET", f"/api/accounts/{quote(other)}")["account"]["name"] == other


def test_an_old_address_leads_to_the_present_name_while_the_account_is_open(app: Server, key: str) -> None:
    ana, bo = Person(app, "Old Ana"), Person(app, "Old Bo")
    mention = bo.post(key, '@"old ana", hello')["html"]
    app.run("account", "rename", "Old Ana", "New Ana?")
    page = httpx2.get(f"{app.origin}/u/Old%20Ana", trust_env=False)
    assert (page.status_code, page.headers["location"]) == (302, "/u/New%20Ana%3F")
    assert 'href="/u/Old%20Ana"' in mention
    assert bo.do("GET", "/api/accounts/Old%20Ana")["account"]["name"] == "New Ana?"
    assert register(app, "O1d Ana") == (409, "name_taken")
    session = ana.http.post("/api/session", json={"name": "new ana?", "password": PASSWORD, "token": True}).json()
    ana.http.headers["Authorization"] = f"Bearer {session['token']}"
    ana.do("DELETE", "/api/me", password=PASSWORD, comments="keep")
    assert httpx2.get(f"{app.origin}/u/Old%20Ana", trust_env=False).status_code == 404
    assert register(app, "Old Ana") == register(app, "New Ana?") == (409, "name_taken")


def test_an_account_of_before_with_a_slash_in_its_name_is_reached_and_banned(tmp_path: Path) -> None:
    path = tmp_path / "livethread.db"
    with sqlite3.connect(path) as old:
        upgrades = Path(__file__).parent.parent / "server" / "upgrades"
        old.executescript((upgrades / "006.sql").read_text(encoding="utf-8"))
        for name in ("a/b", "/x", "a/../b"):
            old.execute("INSERT INTO accounts (name, skeleton, created) VALUES (?, ?, 0)", (name, f"{name}!"))
    old.close()
    with Server(tmp_path, LIVETHREAD_DATABASE=str(path)) as app:
        chief = Person(app, "Chief", "staff")
        for name in ("a/b", "/x", "a/../b"):
            there = quote(name, safe="")
            assert chief.do("GET", f"/api/accounts/{there}")["account"]["name"] == name
            assert chief.http.get(f"/u/{there}").status_code == 200
            assert chief.do("PUT", f"/api/accounts/{there}/ban", banned=True)["banned"]
