"""A site signs who its readers are: they are logged in there without a click, and nobody else is."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Origin

from tests.journeys.embedding import BLOG, NEWS, OWN, Tab, Window, thread_under
from tests.journeys.people import Person
from tests.processes import Server

LOGOUT: dict[str, Any] = {"http://schemas.openid.net/event/backchannel-logout": {}}
_numbers = itertools.count(1)


@dataclass
class Signer:
    """A site's own server."""

    site: str
    key: Any
    key_id: str = "k1"
    algorithm: str = "HS256"
    audience: str = OWN

    def claims(self, subject: str, **more: Any) -> dict[str, Any]:
        now = int(time.time())
        given = {
            "iss": self.site, "aud": self.audience, "sub": subject, "jti": f"one-{next(_numbers)}", "iat": now,
            "exp": now + 60, "name": f"Reader {subject}", **more,
        }  # fmt: skip
        return {name: value for name, value in given.items() if value is not None}

    def sign(self, subject: str = "7", head: dict[str, Any] | None = None, **more: Any) -> str:
        headers = {"kid": self.key_id, **(head or {})}
        return jwt.encode(self.claims(subject, **more), self.key, algorithm=self.algorithm, headers=headers)


def raw(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("signed"), LIVETHREAD_ORIGIN=OWN) as server:
        server.run("site", "add", BLOG, "--id", "blog", "--login", "password")
        server.run("site", "add", NEWS, "--id", "news", "--login", "sso", "--moderates")
        yield server


@pytest.fixture(scope="module")
def blog(app: Server) -> Signer:
    said = app.run("site", "key", "add", "blog", "k1").stdout
    return Signer("blog", raw(said.split()[-1]))


@pytest.fixture(scope="module")
def news(app: Server) -> Signer:
    said = app.run("site", "key", "add", "news", "k1").stdout
    return Signer("news", raw(said.split()[-1]))


def sign_on(tab: Tab, signed: str, **more: Any) -> Any:
    return tab.send("POST", "/api/session", {"sso": signed, **more})


def test_a_signed_reader_is_logged_in_there_alone_and_is_the_same_person_the_next_time(
    app: Server, blog: Signer
) -> None:
    tab = Tab(app, BLOG)
    answer = sign_on(tab, blog.sign("1", name="Lea"))
    assert answer.status_code == 200, answer.text
    assert "Partitioned" in answer.headers["set-cookie"]
    assert "token" not in answer.json()
    assert tab.account["name"] == "Lea"
    key = thread_under(app, f"{BLOG}/2026/hello")
    mine = tab.post(key).json()["comment"]
    other = Tab(app, BLOG)
    sign_on(other, blog.sign("1", name="Lea"))
    changed = {"body": "By the same", "revision": mine["revision"]}
    assert other.send("PATCH", f"/api/comments/{mine['id']}", changed).status_code == 200
    for method, path in (("GET", "/api/me/sessions"), ("DELETE", "/api/me"), ("POST", "/api/me/feed")):
        assert tab.send(method, path, {} if method != "GET" else None).status_code in (401, 403), path
    elsewhere = Tab(app, NEWS)
    elsewhere.jar = tab.jar
    assert elsewhere.account is None


def test_a_living_session_is_not_begun_again_by_an_old_token(app: Server, blog: Signer) -> None:
    tab = Tab(app, BLOG)
    token = blog.sign("2")
    assert sign_on(tab, token).status_code == 200
    jar = tab.jar
    # The page comes out of a cache, hours later.
    for again in (token, blog.sign("2", iat=int(time.time()) - 9_000, exp=int(time.time()) - 8_940)):
        answer = sign_on(tab, again)
        assert answer.status_code == 200, answer.text
        assert answer.json()["account"]["name"] == "Reader 2"
        assert "set-cookie" not in answer.headers
    assert tab.jar == jar
    stranger = Tab(app, BLOG)
    assert sign_on(stranger, token).json()["error"]["code"] == "token_used"
    assert stranger.account is None


