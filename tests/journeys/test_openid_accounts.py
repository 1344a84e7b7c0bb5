"""Whose account it is that a provider's statement leads to, and how an account gets more ways in and loses them."""

from __future__ import annotations

import contextlib
import html
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.openid import Browser, knowing, refused
from tests.journeys.people import PASSWORD, Person
from tests.journeys.rogue_provider import Rogue, Tenant, running
from tests.processes import Server


@pytest.fixture(scope="module")
def rogue() -> Iterator[Rogue]:
    with running() as server:
        yield server


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, rogue: Rogue) -> Iterator[Server]:
    with knowing(tmp_path_factory.mktemp("openid"), rogue, "corp", "second") as server:
        yield server


@pytest.fixture
def corp(rogue: Rogue) -> Iterator[Tenant]:
    tenant = rogue.tenant("corp")
    yield tenant
    tenant.spoils.clear()


def test_an_e_mail_address_links_nobody(app: Server, corp: Tenant) -> None:
    app.token("ana")
    corp.subject = "not ana"
    claims = {"name": "ana", "email": "ana@example.org", "email_verified": True, "preferred_username": "ana"}
    corp.spoils["claims"] = claims
    browser = Browser(app)
    browser.log_in()
    assert browser.account["name"] == "ana (corp)"
    # Nobody else comes by a name like that.
    given = {"name": "Bea (Corp)", "password": PASSWORD}
    assert browser.http.post("/api/accounts", json=given).json()["error"]["code"] == "name_reserved"


def test_the_name_is_the_persons_own_afterwards(app: Server, corp: Tenant) -> None:
    corp.subject = "renamed"
    browser = Browser(app)
    browser.log_in()
    assert browser.http.post("/account/name", data={"name": "By own will"}).status_code == 303
    corp.spoils["claims"] = {"name": "By the provider"}
    browser.log_in()
    assert browser.account["name"] == "By own will"


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"name": "lea@example.org"}, "lea"),
        ({"name": None, "preferred_username": "mo@example.org"}, "mo"),
        ({"name": "A/B", "preferred_username": "ab"}, "A B"),
        ({"name": "Long " * 20}, ("Long " * 20)[:40].strip()),
        ({"name": "\u202e", "preferred_username": "plain"}, "plain"),
        ({"name": ["x"], "preferred_username": 7}, "Person of userinfo"),
    ],
)
def test_a_name_that_cannot_be_had_is_made_one(app: Server, corp: Tenant, claims: dict[str, Any], name: str) -> None:
    corp.subject = f"named {name}"
    corp.spoils.update({"claims": claims, "userinfo": {"name": "Person of userinfo"}})
    browser = Browser(app)
    browser.log_in()
    assert browser.account["name"] in (name, f"{name} (corp)")


def test_banned_accounts_stay_out(app: Server, corp: Tenant) -> None:
    corp.subject = "banned"
    browser, mod = Browser(app), Person(app, "Mod", "moderator")
    browser.log_in()
    mod.do("PUT", "/api/accounts/Person banned/ban", banned=True)
    assert refused(Browser(app).log_in()) == "This account was banned."


def registered(app: Server, name: str) -> Browser:
    """Somebody with a password."""
    app.token(name)
    browser = Browser(app)
    assert browser.http.post("/login", data={"name": name, "password": PASSWORD}).status_code == 303
    return browser


def test_a_second_way_in_is_added_while_logged_in(app: Server, corp: Tenant) -> None:
    corp.subject = "linked"
    browser = registered(app, "Linker")
    assert "Add <bdi>The corp</bdi>" in browser.http.get("/account").text
    answer = browser.come_back(browser.agree(browser.leave(path="/account/logins/")))
    assert answer.headers["location"] == "/account"
    shown = browser.http.get("/account").text
    assert "Password" in shown
    assert "<bdi>Person linked</bdi>" in shown
    elsewhere = Browser(app)
    elsewhere.log_in()
    assert elsewhere.account == browser.account
    said = {"issuer": corp.issuer, "subject": "linked", "name": "Person linked"}
    assert browser.http.get("/api/me/export").json()["logins"] == [said]
    # Once more is nothing new.
    assert browser.come_back(browser.agree(browser.leave(path="/account/logins/"))).status_code == 303
    assert len(identities(browser)) == 1


def test_what_was_begun_for_one_account_is_not_added_to_another(app: Server, corp: Tenant) -> None:
    corp.subject = "planted"
    browser = registered(app, "Planter")
    to = browser.agree(browser.leave(path="/account/logins/"))
    browser.http.delete("/api/session")
    app.token("Victim")
    browser.http.post("/login", data={"name": "Victim", "password": PASSWORD})
    said = refused(browser.come_back(to))
    assert said == "You are now logged in with another account. Nothing was added."
    assert identities(browser) == []
    # Nor to anybody who is logged out meanwhile.
    to = browser.agree(browser.leave(path="/account/logins/"))
    browser.http.delete("/api/session")
    assert browser.come_back(to).status_code == 401
    assert browser.account is None
    other = Browser(app)
    other.log_in()
    assert other.account["name"] == "Person planted"


