"""Staff manage on pages the sites that show threads of this server, without a command line and without script."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.async_api import Page, expect

from tests.journeys.embedding import OWN, Tab
from tests.journeys.navigation import follow
from tests.journeys.people import ONE_OFF, PASSWORD, Person
from tests.journeys.test_single_sign_on import Signer, raw, sign_on
from tests.processes import Server

FRESH = "https://fresh.example"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("managed"), LIVETHREAD_ORIGIN=OWN) as server:
        yield server


@pytest.fixture(scope="module")
def staff(app: Server) -> httpx2.Client:
    http = Person(app, "Chief", "staff").http
    http.headers["origin"] = OWN
    return http


def said(answer: httpx2.Response) -> list[str]:
    return [one for one in re.findall(r'role="alert">([^<]*)<', answer.text) if one]


def test_a_site_is_added_used_changed_and_removed_at_once(app: Server, staff: httpx2.Client) -> None:
    assert "No other site" in staff.get("/sites").text
    added = staff.post("/sites", data={"origins": f"{FRESH}\nhttps://www.fresh.example", "name": "Fresh"})
    assert (added.status_code, added.headers["location"]) == (303, "/sites/fresh.example")
    assert ">Fresh</a>" in staff.get("/sites").text
    page = staff.get("/sites/fresh.example").text
    assert f"{OWN}/embed.js" in page
    # Its pages may ask at once, by both origins.
    for origin in (FRESH, "https://www.fresh.example"):
        assert Tab(app, origin).send("GET", "/api/session").json()["site"]["logins"] == ["password"]

    made = staff.post("/sites/fresh.example/keys", data={"key_id": "k1", "algorithm": "HS256", "public_key": ""})
    secret = re.findall(r'class="secret">([^<]+)<', made.text)
    assert made.status_code == 200
    assert secret[0] not in staff.get("/sites/fresh.example").text
    signer = Signer("fresh.example", raw(secret[0]))
    tab = Tab(app, FRESH)
    assert sign_on(tab, signer.sign("1", name="Signed")).status_code == 200
    assert tab.account["name"] == "Signed"

    changed = {"origins": FRESH, "name": "Fresher", "logins": ["sso", "guest"], "moderates": "yes", "keep_query": "p q"}
    assert staff.post("/sites/fresh.example", data=changed).status_code == 303
    assert Tab(app, FRESH).send("GET", "/api/session").json()["site"] == {
        "id": "fresh.example", "name": "Fresher", "logins": ["guest", "sso"], "theme": "auto",
    }  # fmt: skip
    assert "site" not in Tab(app, "https://www.fresh.example").send("GET", "/api/session").json()
    listed = app.run("site", "list").stdout
    assert "Fresher" in listed

    assert staff.post("/sites/fresh.example/keys/remove", data={"key_id": "k1"}).status_code == 303
    assert sign_on(Tab(app, FRESH), signer.sign("1")).status_code == 403
    unsure = staff.post("/sites/fresh.example/remove", data={})
    assert (unsure.status_code, said(unsure)) == (422, ["Please tick the box first."])
    assert staff.post("/sites/fresh.example/remove", data={"sure": "yes"}).status_code == 303
    assert staff.get("/sites/fresh.example").status_code == 404
    assert tab.account is None


def test_what_cannot_be_is_said_where_it_was_written_and_nothing_is_lost(app: Server, staff: httpx2.Client) -> None:
    for origins in (
        "",
        "http://[",
        "https://[::1",
        "blog.example",
        "https://blog.example/path",
        "ftp://blog.example",
        "https://own",
    ):
        answer = staff.post("/sites", data={"origins": origins, "name": "MY NAME"})
        if origins == "https://own":
            assert "own" in said(answer)[0]
        assert answer.status_code == 422, origins
        assert len(said(answer)) == 1
        assert "MY NAME" in answer.text
        assert origins in answer.text
    app.run("site", "add", "https://one.example", "https://two.example", "--id", "one")
    taken = staff.post("/sites", data={"origins": "https://two.example", "name": "Second"})
    assert (taken.status_code, "https://two.example" in said(taken)[0]) == (409, True)
    changed = staff.post("/sites/one", data={"origins": "nonsense", "name": "MY NAME", "logins": ["guest"]})
    assert changed.status_code == 422
    assert 'value="guest" checked' in changed.text
    assert Tab(app, "https://one.example").send("GET", "/api/session").json()["site"]["name"] == "one"
    for key in (
        {"key_id": "a b", "algorithm": "HS256"},
        {"key_id": "k", "algorithm": "ES256", "public_key": "MY KEY"},
        {"key_id": "k", "algorithm": "ES256", "public_key": '{"a":' + "[" * 5000},
    ):
        answer = staff.post("/sites/one/keys", data=key)
        assert answer.status_code == 422
        assert len(said(answer)) == 1
        assert key.get("public_key", "") in html.unescape(answer.text)
    assert staff.post("/sites/one/keys/remove", data={"key_id": "none"}).status_code == 404


def test_the_home_page_asks_for_a_key_where_somebody_may_know_one(
    app: Server, staff: httpx2.Client, tmp_path: Path
) -> None:
    with Server(tmp_path) as empty:
        assert "/t/KEY" in httpx2.get(empty.origin, trust_env=False).text
        assert 'name="key"' in httpx2.get(empty.origin, trust_env=False).text
    Person(app, "First").post("anything", "Hello")
    assert 'name="key"' in staff.get("/").text
    assert 'name="key"' not in httpx2.get(app.origin, trust_env=False).text


def test_nobody_else_manages_sites(app: Server, staff: httpx2.Client) -> None:
    app.run("site", "add", "https://kept.example", "--id", "kept", "--moderates")
    moderator = Person(app, "Mod", "moderator").http
    moderator.headers["origin"] = OWN
    stranger = httpx2.Client(base_url=app.origin, trust_env=False, limits=ONE_OFF, headers={"origin": OWN})
    for http, status in ((moderator, 403), (stranger, 401)):
        assert http.get("/sites").status_code == http.get("/sites/kept").status_code == status
        for path in ("/sites", "/sites/kept", "/sites/kept/remove", "/sites/kept/keys", "/sites/kept/keys/remove"):
            sent = {"origins": "https://evil.example", "sure": "yes", "key_id": "k1", "algorithm": "HS256"}
            assert http.post(path, data=sent).status_code == status, path
    # Nor does a page of one of them, with the cookie of staff.
    staff_of_site = dict(staff.headers) | {"origin": "https://kept.example"}
    for path in ("/sites", "/sites/kept/remove"):
        answer = httpx2.post(
            f"{app.origin}{path}", data={"sure": "yes"}, headers={"origin": "https://kept.example",
            "authorization": staff_of_site["authorization"]}, trust_env=False,
        )  # fmt: skip
        assert answer.status_code == 403, path
    assert staff.get("/sites/kept").status_code == 200


async def test_the_pages_work_on_a_phone_without_script(tmp_path: Any, visit: Any) -> None:
    with Server(tmp_path) as app:
        app.run("account", "create", "Chief", "--role", "staff", stdin=PASSWORD + "\n")
        visitor = await visit(java_script_enabled=False, viewport={"width": 320, "height": 640})
        page: Page = visitor.page
        await page.goto(f"{app.origin}/login?next=/account")
        await page.fill("#name", "Chief")
        await page.fill("#password", PASSWORD)
        await follow(page, page.locator("main form button").first)
        await follow(page, page.locator("main a", has_text="Sites"))
        await page.fill("#origins", FRESH)
        await follow(page, page.locator("button", has_text="Add the site"))
        await expect(page.locator("h1")).to_have_text("fresh.example")
        await page.locator("label", has_text="as a guest").click()
        await follow(page, page.locator("button", has_text="Save"))
        await expect(page.locator("input[value=guest]")).to_be_checked()
        assert await page.locator("body").evaluate("(body) => body.scrollWidth") <= 320


def test_a_provider_is_offered_and_kept_when_it_is_not_configured_any_more(tmp_path: Path) -> None:
    file = tmp_path / "providers.toml"
    file.write_text('[corp]\nissuer = "https://id.example"\nclient_id = "x"\nlabel = "Corp"\n')

    def saved(app: Server, staff: httpx2.Client, *, more: str = "") -> str:
        page = staff.get("/sites/corp").text
        logins = [*re.findall(r'value="([^"]+)" checked', page), *([more] if more else [])]
        given = {"origins": "https://corp.example", "name": "Corp", "logins": logins}
        assert staff.post("/sites/corp", data=given).status_code == 303
        return staff.get("/sites/corp").text

    with Server(tmp_path, LIVETHREAD_ORIGIN=OWN, LIVETHREAD_OIDC=str(file)) as app:
        staff = Person(app, "Chief", "staff").http
        app.run("site", "add", "https://corp.example", "--id", "corp")
        assert "With Corp" in staff.get("/sites/corp").text
        assert 'value="oidc:corp" checked' in saved(app, staff, more="oidc:corp")
    with Server(tmp_path, LIVETHREAD_ORIGIN=OWN) as app:
        staff.base_url = app.origin
        assert 'value="oidc:corp" checked' in saved(app, staff)