def test_another_reader_in_the_same_browser_replaces_the_one_before(app: Server, blog: Signer) -> None:
    tab = Tab(app, BLOG)
    sign_on(tab, blog.sign("3"))
    before = tab.jar
    sign_on(tab, blog.sign("4"))
    assert tab.account["name"] == "Reader 4"
    tab.jar = before
    assert tab.account is None


def test_where_no_cookie_comes_back_a_bearer_takes_the_place_of_the_session_once(app: Server, blog: Signer) -> None:
    tab = Tab(app, BLOG)
    begun = sign_on(tab, blog.sign("5")).json()["begun"]
    blocked, tab.jar = tab.jar, ""
    answer = tab.send("POST", "/api/session", {"begun": begun})
    assert answer.status_code == 200, answer.text
    bearer = {"authorization": f"Bearer {answer.json()['token']}"}
    assert tab.send("GET", "/api/session", **bearer).json()["account"]["name"] == "Reader 5"
    assert tab.send("POST", "/api/session", {"begun": begun}).json()["error"]["code"] == "bad_code"
    # What had the cookie has nothing.
    tab.jar = blocked
    assert tab.account is None
    # A cookie that came back settles it, with whatever it came.
    for path in ("/api/session", "/api/threads/blog~/mine"):
        other = Tab(app, BLOG)
        second = sign_on(other, blog.sign("5")).json()["begun"]
        other.send("GET", path)
        assert Tab(app, BLOG).send("POST", "/api/session", {"begun": second}).status_code == 403
        assert other.account
    # A program that keeps no cookies asks for a bearer at once.
    assert "token" in sign_on(Tab(app, BLOG), blog.sign("5"), token=True).json()


SPOILT: dict[str, tuple[Callable[[Signer], str], str]] = {
    "for another server": (lambda one: one.sign(aud="https://other.example"), "aud"),
    "for several": (lambda one: one.sign(aud=[OWN, "https://other.example"]), "aud"),
    "for nobody": (lambda one: one.sign(aud=None), "aud"),
    "by another site": (lambda one: one.sign(iss="news"), "iss"),
    "of nobody": (lambda one: one.sign(sub=None), "sub"),
    "of an empty subject": (lambda one: one.sign(sub=" "), "sub"),
    "of a number": (lambda one: jwt.encode({**one.claims("7"), "sub": 7}, one.key, headers={"kid": "k1"}), "sub"),
    "without a name": (lambda one: one.sign(name=None), "name"),
    "without jti": (lambda one: one.sign(jti=None), "jti"),
    "without exp": (lambda one: one.sign(exp=None), "exp"),
    "without iat": (lambda one: one.sign(iat=None), "iat"),
    "for ten minutes": (lambda one: one.sign(exp=int(time.time()) + 600), "exp"),
    "of tomorrow": (lambda one: one.sign(iat=int(time.time()) + 9_000, exp=int(time.time()) + 9_060), "iat"),
    "that ends before it begins": (lambda one: one.sign(exp=int(time.time()) - 5), "exp"),
    "of a time that is true": (lambda one: one.sign(iat=True), "iat"),
    "of an unknown role": (lambda one: one.sign(role="staff"), "role"),
    "to log out": (lambda one: one.sign(events=LOGOUT), "events"),
    "of an unknown key": (lambda one: one.sign(head={"kid": "k9"}), "sso"),
    "of no key": (lambda one: jwt.encode(one.claims("7"), one.key), "sso"),
    "of a key that it brings": (
        lambda one: jwt.encode(
            one.claims("7"), b"x" * 32, headers={"kid": "k1", "jwk": {"kty": "oct", "k": "eHh4"}}
        ),
        "sso",
    ),
    "signed by another secret": (lambda one: jwt.encode(one.claims("7"), b"x" * 32, headers={"kid": "k1"}), "sso"),
    "that is not signed": (lambda one: jwt.encode(one.claims("7"), "", algorithm="none", headers={"kid": "k1"}), "sso"),
    "of another algorithm": (
        lambda one: jwt.encode(one.claims("7"), one.key + b"x" * 32, algorithm="HS512", headers={"kid": "k1"}), "sso",
    ),
    "with a critical header": (lambda one: one.sign(head={"crit": ["exp"]}), "sso"),
    "cut short": (lambda one: one.sign()[:-3], "sso"),
    "that is no JWT": (lambda one: "not.a.token", "sso"),
    "of two parts": (lambda one: "a.b", "sso"),
    "that is empty": (lambda one: "", "sso"),
    "of nested lists": (lambda one: base64.urlsafe_b64encode(b'{"kid":' + b"[" * 2_000).decode() + ".e30.e30", "sso"),
}  # fmt: skip