def test_adding_begins_on_our_own_page(app: Server, corp: Tenant) -> None:
    browser = registered(app, "Forged")
    for headers in ({"origin": "https://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}):
        browser.http.headers.pop("origin", None)
        answer = browser.http.post("/account/logins/corp", headers=headers)
        assert answer.status_code == 403, headers
    assert browser.http.get("/account/logins/corp").status_code == 405
    assert browser.http.get("/login/corp").status_code == 405


def test_the_login_of_one_account_is_not_added_to_another(app: Server, corp: Tenant) -> None:
    corp.subject = "taken"
    Browser(app).log_in()
    browser = registered(app, "Taker")
    answer = browser.come_back(browser.agree(browser.leave(path="/account/logins/")))
    assert refused(answer, 409) == "Another account already uses this The corp login."
    assert identities(browser) == []


def test_ways_in_are_removed_but_for_the_last(app: Server, corp: Tenant, rogue: Rogue) -> None:
    corp.subject = rogue.tenant("second").subject = "many ways"
    browser = Browser(app)
    browser.log_in()
    ((first, subject),) = identities(browser)
    form = {"issuer": first, "subject": subject}
    last = "This is the only way to log in to this account. Add another one first."
    assert refused(browser.http.post("/account/logins", data=form), 409) == last
    browser.come_back(browser.agree(browser.leave("second", path="/account/logins/")))
    assert len(identities(browser)) == 2
    assert browser.http.post("/account/logins", data=form).status_code == 303
    assert identities(browser) == [(rogue.tenant("second").issuer, "many ways")]
    assert "already been removed" in refused(browser.http.post("/account/logins", data=form), 404)
    other = {"issuer": rogue.tenant("second").issuer, "subject": subject}
    assert refused(browser.http.post("/account/logins", data=other), 409) == last
    # Nobody else can remove it.
    stranger = registered(app, "Stranger")
    assert refused(stranger.http.post("/account/logins", data=other), 404)
    # By the way that was removed one comes to an account of its own.
    new = Browser(app)
    new.log_in()
    assert new.account["name"] == "Person many ways (corp)"
    # With a password the last provider can go.
    by_password = registered(app, "With password")
    corp.subject = "beside a password"
    by_password.come_back(by_password.agree(by_password.leave(path="/account/logins/")))
    ((issuer, subject),) = identities(by_password)
    gone = by_password.http.post("/account/logins", data={"issuer": issuer, "subject": subject})
    assert gone.status_code == 303
    assert identities(by_password) == []


def test_without_a_password_a_fresh_log_in_stands_for_it(app: Server, corp: Tenant) -> None:
    corp.subject = "closing"
    browser = Browser(app)
    browser.log_in()
    with contextlib.closing(sqlite3.connect(app.environment["LIVETHREAD_DATABASE"])) as sql, sql:
        sql.execute("UPDATE sessions SET created = created - 601000 WHERE id = (SELECT max(id) FROM sessions)")
    again = "Log in again first: this must be done within 10 minutes of logging in."
    assert again in browser.http.post("/account/close", data={"comments": "keep"}).text
    assert again in browser.http.post("/account/password", data={"new_password": PASSWORD}).text
    browser.log_in()
    assert browser.http.post("/account/password", data={"new_password": PASSWORD}).status_code == 303
    # From now on the password is asked for.
    assert browser.http.post("/account/close", data={"comments": "keep"}).status_code == 401
    by_password = Browser(app)
    by_password.http.post("/login", data={"name": "Person closing", "password": PASSWORD})
    assert by_password.account == browser.account


def test_whoever_closes_the_account_begins_anew(app: Server, corp: Tenant) -> None:
    corp.subject = "ended"
    browser = Browser(app)
    browser.log_in()
    assert browser.http.post("/account/close", data={"comments": "keep"}).status_code == 303
    again = Browser(app)
    again.log_in()
    assert again.account["name"] == "Person ended (corp)"


def test_new_accounts_by_a_provider_count_as_registrations(tmp_path: Path, rogue: Rogue) -> None:
    tenant, few = (
        rogue.tenant("second"),
        {"LIVETHREAD_LIMITS": "on", "LIVETHREAD_LIMIT_REGISTRATIONS_ADDRESS": "1/3600"},
    )
    with knowing(tmp_path, rogue, "second", **few) as app:
        tenant.subject = "first to come"
        assert Browser(app).log_in("second").status_code == 303
        tenant.subject = "second to come"
        answer = Browser(app).log_in("second", next="/t/here")
        assert "Too many attempts" in refused(answer, 429)
        assert int(answer.headers["retry-after"]) > 0
        tenant.subject = "first to come"
        assert Browser(app).log_in("second").status_code == 303


def identities(browser: Browser) -> list[tuple[str, str]]:
    """Return who the account is at providers, as its page lists it."""
    page = browser.http.get("/account").text
    pattern = r'name="issuer" value="([^"]+)"><input type="hidden" name="subject" value="([^"]+)"'
    return [(html.unescape(issuer), html.unescape(subject)) for issuer, subject in re.findall(pattern, page)]


def test_a_session_that_somebody_found_adds_no_way_in_and_removes_none(app: Server, corp: Tenant) -> None:
    corp.subject = "of the owner"
    owner = registered(app, "Owner")
    owner.come_back(owner.agree(owner.leave(path="/account/logins/")))
    ((issuer, subject),) = identities(owner)
    with contextlib.closing(sqlite3.connect(app.environment["LIVETHREAD_DATABASE"])) as sql, sql:
        sql.execute("UPDATE sessions SET created = created - 601000 WHERE id = (SELECT max(id) FROM sessions)")
    again = "Log in again first: this must be done within 10 minutes of logging in."
    assert again in owner.press(path="/account/logins/").text
    assert again in owner.http.post("/account/logins", data={"issuer": issuer, "subject": subject}).text
    assert identities(owner) == [(issuer, subject)]
