"""Logging in by a provider for a page of another site: in the window, where the site allows it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.journeys.embedding import BLOG, NEWS, Tab
from tests.journeys.openid import Browser, knowing, refused
from tests.journeys.people import PASSWORD
from tests.journeys.rogue_provider import Rogue, running
from tests.processes import Server

SHOP = "https://shop.example"


@pytest.fixture(scope="module")
def rogue() -> Iterator[Rogue]:
    with running() as server:
        yield server


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, rogue: Rogue) -> Iterator[Server]:
    with knowing(tmp_path_factory.mktemp("openid"), rogue, "corp", "second") as server:
        server.run("site", "add", BLOG, "--id", "blog", "--login", "oidc:corp")
        server.run("site", "add", NEWS, "--id", "news", "--login", "password")
        server.run("site", "add", SHOP, "--id", "shop", "--login", "oidc:second", "--login", "password")
        yield server


def ask(tab: Tab) -> dict[str, str]:
    return {"site": tab.origin, "challenge": tab.challenge, "back": f"{tab.origin}/2026/hello"}


def window(browser: Browser, tab: Tab, how: str) -> httpx2.Response:
    return browser.http.post("/embed/login", data={**ask(tab), "as": how})


def code_in(answer: httpx2.Response) -> str:
    found = re.search(r'data-code="([^"]+)"', answer.text)
    assert found, answer.text
    assert answer.headers["cross-origin-opener-policy"] == "unsafe-none"
    return found[1]


def log_in(browser: Browser, tab: Tab, provider: str = "corp") -> httpx2.Response:
    leaving = window(browser, tab, f"oidc:{provider}")
    assert leaving.headers["cross-origin-opener-policy"] == "unsafe-none"
    return browser.come_back(browser.agree(browser.where(leaving)))


def test_the_window_ends_in_a_code_for_the_page_that_waits(app: Server, rogue: Rogue) -> None:
    rogue.tenant("corp").subject = "of the blog"
    browser, tab = Browser(app), Tab(app, BLOG)
    shown = browser.http.get("/embed/login", params=ask(tab)).text
    assert "Continue with <bdi>The corp</bdi>" in shown
    assert "The second" not in shown
    assert 'name="password"' not in shown
    code = code_in(log_in(browser, tab))
    assert tab.claim(code).status_code == 200
    assert tab.account["name"] == "Person of the blog"
    # The window is logged in as well: the next time is one press.
    again = Tab(app, BLOG)
    assert "Continue as <bdi>Person of the blog</bdi>" in browser.http.get("/embed/login", params=ask(again)).text
    assert again.claim(code_in(window(browser, again, "viewer"))).status_code == 200


def test_a_site_is_logged_in_to_by_its_own_providers_alone(app: Server, rogue: Rogue) -> None:
    rogue.tenant("corp").subject = "elsewhere"
    for tab, provider in ((Tab(app, BLOG), "second"), (Tab(app, NEWS), "corp"), (Tab(app, BLOG), "unknown")):
        said = refused(window(Browser(app), tab, f"oidc:{provider}"))
        assert said == "This site does not accept logins by this provider."
    assert "Continue with" not in Browser(app).http.get("/embed/login", params=ask(Tab(app, NEWS))).text
    # Nor may somebody continue who came in by another way.
    browser, shop = Browser(app), Tab(app, SHOP)
    browser.log_in()
    assert "Continue as" not in browser.http.get("/embed/login", params=ask(shop)).text
    assert refused(window(browser, shop, "viewer")) == "You cannot log in to this site with this account."
    app.token("By password")
    by_password = Browser(app)
    by_password.http.post("/login", data={"name": "By password", "password": PASSWORD})
    assert refused(window(by_password, Tab(app, BLOG), "viewer"))
    assert code_in(window(by_password, Tab(app, SHOP), "viewer"))


def test_what_goes_wrong_is_said_in_the_window_which_leads_on(app: Server, rogue: Rogue) -> None:
    corp, browser, tab = rogue.tenant("corp"), Browser(app), Tab(app, BLOG)
    corp.subject = "persistent"
    corp.spoils["claims"] = {"nonce": "another"}
    answer = log_in(browser, tab)
    assert refused(answer) == "Login with The corp failed."
    assert answer.headers["cross-origin-opener-policy"] == "unsafe-none"
    again = answer.text.partition("Try again")[0]
    assert f'value="{tab.challenge}"' in again
    assert f'value="{BLOG}/2026/hello"' in again
    corp.spoils = {"status": {"/token": 500}}
    assert refused(log_in(browser, tab), 503) == "The corp cannot be reached right now."
    corp.spoils = {}
    assert tab.claim(code_in(log_in(browser, tab))).status_code == 200


def test_a_provider_that_a_site_gave_up_meanwhile_lets_nobody_in(app: Server, rogue: Rogue) -> None:
    app.run("site", "add", "https://gone.example", "--id", "gone", "--login", "oidc:corp")
    browser, tab = Browser(app), Tab(app, "https://gone.example")
    to = browser.agree(browser.where(window(browser, tab, "oidc:corp")))
    app.run("site", "set", "gone", "--login", "password")
    assert refused(browser.come_back(to)) == "This site does not accept logins by this provider."
    assert browser.account is None


def test_a_site_names_a_provider_that_there_is(app: Server) -> None:
    said = app.run("site", "set", "blog", "--login", "oidc:nobody", check=False)
    assert said.returncode != 0
    assert "There is no login provider nobody here." in said.stderr
    for wrong in ("oidc:", "oidc:A", "oidc corp", "openid"):
        said = app.run("site", "set", "blog", "--login", wrong, check=False)
        assert said.returncode != 0, wrong
        assert "oidc:NAME" in said.stderr


def test_a_provider_that_is_configured_no_more_is_told_of_at_the_start(tmp_path: Path, rogue: Rogue) -> None:
    with knowing(tmp_path, rogue, "corp") as app:
        app.run("site", "add", BLOG, "--id", "blog", "--login", "oidc:corp", "--login", "guest")
    with Server(tmp_path) as app:
        said = "readers of the site blog cannot log in by oidc:corp, which LIVETHREAD_OIDC does not have"
        assert said in app.log.read_text()
        shown = Browser(app).http.get("/embed/login", params=ask(Tab(app, BLOG))).text
        assert "Continue with" not in shown
        assert "Continue as a guest" in shown