@pytest.mark.parametrize("what", SPOILT)
def test_a_token_is_refused(app: Server, blog: Signer, what: str) -> None:
    made, field = SPOILT[what]
    tab = Tab(app, BLOG)
    answer = sign_on(tab, made(blog))
    assert answer.status_code == 403, answer.text
    assert answer.json()["error"]["code"] == "bad_token"
    assert answer.json()["error"]["field"] == field
    assert tab.account is None


def test_one_whose_time_is_over_says_so_and_one_that_is_too_long_is_no_request(app: Server, blog: Signer) -> None:
    tab, now = Tab(app, BLOG), int(time.time())
    late = sign_on(tab, blog.sign(iat=now - 100, exp=now - 1))
    assert (late.status_code, late.json()["error"]["code"]) == (401, "sso_expired")
    assert sign_on(tab, "x" * 9_000).status_code == 422
    assert tab.account is None


def test_the_token_of_one_site_opens_no_other_and_no_page_of_ours(app: Server, blog: Signer, news: Signer) -> None:
    for tab in (Tab(app, NEWS), Tab(app, OWN), Tab(app, "https://evil.example")):
        assert sign_on(tab, blog.sign("8")).status_code in (403, 422)
        assert tab.account is None
    imitated = jwt.encode(news.claims("8"), blog.key, headers={"kid": "k1"})
    assert sign_on(Tab(app, NEWS), imitated).status_code == 403


def test_a_public_key_signs_and_is_no_secret(app: Server, blog: Signer) -> None:
    for name, algorithm, private in (
        ("ed", "EdDSA", ed25519.Ed25519PrivateKey.generate()),
        ("ec", "ES256", ec.generate_private_key(ec.SECP256R1())),
    ):
        public: Any = private.public_key()
        pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        file = app.folder / f"{name}.pem"
        file.write_bytes(pem)
        app.run("site", "key", "add", "blog", name, "--algorithm", algorithm, "--file", str(file))
        signer = Signer("blog", private, name, algorithm)
        assert sign_on(Tab(app, BLOG), signer.sign("9")).status_code == 200
        # The public key is everybody's: as a secret it would let anybody in.
        head = base64.urlsafe_b64encode(json.dumps({"alg": "HS256", "kid": name}).encode()).decode().rstrip("=")
        body = base64.urlsafe_b64encode(json.dumps(blog.claims("9")).encode()).decode().rstrip("=")
        for secret in (pem, pem.strip(), public.public_bytes(*_raw(algorithm))):
            mark = jwt.get_algorithm_by_name("HS256").sign(f"{head}.{body}".encode(), secret)
            forged = f"{head}.{body}.{base64.urlsafe_b64encode(mark).decode().rstrip('=')}"
            assert sign_on(Tab(app, BLOG), forged).status_code == 403


def _raw(algorithm: str) -> tuple[serialization.Encoding, serialization.PublicFormat]:
    if algorithm == "EdDSA":
        return serialization.Encoding.Raw, serialization.PublicFormat.Raw
    return serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint


