"""What a page of another site can do with a session that counts there alone, and what nobody can."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from tests.journeys.embedding import BLOG, NEWS, OWN, Tab, Window, pair, thread_under
from tests.journeys.people import ONE_OFF, PASSWORD
from tests.processes import Server

OTHERS = (
    "null", "https://evil.example", f"{BLOG}.evil.example", BLOG.replace("s:", ":"), f"{BLOG}:8443", f"{BLOG}/", "",
    "https://BLOG.example.org",
)  # fmt: skip
# What a session of a site never reaches, whatever it may do there.
FORBIDDEN: list[tuple[str, str, Any]] = [
    ("PUT", "/api/me/password", {"password": PASSWORD, "new_password": "another password"}),
    ("PUT", "/api/me/name", {"name": "Somebody else"}),
    ("PATCH", "/api/me/appearance", {"theme": "dark"}),
    ("POST", "/api/me/feed", None),
    ("DELETE", "/api/me", {"password": PASSWORD, "comments": "erase"}),
    ("DELETE", "/api/me/sessions", None),
    ("PUT", "/api/me/heard", {"version": 1}),
    ("PUT", "/api/accounts/Ana/ban", {"banned": True}),
    ("PUT", "/api/threads/blog.example.org~2026~hello", {"title": "Mine now"}),
    ("PUT", "/api/threads/blog.example.org~2026~hello/lock", {"locked": True}),
    ("POST", "/api/accounts", {"name": "Fresh", "password": PASSWORD}),
    ("POST", "/t/blog.example.org~2026~hello/comments", None),
    ("POST", "/logout", None),
    ("POST", "/login", None),
    ("POST", "/embed/login", None),
]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {"LIVETHREAD_ORIGIN": OWN, "LIVETHREAD_SITES": BLOG}
    with Server(tmp_path_factory.mktemp("sites"), **settings) as server:
        server.run("account", "create", "Chief", "--role", "staff", stdin=PASSWORD + "\n")
        server.run("site", "add", NEWS, "--name", "The News", "--login", "password", "--login", "guest", "--moderates")
        yield server


@pytest.fixture(scope="module")
def ana(app: Server) -> Window:
    return Window(app, "Ana")


def kept(app: Server) -> list[Any]:
    tables = ("accounts", "sessions", "comments", "threads", "visits", "votes")
    with contextlib.closing(sqlite3.connect(app.environment["LIVETHREAD_DATABASE"])) as sql:
        return [sql.execute(f"SELECT * FROM {table}").fetchall() for table in tables]


def test_a_reader_logs_in_posts_edits_votes_and_leaves(app: Server, ana: Window) -> None:
    tab, bo = Tab(app), Tab(app)
    key = thread_under(app, f"{BLOG}/2026/hello")
    assert key == "blog.example.org~2026~hello"
    assert not tab.account
    assert tab.post(key).status_code == 401
    answer = tab.claim(ana.code(BLOG, tab.challenge))
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-livethread-blog.example.org=")
    assert cookie.split("; ")[1:6] == ["Path=/", "Secure", "HttpOnly", "SameSite=None", "Partitioned"]
    assert "token" not in answer.json()
    assert tab.account["name"] == "Ana"

    posted = tab.post(key)
    assert posted.status_code == 201
    comment = posted.json()["comment"]
    info = tab.send("GET", f"/api/threads/{key}").json()["info"]
    assert (info["url"], info["title"], info["comments"]) == (f"{BLOG}/2026/hello", "Hello", 1)
    edit = {"body": "Edited there", "revision": 1}
    assert tab.send("PATCH", f"/api/comments/{comment['id']}", edit).status_code == 200
    bo.enter(Window(app, "Bo"))
    assert bo.send("PUT", f"/api/comments/{comment['id']}/vote", {"value": 1}).status_code == 200
    assert bo.send("POST", "/api/preview", {"body": "*so*"}).status_code == 200
    assert bo.send("GET", f"/api/threads/{key}/mine").json()["votes"] == {str(comment["id"]): 1}
    assert bo.post(key, parent=comment["id"]).status_code == 201
    assert tab.send("GET", "/api/unread").json()["unread"] == 1
    assert tab.send("DELETE", f"/api/comments/{comment['id']}").status_code == 200

    assert tab.send("DELETE", "/api/session").status_code == 200
    assert (tab.jar, tab.account) == ("", None)


def test_a_thread_is_found_from_its_page_and_leads_back_to_it(app: Server, ana: Window) -> None:
    page = f"{BLOG}/2026/found?utm_source=x#top"
    tab, key = Tab(app), thread_under(app, page)
    tab.enter(ana)
    assert tab.post(key, url=page, title="Found &amp; kept").status_code == 201
    with httpx2.Client(base_url=app.origin, trust_env=False, limits=ONE_OFF) as crawler:
        led = crawler.get("/t/", params={"url": page})
        assert (led.status_code, led.headers["location"]) == (303, f"/t/{key}")
        head = crawler.get(f"/t/{key}").text.split("</head>")[0]
        assert '<meta property="og:title" content="Found &amp;amp; kept">' in head
        assert f'<link rel="canonical" href="{page}">' in head
        assert f'<meta property="og:url" content="{page}">' in head
        assert f'<link rel="canonical" href="{OWN}/t/{key}-unused">' in crawler.get(f"/t/{key}-unused?sort=top").text
        # What a site's own server puts into its page: links lead here from anywhere.
        fragment = crawler.get("/t/", params={"url": page, "only": "fragment"}).text
        assert fragment.strip().startswith("<section")
        assert "From the page" in fragment
        assert f'href="{OWN}/t/{key}?sort=newest"' in fragment
        assert not re.findall(r'(?:href|src|action)="/', fragment)
        assert crawler.get("/t/", params={"url": "https://evil.example/", "site": BLOG}).status_code == 422


def test_a_session_counts_on_its_site_alone(app: Server, ana: Window) -> None:
    blog, news = Tab(app), Tab(app, NEWS)
    blog.enter(ana)
    news.enter(ana)
    sites = {one["site"] for one in ana.http.get("/api/me/sessions").json()["sessions"]}
    assert sites == {"", "blog.example.org", "The News"}

    # The same value under any name, from any other page, and as a bearer.
    value = blog.jar.split("=", 1)[1]
    for origin in (NEWS, OWN, *OTHERS):
        for name in ("__Host-livethread-blog.example.org", "__Host-livethread-news.example", "__Host-livethread"):
            thief = Tab(app, origin)
            thief.jar = f"{name}={value}"
            assert thief.account is None, (origin, name)
        assert Tab(app, origin).send("GET", "/api/session", authorization=f"Bearer {value}").json()["account"] is None
    without = httpx2.get(f"{app.origin}/api/session", headers={"authorization": f"Bearer {value}"}, trust_env=False)
    assert without.json()["account"] is None

    own_thread, other_thread = "of-the-server", thread_under(app, f"{NEWS}/2026/hello")
    nonce = {"body": "Own", "nonce": "own-thread-00000001"}
    made = ana.http.post(f"/api/threads/{own_thread}/comments", json=nonce).json()["comment"]
    for key in (own_thread, other_thread):
        refused = blog.post(key)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "other_site")
    assert blog.send("PATCH", f"/api/comments/{made['id']}", {"body": "No", "revision": 1}).status_code == 403
    assert blog.send("DELETE", f"/api/comments/{made['id']}").status_code == 403

    # Leaving one site leaves the other; ending all ends both.
    assert blog.send("DELETE", "/api/session").status_code == 200
    assert news.account["name"] == "Ana"
    ana.http.delete("/api/me/sessions")
    assert news.account is None


def test_the_visitors_own_session_is_none_on_another_site(app: Server, ana: Window) -> None:
    key = thread_under(app, f"{BLOG}/2026/hello")
    tab = Tab(app)
    tab.jar = ana.http.headers["cookie"]
    before = kept(app)
    assert tab.account is None
    for method, path, body in (
        ("POST", f"/api/threads/{key}/comments", {"body": "No", "nonce": "n" * 20, "url": f"{BLOG}/2026/hello"}),
        ("POST", "/api/ticket", None),
        ("PUT", f"/api/threads/{key}/visit", {"comment": 1, "version": 1}),
    ):
        assert tab.send(method, path, body).status_code == 401
    assert tab.send("DELETE", "/api/session").status_code == 200
    assert kept(app) == before
    assert ana.http.get("/api/session").json()["account"]["name"] == "Ana"


@pytest.mark.parametrize("origin", OTHERS)
def test_no_other_origin_writes_or_reads_with_the_session(app: Server, ana: Window, origin: str) -> None:
    """A frame of others on the page, a sandboxed one (null), another scheme, and whoever is not listed."""
    key = thread_under(app, f"{BLOG}/2026/hello")
    victim = Tab(app)
    victim.enter(ana)
    before = kept(app)
    frame = Tab(app, origin)
    frame.jar = f"{victim.jar}; {ana.http.headers['cookie']}"
    assert frame.post(key, url=f"{BLOG}/2026/hello").status_code == 403
    assert frame.send("DELETE", "/api/session").status_code == 403
    for path in ("/api/session", f"/api/threads/{key}", f"/api/threads/{key}/mine"):
        answer = frame.send("GET", path)
        assert not [name for name in answer.headers if name.startswith("access-control")]
        assert "Ana" not in answer.text.replace("blog", "") or path == f"/api/threads/{key}"
    asked = frame.send("OPTIONS", "/api/session", **{"access-control-request-method": "POST"})
    assert not [name for name in asked.headers if name.startswith("access-control")]
    with pytest.raises(InvalidStatus, match="403"):
        connect(app.live_url, origin=Origin(origin), additional_headers={"cookie": frame.jar}, proxy=None).close()
    assert kept(app) == before


def test_a_script_of_the_host_reaches_no_powers(app: Server) -> None:
    """Also not those of staff who are logged in there: it posts, and neither moderates nor reads the account."""
    chief, tab = Window(app, "Chief"), Tab(app)
    tab.enter(chief, moderates="yes")
    before = kept(app)
    for method, path, body in FORBIDDEN:
        answer = tab.send(method, path, body)
        assert (path, answer.status_code) == (path, 403)
    for path in ("/api/me/sessions", "/api/me/export", "/api/me/changes", "/api/pending"):
        assert tab.send("GET", path).status_code == 401
    assert kept(app) == before
    assert tab.account["role"] == "reader"


def test_moderators_moderate_from_a_site_only_where_it_and_they_say_so(app: Server, ana: Window) -> None:
    chief, author = Window(app, "Chief"), Tab(app, NEWS)
    key = thread_under(app, f"{NEWS}/2026/hello")
    author.enter(ana, moderates="yes")
    id_ = author.post(key).json()["comment"]["id"]
    state = {"state": "removed"}
    assert author.send("PUT", f"/api/comments/{id_}/state", state).status_code == 403
    tab = Tab(app, NEWS)
    tab.enter(chief)
    assert tab.send("PUT", f"/api/comments/{id_}/state", state).status_code == 403
    moderating = Tab(app, NEWS)
    moderating.enter(chief, moderates="yes")
    assert moderating.account["role"] == "moderator"
    assert moderating.send("PUT", f"/api/comments/{id_}/state", state).status_code == 200
    app.run("site", "set", "news.example", "--no-moderates")
    assert moderating.send("PUT", f"/api/comments/{id_}/state", {"state": "visible"}).status_code == 403
    app.run("site", "set", "news.example", "--moderates")


def test_a_code_is_for_the_waiting_tab_and_for_one_use(app: Server, ana: Window) -> None:
    def refused(answer: httpx2.Response) -> bool:
        return (answer.status_code, answer.json()["error"]["code"]) == (403, "bad_code")

    tab = Tab(app)
    # Without a code; with another verifier, which burns it; from another site, which burns it too.
    assert refused(tab.claim("no-such-code"))
    code = ana.code(BLOG, tab.challenge)
    assert refused(tab.claim(code, pair()[0]))
    assert refused(tab.claim(code))
    code = ana.code(BLOG, tab.challenge)
    assert refused(Tab(app, NEWS).claim(code, tab.verifier))
    assert refused(tab.claim(code))
    # Not by our own page, a stranger's, or a program.
    code = ana.code(BLOG, tab.challenge)
    for origin in (OWN, *OTHERS):
        assert Tab(app, origin).claim(code, tab.verifier).status_code in (403, 422)
    assert tab.claim(code).status_code == 200
    assert refused(tab.claim(code))
    # An attacker's own code, brought to somebody else's tab.
    assert refused(Tab(app).claim(Window(app, "Mallory").code(BLOG, pair()[1])))
    # One that was on its way when the account's sessions were ended.
    code = ana.code(BLOG, tab.challenge)
    ana.http.delete("/api/me/sessions")
    Tab(app).enter(ana)
    ana.http.delete("/api/me/sessions")
    assert refused(tab.claim(code))


def test_a_bearer_comes_once_and_only_before_the_cookie_has(app: Server, ana: Window) -> None:
    blocked = Tab(app)
    code = ana.code(BLOG, blocked.challenge)
    assert blocked.claim(code).status_code == 200
    first, blocked.jar = blocked.jar, ""
    assert blocked.account is None
    answer = blocked.claim(code, token=True)
    assert "set-cookie" not in answer.headers
    bearer = {"authorization": f"Bearer {answer.json()['token']}"}
    assert blocked.send("GET", "/api/session", **bearer).json()["account"]["name"] == "Ana"
    ended = Tab(app)
    ended.jar = first
    assert ended.account is None
    assert blocked.claim(code, token=True).status_code == 403

    kept_cookie = Tab(app)
    code = ana.code(BLOG, kept_cookie.challenge)
    assert kept_cookie.claim(code).status_code == 200
    assert kept_cookie.account["name"] == "Ana"
    assert kept_cookie.claim(code, token=True).status_code == 403
    assert kept_cookie.account["name"] == "Ana"


@pytest.mark.parametrize(
    "back",
    ["https://evil.example/", "javascript:alert(1)", "//evil.example", "", "/2026/hello", f"{BLOG}.evil.example/",
     f"{BLOG}@evil.example/", BLOG.replace("s:", ":") + "/", f"{BLOG}\\@evil.example", f" {BLOG}/", f"{NEWS}/a",
     "data:text/html,hi"],
)  # fmt: skip
def test_the_way_back_leads_to_the_site_alone(app: Server, ana: Window, back: str) -> None:
    for answer in (
        ana.ask(BLOG, pair()[1], back=back),
        ana.http.get("/embed/login", params={"site": BLOG, "challenge": pair()[1], "back": back}),
    ):
        assert answer.status_code == 422
        assert "data-code" not in answer.text


def test_only_the_window_itself_confirms(app: Server, ana: Window) -> None:
    form = {"site": BLOG, "challenge": pair()[1], "back": f"{BLOG}/", "as": "viewer"}
    for origin in (BLOG, *OTHERS):
        answer = ana.http.post("/embed/login", data=form, headers={"origin": origin})
        assert answer.status_code == 403
    page = ana.http.get("/embed/login", params=form)
    assert page.headers["cross-origin-opener-policy"] == "unsafe-none"
    assert "Continue as" in page.text
    assert ana.ask("https://evil.example", pair()[1]).status_code == 422
    assert ana.ask(BLOG, "short").status_code == 422


def test_guests_have_a_name_of_their_own_and_no_password(app: Server) -> None:
    Window(app, "Gwen")
    names = []
    for _ in range(2):
        tab, window = (
            Tab(app, NEWS),
            httpx2.Client(base_url=app.origin, headers={"origin": OWN}, trust_env=False, limits=ONE_OFF),
        )
        form = {"site": NEWS, "challenge": tab.challenge, "back": f"{NEWS}/", "as": "guest", "name": "Gwen"}
        page = window.post("/embed/login", data=form)
        assert "set-cookie" not in page.headers
        assert tab.claim(page.text.split('data-code="')[1].split('"')[0]).status_code == 200
        names.append(tab.account["name"])
        assert tab.post(thread_under(app, f"{NEWS}/guests")).status_code == 201
    assert names == ["Gwen (guest)", "Gwen (guest 2)"]
    for name in (*names, "Gwen guest", "gwen (GUEST)"):
        taken = window.post("/api/accounts", json={"name": name, "password": PASSWORD})
        assert taken.status_code in (409, 422)
        assert window.post("/api/session", json={"name": name, "password": PASSWORD}).status_code == 401
    form["site"], form["back"] = BLOG, f"{BLOG}/"
    assert window.post("/embed/login", data=form).status_code == 403


def test_answers_name_the_origin_they_are_for(app: Server) -> None:
    tab = Tab(app)
    key = thread_under(app, f"{BLOG}/2026/hello")
    for method, path in (("GET", f"/api/threads/{key}"), ("GET", "/api/threads?url=x"), ("GET", "/api/nothing"),
                         ("POST", "/api/ticket"), ("PUT", "/api/me/name")):  # fmt: skip
        answer = tab.send(method, path)
        assert answer.headers["access-control-allow-origin"] == BLOG, path
        assert answer.headers["access-control-allow-credentials"] == "true"
        assert "Origin" in answer.headers["vary"]
        assert answer.headers["access-control-expose-headers"] == "Retry-After, X-Request-Id"
    asked = tab.send("OPTIONS", "/api/comments/1", **{"access-control-request-method": "PATCH"})
    assert (asked.status_code, asked.headers["access-control-max-age"]) == (204, "7200")
    # Without an Origin the answer is another, and caches must know.
    assert "Origin" in httpx2.get(f"{app.origin}/api/threads/{key}", trust_env=False).headers["vary"]
    for path in ("/u/Ana", "/account", "/login"):
        assert "access-control-allow-origin" not in tab.send("GET", path).headers


def test_sites_are_made_changed_and_removed_while_the_server_runs(app: Server) -> None:
    shop = "https://shop.example"
    assert "access-control-allow-origin" not in Tab(app, shop).send("GET", "/api/session").headers
    app.run("site", "add", shop, "--id", "shop", "--keep-query", "p")
    assert Tab(app, shop).send("GET", "/api/session").json()["site"]["id"] == "shop"
    for wrong in (["site", "add", shop], ["site", "set", "shop", "--origin", BLOG], ["site", "remove", "none"]):
        assert app.run(*wrong, check=False).returncode == 1
    app.run("site", "set", "shop", "--name", "The Shop", "--theme", "dark")
    listed = app.run("site", "list").stdout
    assert "shop: The Shop, https://shop.example; logins: password; theme dark, keeps p of the query" in listed
    window, tab = Window(app, "Shopper"), Tab(app, shop)
    tab.enter(window)
    key = thread_under(app, f"{shop}/item?p=1&q=2")
    assert tab.post(key, url=f"{shop}/item?p=1").status_code == 201
    app.run("site", "remove", "shop")
    assert "access-control-allow-origin" not in tab.send("GET", "/api/session").headers
    assert f"own\t{key}\t1\t{shop}/item?p=1" in app.run("thread", "list", "--site", "own").stdout
    app.run("site", "add", shop, "--id", "shop", "--keep-query", "p")
    assert tab.account is None
    assert thread_under(app, f"{shop}/item?p=1") == key
    assert f"shop\t{key}\t1" in app.run("thread", "list", "--site", "shop").stdout


def test_the_code_counts_also_where_the_same_account_was_logged_in_before(app: Server, name: str) -> None:
    """The session that was there ends, and takes its codes with it: this one is made afterwards."""
    window, tab = Window(app, name), Tab(app)
    given = {"as": "login", "name": name, "password": PASSWORD}
    assert tab.claim(window.code(BLOG, tab.challenge, **given)).status_code == 200
    assert tab.account["name"] == name


@pytest.mark.parametrize("back", ["http://[#", f"{BLOG}:x/", "http://[::1", f"{BLOG}\\@evil.example"])
def test_an_address_to_go_back_to_that_is_none_is_refused_in_words(app: Server, back: str) -> None:
    answer = httpx2.get(
        f"{app.origin}/embed/login", params={"site": BLOG, "challenge": "c" * 43, "back": back}, trust_env=False
    )
    assert answer.status_code == 422
