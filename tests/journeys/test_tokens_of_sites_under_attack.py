"""What those try who have a site's token, a code, or a moderator's role on one site, and what readers were spared."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.journeys.embedding import BLOG, NEWS, OWN, Tab, Window, thread_under
from tests.journeys.people import Person
from tests.journeys.test_single_sign_on import LOGOUT, Signer, at_the_back, raw, sign_on
from tests.processes import Server


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    # So low that a test can spend them.
    limits = {
        "LIVETHREAD_LIMITS": "on",
        "LIVETHREAD_LIMIT_LOGINS_ADDRESS": "30/3600",
        "LIVETHREAD_LIMIT_CHANGES_ACCOUNT": "2/3600",
    }
    with Server(tmp_path_factory.mktemp("attacked"), LIVETHREAD_ORIGIN=OWN, **limits) as server:
        server.run("site", "add", BLOG, "--id", "blog", "--login", "password", "--moderates")
        server.run("site", "add", NEWS, "--id", "news", "--login", "sso", "--moderates")
        yield server


@pytest.fixture(scope="module")
def blog(app: Server) -> Signer:
    return Signer("blog", raw(app.run("site", "key", "add", "blog", "k1").stdout.split()[-1]))


@pytest.fixture(scope="module")
def news(app: Server) -> Signer:
    return Signer("news", raw(app.run("site", "key", "add", "news", "k1").stdout.split()[-1]))


def fresh(app: Server, signer: Signer, subject: str, **more: Any) -> Tab:
    tab = Tab(app, BLOG if signer.site == "blog" else NEWS)
    answer = sign_on(tab, signer.sign(subject, **more))
    assert answer.status_code == 200, answer.text
    return tab


@pytest.fixture(scope="module")
def onlooker(app: Server) -> Person:
    return Person(app, "Onlooker")


def seen(onlooker: Person, id_: int) -> dict[str, Any]:
    return dict(onlooker.do("GET", f"/api/comments/{id_}")["comment"])


def comment_of(app: Server, tab: Tab) -> int:
    return int(tab.post(thread_under(app, f"{tab.origin}/2026/hello")).json()["comment"]["id"])


@pytest.mark.parametrize("spelt", ["{:017d}", "{:019d}", "{:04d}", "{}"])
def test_no_spelling_of_a_comments_number_reaches_beyond_the_site(
    app: Server, blog: Signer, news: Signer, onlooker: Person, spelt: str
) -> None:
    id_ = comment_of(app, fresh(app, blog, "author"))
    moderator = fresh(app, news, "moderator", role="moderator")
    path = f"/api/comments/{spelt.format(id_)}"
    for method, where, body in (
        ("PUT", f"{path}/state", {"state": "removed"}),
        ("PUT", f"{path}/vote", {"value": 1}),
        ("PATCH", path, {"body": "Mine now", "revision": 1}),
        ("DELETE", path, None),
    ):
        answer = moderator.send(method, where, body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "other_site"), where
    assert seen(onlooker, id_)["state"] == "visible"


@pytest.mark.parametrize("id_", ["%C2%B2", "+5", "-1", "0", "1e3", "9" * 30, "5.0", "%D9%A5", " 5"])
def test_what_is_no_number_of_a_comment_is_refused_in_words(app: Server, news: Signer, id_: str) -> None:
    for tab in (Tab(app, NEWS), fresh(app, news, f"odd {id_[:20]}", role="moderator")):
        answer = tab.send("PUT", f"/api/comments/{id_}/vote", {"value": 1})
        assert answer.status_code in (401, 422), answer.text
        assert tab.send("GET", f"/api/comments/{id_}").status_code == 422


def test_a_code_of_the_window_is_worth_nothing_without_its_verifier(app: Server) -> None:
    window, tab, thief = Window(app, "Cora"), Tab(app, BLOG), Tab(app, BLOG)
    code = window.code(BLOG, tab.challenge)
    assert tab.claim(code).status_code == 200
    for body in ({"sso": code, "token": True}, {"begun": code}, {"begun": code, "token": True}):
        assert thief.send("POST", "/api/session", body).status_code == 403, body
    assert tab.account["name"] == "Cora"


def test_what_the_newest_token_says_counts_on_every_device(app: Server, news: Signer) -> None:
    author = fresh(app, news, "written")
    laptop, phone = (fresh(app, news, "mod", role="moderator") for _ in range(2))
    early = news.sign("mod", role="moderator", iat=int(time.time()) - 30)
    path = "/api/comments/{}/state"
    assert phone.send("PUT", path.format(comment_of(app, author)), {"state": "removed"}).status_code == 200
    # Demoted: the next page says so, in the browser that is logged in.
    answer = sign_on(laptop, news.sign("mod"))
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers
    left = comment_of(app, author)
    for one in (laptop, phone):
        assert one.account
        assert one.send("PUT", path.format(left), {"state": "removed"}).status_code == 403
    # A token from before makes nobody a moderator again, here or elsewhere.
    elsewhere = Tab(app, NEWS)
    for tab in (laptop, elsewhere):
        assert sign_on(tab, early).status_code == 200
        early = news.sign("mod", role="moderator", iat=int(time.time()) - 30)
        assert tab.send("PUT", path.format(left), {"state": "removed"}).status_code == 403
    sign_on(laptop, news.sign("mod", role="moderator", iat=int(time.time()) + 5))
    assert phone.send("PUT", path.format(left), {"state": "removed"}).status_code == 200


def test_a_newer_token_that_says_nothing_new_still_ends_older_ones(app: Server, news: Signer) -> None:
    author, member = fresh(app, news, "writes too"), fresh(app, news, "member")
    unused = news.sign("member", role="moderator", iat=int(time.time()))
    assert sign_on(member, news.sign("member", iat=int(time.time()) + 2)).status_code == 200
    assert sign_on(member, unused).status_code == 200
    answer = member.send("PUT", f"/api/comments/{comment_of(app, author)}/state", {"state": "removed"})
    assert answer.status_code == 403


def test_sessions_end_with_a_key_that_leaked_and_stay_where_one_is_replaced(app: Server, news: Signer) -> None:
    def second(id_: str) -> Signer:
        return Signer("news", raw(app.run("site", "key", "add", "news", id_).stdout.split()[-1]), id_)

    replaced, leaked = second("replaced"), second("leaked")
    tabs = [fresh(app, replaced, "first of two"), fresh(app, leaked, "second of two")]
    app.run("site", "key", "remove", "news", "replaced")
    assert all(tab.account for tab in tabs)
    assert "have ended" in app.run("site", "key", "remove", "news", "leaked", "--leaked").stdout
    assert not any(tab.account for tab in tabs)
    # Of other keys, too: who has a key can say to be anybody. The site's next page logs them in again.
    assert sign_on(tabs[0], news.sign("first of two")).status_code == 200
    assert tabs[0].account


def test_a_token_is_good_from_when_it_says(app: Server, blog: Signer) -> None:
    now = int(time.time())
    for nbf, status in ((now + 30, 200), (now + 120, 403), ("soon", 403)):
        assert sign_on(Tab(app, BLOG), blog.sign("early", nbf=nbf)).status_code == status


def test_the_code_of_a_session_that_has_ended_begins_no_other(app: Server, blog: Signer) -> None:
    tab, thief = Tab(app, BLOG), Tab(app, BLOG)
    code = sign_on(tab, blog.sign("left at once")).json()["begun"]
    tab.send("DELETE", "/api/session")
    assert thief.send("POST", "/api/session", {"begun": code}).status_code == 403


def test_a_new_name_is_followed_on_all_pages_and_only_so_often(app: Server, news: Signer, onlooker: Person) -> None:
    tab = fresh(app, news, "named", name="Petra")
    id_ = comment_of(app, tab)
    for number, (name, shown) in enumerate([("Petra B", "Petra B"), ("Petra C", "Petra C"), ("Petra D", "Petra C")]):
        answer = sign_on(tab, news.sign("named", name=name, iat=int(time.time()) + number))
        assert answer.json()["account"]["name"] == shown
        assert "set-cookie" not in answer.headers
        assert tab.account["name"] == shown
        assert seen(onlooker, id_)["author"]["name"] == shown
    # Logging in is not refused for it.
    assert fresh(app, news, "named", name="Petra E").account["name"] == "Petra C"


def test_tokens_from_before_a_logout_log_nobody_in(app: Server, blog: Signer) -> None:
    earlier = int(time.time()) - 5
    for how in ("at the site, known", "at the site, never seen", "by the button"):
        unused = blog.sign(how, iat=earlier)
        tab = Tab(app, BLOG) if how == "at the site, never seen" else fresh(app, blog, how, iat=earlier)
        if how == "by the button":
            assert tab.send("DELETE", "/api/session").status_code == 200
        else:
            assert at_the_back(app, json={"logout_token": blog.sign(how, events=LOGOUT, name=None)}).is_success
        assert tab.account is None
        for again in (tab, Tab(app, BLOG)):
            answer = sign_on(again, unused)
            assert (answer.status_code, answer.json()["error"]["code"]) == (401, "sso_expired"), how
            assert again.account is None
        assert fresh(app, blog, how, iat=int(time.time()) + 1).account


def test_a_token_that_is_no_good_ends_nobodys_session(app: Server, blog: Signer) -> None:
    tab = fresh(app, blog, "first")
    used = blog.sign("second")
    sign_on(Tab(app, BLOG), used)
    now = int(time.time())
    for bad in (used, blog.sign("third", iat=now - 90, exp=now - 30), blog.sign("third", name="A\u202eb")):
        assert sign_on(tab, bad).is_error
        assert tab.account["name"] == "Reader first"
    sign_on(tab, blog.sign("second"))
    assert tab.account["name"] == "Reader second"


@pytest.mark.parametrize("claim", ["sub", "jti", "name"])
def test_half_a_character_is_refused_in_words(app: Server, blog: Signer, claim: str) -> None:
    spoilt: dict[str, Any] = {claim: "a\ud800"}
    answer = sign_on(Tab(app, BLOG), blog.sign("whole", **spoilt))
    assert (answer.status_code, answer.json()["error"]["field"]) == (403, claim)


def test_bad_tokens_of_a_neighbour_keep_nobody_out(app: Server, blog: Signer) -> None:
    refused = [sign_on(Tab(app, BLOG), f"{blog.sign('x')[:-4]}AAAA").status_code for _ in range(40)]
    assert 429 in refused
    for number in range(15):
        tab = fresh(app, blog, f"neighbour {number}")
        assert sign_on(tab, blog.sign(f"neighbour {number}")).status_code == 200
        assert at_the_back(app, json={"logout_token": blog.sign(f"neighbour {number}", events=LOGOUT)}).is_success
        assert tab.account is None


def test_one_reader_has_so_many_sessions_on_a_site(app: Server, news: Signer) -> None:
    tabs = [fresh(app, news, "many") for _ in range(20)]
    assert all(tab.account for tab in tabs)
    tabs.append(fresh(app, news, "many"))
    assert [tab.account is not None for tab in tabs] == [False] * 10 + [True] * 11
    # Nor does anybody begin them without end.
    assert 429 in [sign_on(Tab(app, NEWS), news.sign("many")).status_code for _ in range(20)]


def test_nobody_registers_under_a_name_that_reads_like_that_of_a_sites_reader(app: Server, blog: Signer) -> None:
    window = Window(app, "Plain")
    for name in (
        "Ana (blog)",
        "Ana (blog 2)",
        "ana (BLOG)",
        "Ana (\u0440\u0435ws)",
        "Ana (b1og)",
        "Ana \uff08news\uff09",
    ):
        given = {"name": name, "password": secrets.token_hex(12)}
        answer = window.http.post("/api/accounts", json=given)
        expected = 422 if "\u0440" not in name else answer.status_code
        assert answer.status_code == expected, name
    assert window.http.post("/api/accounts", json={"name": "Ana (she)", "password": "x" * 12}).status_code == 201
    assert fresh(app, blog, "forger", name="Ana (news)").account["name"] == "Ana (news) (blog)"