def test_keys_rotate_without_a_gap(app: Server, blog: Signer) -> None:
    secret = base64.urlsafe_b64encode(secrets.token_bytes(40)).decode().rstrip("=")
    (app.folder / "own").write_text(secret + "\n")
    app.run("site", "key", "add", "blog", "next", "--file", str(app.folder / "own"))
    after = Signer("blog", raw(secret), "next")
    tab = Tab(app, BLOG)
    assert sign_on(tab, after.sign("10")).status_code == sign_on(Tab(app, BLOG), blog.sign("10")).status_code == 200
    app.run("site", "key", "remove", "blog", "next")
    assert "next" not in app.run("site", "key", "list", "blog").stdout
    assert sign_on(Tab(app, BLOG), after.sign("10")).status_code == 403
    assert tab.account["name"] == "Reader 10"


def test_a_name_that_is_anothers_is_marked_and_a_change_of_name_is_followed(app: Server, blog: Signer) -> None:
    Window(app, "Mira")
    tab = Tab(app, BLOG)
    assert sign_on(tab, blog.sign("11", name="Mira")).json()["account"]["name"] == "Mira (blog)"
    assert sign_on(Tab(app, BLOG), blog.sign("12", name="mira")).json()["account"]["name"] == "mira (blog 2)"
    assert sign_on(Tab(app, BLOG), blog.sign("13", name="Admin")).json()["account"]["name"] == "Admin (blog)"
    assert sign_on(Tab(app, BLOG), blog.sign("11", name="Mirabelle")).json()["account"]["name"] == "Mirabelle"
    hidden = sign_on(Tab(app, BLOG), blog.sign("14", name="A\u202eb"))
    assert (hidden.status_code, hidden.json()["error"]["field"]) == (422, "name")
    # Nobody becomes the account of that name by it.
    window = Window(app, "Nora")
    signed = Tab(app, BLOG)
    sign_on(signed, blog.sign("Nora", name="Nora", email="nora@example.org"))
    assert signed.account["name"] != window.name


def test_a_moderator_by_the_site_acts_as_one_where_the_site_may_and_only_there(
    app: Server, blog: Signer, news: Signer
) -> None:
    author = Tab(app, NEWS)
    sign_on(author, news.sign("20"))
    key = thread_under(app, f"{NEWS}/2026/hello")
    id_ = author.post(key).json()["comment"]["id"]
    member, moderator = Tab(app, NEWS), Tab(app, NEWS)
    sign_on(member, news.sign("21"))
    sign_on(moderator, news.sign("22", role="moderator"))
    path = f"/api/comments/{id_}/state"
    assert member.send("PUT", path, {"state": "removed"}).status_code == 403
    assert moderator.send("PUT", path, {"state": "removed"}).status_code == 200
    for beyond in ("/api/accounts/Reader%2020/ban", f"/api/threads/{key}/lock"):
        assert moderator.send("PUT", beyond, {"banned": True, "locked": True}).status_code in (401, 403, 422)
    # The blog may not moderate: its moderators are members.
    theirs, key = Tab(app, BLOG), thread_under(app, f"{BLOG}/2026/hello")
    sign_on(theirs, blog.sign("23", role="moderator"))
    written = theirs.post(key, "Mine").json()["comment"]["id"]
    other = Tab(app, BLOG)
    sign_on(other, blog.sign("24", role="moderator"))
    assert other.send("PUT", f"/api/comments/{written}/state", {"state": "removed"}).status_code in (401, 403)


def at_the_back(app: Server, **given: Any) -> httpx2.Response:
    """Say it as the site's own server does, which is no browser."""
    return httpx2.post(f"{app.origin}/api/sites/blog/logout", **given, timeout=20, trust_env=False)


@pytest.mark.parametrize("how", ["json", "form"])
def test_a_logout_at_the_site_ends_the_sessions_and_their_sockets(app: Server, blog: Signer, how: str) -> None:
    subject = f"30 {how}"
    tab, phone = Tab(app, BLOG), Tab(app, BLOG)
    for one in (tab, phone):
        sign_on(one, blog.sign(subject))
    key = thread_under(app, f"{BLOG}/2026/hello")
    ticket = tab.send("POST", "/api/ticket", {"thread": key}).json()["ticket"]
    with connect(app.live_url, origin=Origin(BLOG), proxy=None) as socket:
        socket.send(json.dumps({"type": "hello", "ticket": ticket}))
        socket.send(json.dumps({"type": "join", "thread": key, "epoch": None, "after": None}))
        assert json.loads(socket.recv())["type"] == "joined"
        token = blog.sign(subject, events=LOGOUT, name=None)
        given = {"json": {"logout_token": token}} if how == "json" else {"data": {"logout_token": token}}
        for bad in (blog.sign(subject), token[:-4]):
            assert at_the_back(app, json={"logout_token": bad}).is_error
        assert tab.account
        answer = at_the_back(app, **given)
        assert answer.status_code == 200, answer.text
        assert tab.account is phone.account is None
        with contextlib.suppress(ConnectionClosed):
            while True:
                socket.recv(timeout=30)
    assert at_the_back(app, **given).status_code == 403


def test_a_banned_reader_stays_out_and_a_closed_one_comes_back_as_somebody_else(app: Server, blog: Signer) -> None:
    staff = Person(app, f"Staff {next(_numbers)}", "staff")
    tab = Tab(app, BLOG)
    sign_on(tab, blog.sign("40", name="Vera"))
    staff.do("PUT", "/api/accounts/Vera/ban", banned=True)
    answer = sign_on(Tab(app, BLOG), blog.sign("40", name="Vera"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "banned")


def test_a_site_of_tokens_alone_offers_no_password(app: Server, news: Signer) -> None:
    window = Window(app, "Otto")
    page = window.http.get("/embed/login", params={"site": NEWS, "challenge": "a" * 43, "back": f"{NEWS}/2026/hello"})
    assert page.status_code == 200
    assert 'type="password"' not in page.text
    assert "Readers log in at" in page.text
    assert window.ask(NEWS, "a" * 43).status_code == 403


def test_a_site_that_is_removed_leaves_its_readers_to_nobody(app: Server) -> None:
    origin = "https://gone.example"
    for time_ in range(2):
        app.run("site", "add", origin, "--id", "gone", "--login", "sso")
        signer = Signer("gone", raw(app.run("site", "key", "add", "gone", "k1").stdout.split()[-1]))
        tab = Tab(app, origin)
        sign_on(tab, signer.sign("50", name="Ida"))
        assert tab.account["name"] == ("Ida", "Ida (gone)")[time_]
        app.run("site", "remove", "gone")
        assert sign_on(tab, signer.sign("50")).status_code in (403, 422)


def test_keys_that_cannot_be_used_are_refused_in_words(app: Server, blog: Signer) -> None:
    (app.folder / "short").write_text("c2hvcnQ\n")
    (app.folder / "odd").write_text("no key\n")
    for given, said in (
        (["blog", "k1"], "already has a key k1"),
        (["blog", "a b"], "A key's name is"),
        (["nobody", "k1"], "There is no site nobody"),
        (["blog", "s", "--file", str(app.folder / "short")], "at least 32 bytes"),
        (["blog", "s", "--file", str(app.folder / "none")], "cannot be read"),
        (["blog", "s", "--algorithm", "ES256"], "public key"),
        (["blog", "s", "--algorithm", "ES256", "--file", str(app.folder / "odd")], "not a public key for ES256"),
    ):
        done = app.run("site", "key", "add", *given, check=False)
        assert done.returncode in (1, 2), given
        assert said in done.stderr, done.stderr
