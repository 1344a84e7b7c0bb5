"""Logging in by an OpenID provider, also by one that says what none should."""

from __future__ import annotations

import base64
import hmac
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from tests.journeys.openid import DRAFT, Browser, knowing, refused, said_last
from tests.journeys.rogue_provider import CLIENT, SECRET, Rogue, Tenant, fresh_key, running
from tests.processes import Server, until

NAMES = (
    "corp", "es256", "eddsa", "renamed", "same", "down", "down-keys", "slash", "insecure", "no-keys", "endless",
    "leading", "second",
)  # fmt: skip


@dataclass(frozen=True)
class In:
    """A moment so many seconds from when it is said."""

    seconds: int


def filled(spoils: dict[str, Any], tenant: Tenant) -> dict[str, Any]:
    def fill(value: Any) -> Any:
        if isinstance(value, In):
            return int(time.time()) + value.seconds
        return value.replace("{issuer}", tenant.issuer) if isinstance(value, str) else value

    return {
        answer: {name: fill(value) for name, value in said.items()} if isinstance(said, dict) else said
        for answer, said in spoils.items()
    }


def forged(algorithm: str, claims: dict[str, Any], secret: bytes) -> str:
    """Return a token that no library would make."""
    parts = [json.dumps(one).encode() for one in ({"alg": algorithm, "kid": "k1"}, claims)]
    signed = b".".join(base64.urlsafe_b64encode(one).rstrip(b"=") for one in parts)
    by = base64.urlsafe_b64encode(hmac.digest(secret, signed, "sha256")).rstrip(b"=") if secret else b""
    return (signed + b"." + by).decode()


def of_another_key(tenant: Tenant, claims: dict[str, Any]) -> str:
    return jwt.encode(claims, fresh_key(), "RS256", {"kid": tenant.key_id})


def public_pem(tenant: Tenant) -> bytes:
    kind = serialization.PublicFormat.SubjectPublicKeyInfo
    return bytes(tenant.key.public_key().public_bytes(serialization.Encoding.PEM, kind))


@pytest.fixture(scope="module")
def rogue() -> Iterator[Rogue]:
    with running() as server:
        yield server


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, rogue: Rogue) -> Iterator[Server]:
    with knowing(tmp_path_factory.mktemp("openid"), rogue, *NAMES) as server:
        yield server


@pytest.fixture
def corp(rogue: Rogue) -> Iterator[Tenant]:
    tenant = rogue.tenant("corp")
    yield tenant
    tenant.spoils.clear()


def test_a_reader_logs_in_by_a_provider_and_is_back_where_they_were(app: Server, corp: Tenant) -> None:
    corp.subject = "success"
    browser = Browser(app)
    assert "Continue with <bdi>The corp</bdi>" in browser.http.get("/register").text
    to = browser.leave(next="/t/here?sort=newest")
    asked = {name: values[0] for name, values in parse_qs(urlsplit(to).query).items()}
    assert asked["code_challenge_method"] == "S256"
    assert asked["scope"] == "openid profile"
    answer = browser.come_back(browser.agree(to))
    assert (answer.status_code, answer.headers["location"]) == (303, "/t/here?sort=newest")
    assert answer.headers["cross-origin-opener-policy"] == "unsafe-none"
    assert browser.account["name"] == "Person success"
    assert [name for name in browser.http.cookies if "-login-" in name] == []
    again = Browser(app)
    again.log_in()
    assert again.account == browser.account


SPOILT: dict[str, tuple[str, dict[str, Any]]] = {
    "iss": ("iss", {"claims": {"iss": "https://other.example"}}),
    "no iss": ("iss", {"claims": {"iss": None}}),
    "a slash more in iss": ("iss", {"claims": {"iss": "{issuer}/"}}),
    "no nonce": ("nonce", {"claims": {"nonce": None}}),
    "another nonce": ("nonce", {"claims": {"nonce": "of-another-attempt"}}),
    "alg none": ("alg", {"forge": lambda tenant, claims: forged("none", claims, b"")}),
    "HS256 with the public key": ("alg", {"forge": lambda tenant, claims: forged("HS256", claims, public_pem(tenant))}),
    "HS256 with the secret": ("alg", {"forge": lambda tenant, claims: forged("HS256", claims, SECRET.encode())}),
    "another key under the same kid": ("signature", {"forge": of_another_key}),
    "foreign aud": ("aud", {"claims": {"aud": "somebody-else"}}),
    "foreign aud with our azp": ("aud", {"claims": {"aud": ["somebody-else"], "azp": CLIENT}}),
    "no aud": ("aud", {"claims": {"aud": None}}),
    "foreign azp": ("azp", {"claims": {"azp": "somebody-else"}}),
    "two aud with a foreign azp": ("azp", {"claims": {"aud": [CLIENT, "somebody-else"], "azp": "somebody-else"}}),
    "two aud without azp": ("azp", {"claims": {"aud": [CLIENT, "somebody-else"]}}),
    "empty sub": ("sub", {"claims": {"sub": ""}}),
    "no sub": ("sub", {"claims": {"sub": None}}),
    "a sub that is a number": ("sub", {"claims": {"sub": 7}}),
    "a sub that is half of a pair": ("not a signed token", {"claims": {"sub": "\ud800"}}),
    "a sub of 256 characters": ("sub", {"claims": {"sub": "x" * 256}}),
    "exp -61 s": ("exp", {"claims": {"exp": In(-61)}}),
    "no exp": ("exp", {"claims": {"exp": None}}),
    "exp as text": ("exp", {"claims": {"exp": "9999999999"}}),
    "iat in the future": ("iat", {"claims": {"iat": In(90)}}),
    "no iat": ("iat", {"claims": {"iat": None}}),
    "no token": ("no id_token", {"token": {"id_token": None}}),
    "a token of two parts": ("not a signed token", {"token": {"id_token": "e30.e30"}}),
    "other sub at userinfo": ("sub of userinfo", {"claims": {"name": None}, "userinfo": {"sub": "somebody-else"}}),
    "no sub at userinfo": ("sub of userinfo", {"claims": {"name": None}, "userinfo": {"sub": None}}),
    "wrong iss in the address": ("iss of the answer", {"redirect": {"iss": "https://other.example"}}),
    "no iss in the address": ("iss of the answer", {"redirect": {"iss": None}}),
    "no code": ("no code", {"redirect": {"code": None}}),
    "an error of another iss": (
        "iss of the answer",
        {"redirect": {"code": None, "error": "access_denied", "iss": "https://other.example"}},
    ),
    "an error without iss": ("iss of the answer", {"redirect": {"code": None, "error": "access_denied", "iss": None}}),
    "an error that nobody knows": ("error '<script>'", {"redirect": {"code": None, "error": "<script>"}}),
}


@pytest.mark.parametrize("what", SPOILT)
def test_what_no_provider_should_say_logs_nobody_in(app: Server, corp: Tenant, what: str) -> None:
    corp.subject = f"victim of {what}"
    why, spoils = SPOILT[what]
    corp.spoils.update(filled(spoils, corp))
    browser = Browser(app)
    assert refused(browser.log_in(next="/t/here")) == "Login with The corp failed."
    assert said_last(app) == f"a log-in by OpenID provider corp was refused: {why}"
    assert browser.account is None
    # Nothing of it was kept, and the next attempt is a new one.
    corp.spoils.clear()
    assert browser.log_in(next="/t/here").headers["location"] == "/t/here"


ALLOWED: dict[str, dict[str, Any]] = {
    "exp -30 s": {"claims": {"exp": In(-30)}},
    "iat 30 s ahead": {"claims": {"iat": In(30)}},
    "two aud with our azp": {"claims": {"aud": [CLIENT, "somebody-else"], "azp": CLIENT}},
    "no kid": {"forge": lambda tenant, claims: jwt.encode(claims, tenant.key, "RS256")},
    "PS256 by the same key": {"forge": lambda tenant, claims: jwt.encode(claims, tenant.key, "PS256", {"kid": "k1"})},
}


@pytest.mark.parametrize("what", ALLOWED)
def test_what_a_provider_may_say_logs_in(app: Server, corp: Tenant, what: str) -> None:
    corp.subject = f"allowed {what}"
    corp.spoils.update(filled(ALLOWED[what], corp))
    browser = Browser(app)
    assert browser.log_in().headers["location"] == "/"
    assert browser.account["name"].startswith("Person allowed")


@pytest.mark.parametrize(
    ("provider", "key"),
    [("es256", ec.generate_private_key(ec.SECP256R1())), ("eddsa", ed25519.Ed25519PrivateKey.generate())],
)
def test_a_provider_may_sign_by_a_curve(app: Server, rogue: Rogue, provider: str, key: Any) -> None:
    tenant = rogue.tenant(provider)
    tenant.key, tenant.algorithm = key, {"es256": "ES256", "eddsa": "EdDSA"}[provider]
    tenant.subject = provider
    browser = Browser(app)
    browser.log_in(provider)
    assert browser.account["name"] == f"Person {provider}"


def test_a_name_that_is_not_in_the_token_is_asked_of_userinfo_once(app: Server, corp: Tenant) -> None:
    corp.subject = "asked"
    corp.spoils.update({"claims": {"name": None}, "userinfo": {"name": "Person of userinfo"}})
    browser = Browser(app)
    browser.log_in()
    assert browser.account["name"] == "Person of userinfo"
    corp.asked.clear()
    browser.log_in()
    assert "/userinfo" not in corp.asked


def test_whoever_does_not_agree_is_told_so_and_may_try_again(app: Server, corp: Tenant) -> None:
    corp.spoils["redirect"] = {"code": None, "error": "access_denied"}
    browser = Browser(app)
    answer = browser.log_in(next="/t/here", **DRAFT)
    assert refused(answer) == "You did not log in with The corp."
    # The way on has all that the first one had.
    again = answer.text.partition("Try again")[0]
    assert 'value="/t/here"' in again
    assert "Words that took long" in again
    assert browser.account is None


def test_an_answer_counts_in_the_browser_that_began_and_once(app: Server, corp: Tenant) -> None:
    corp.subject = "bound"
    browser, stranger = Browser(app), Browser(app)
    to = browser.agree(browser.leave(next="/t/here"))
    assert "began in another browser" in refused(stranger.come_back(to))
    assert stranger.account is None
    # Neither has the stranger's visit ended it.
    assert browser.come_back(to).headers["location"] == "/t/here"
    browser.http.delete("/api/session")
    assert "began in another browser" in refused(browser.come_back(to))
    assert browser.account is None
    for wrong in ("state=unknown&code=x", "code=x", "state=&code="):
        assert "began in another browser" in refused(browser.come_back(f"/login/corp/callback?{wrong}")), wrong
    # Nothing may be said twice.
    to = browser.agree(browser.leave(next="/t/here"))
    for twice in ("state", "code", "iss"):
        assert "began in another browser" in refused(browser.come_back(f"{to}&{twice}=other")), twice


def test_an_answer_to_one_provider_is_none_of_another(app: Server, corp: Tenant) -> None:
    browser = Browser(app)
    to = browser.agree(browser.leave())
    assert "began in another browser" in refused(browser.come_back(to.replace("/corp/", "/es256/")))
    assert browser.account is None


def test_two_tabs_do_not_race(app: Server, corp: Tenant) -> None:
    corp.subject = "of two tabs"
    browser = Browser(app)
    first, second = browser.leave(next="/t/first"), browser.leave(next="/t/second")
    for to, place in ((second, "/t/second"), (first, "/t/first")):
        assert browser.come_back(browser.agree(to)).headers["location"] == place
    assert browser.account["name"] == "Person of two tabs"


def test_a_browser_keeps_the_latest_few_attempts(app: Server, corp: Tenant) -> None:
    browser = Browser(app)
    begun = [browser.leave(next=f"/t/tab-{number}") for number in range(12)]
    assert len([name for name in browser.http.cookies if "-login-" in name]) == 8
    assert "took too long" in refused(browser.come_back(browser.agree(begun[0])))
    assert browser.come_back(browser.agree(begun[-1])).headers["location"] == "/t/tab-11"


def test_a_draft_comes_along(app: Server, corp: Tenant) -> None:
    corp.subject = "writer"
    answer = Browser(app).log_in(next="/t/here", **DRAFT)
    assert answer.status_code == 200
    assert "Words that took long</textarea>" in answer.text
    assert "callback" not in answer.text


def test_a_key_may_change_under_a_new_name_and_under_the_same(app: Server, rogue: Rogue) -> None:
    for provider, key_id in (("renamed", "k2"), ("same", "k1")):
        tenant = rogue.tenant(provider)
        Browser(app).log_in(provider)
        tenant.key, tenant.key_id = fresh_key(), key_id
        browser = Browser(app)
        browser.log_in(provider)
        assert browser.account["name"].startswith("Person 1"), provider


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/keys"])
def test_a_provider_that_is_down_loses_nothing_and_comes_back(app: Server, rogue: Rogue, path: str) -> None:
    provider = {"/keys": "down-keys"}.get(path, "down")
    tenant, browser = rogue.tenant(provider), Browser(app)
    tenant.spoils["status"] = {path: 503}
    answer = browser.press(provider, next="/t/here", **DRAFT)
    assert refused(answer, 503) == f"The {provider} cannot be reached right now."
    again = answer.text.partition("Try again")[0]
    assert 'value="/t/here"' in again
    assert "Words that took long" in again
    tenant.spoils.clear()
    until(lambda: browser.press(provider).status_code == 200)
    tenant.spoils["status"] = {"/token": 502}
    answer = browser.log_in(provider, next="/t/here", **DRAFT)
    assert refused(answer, 503) == f"The {provider} cannot be reached right now."
    assert "Words that took long" in answer.text.partition("Try again")[0]
    tenant.spoils.clear()
    assert browser.log_in(provider, next="/t/here").headers["location"] == "/t/here"


@pytest.mark.parametrize(
    ("provider", "metadata", "why"),
    [
        ("slash", {"issuer": "{issuer}/"}, "its metadata are of another issuer"),
        ("insecure", {"token_endpoint": "http://provider.example/token"}, "an address that is not secure"),
        ("no-keys", {"jwks_uri": None}, "its metadata cannot be used"),
    ],
)
def test_metadata_that_cannot_be_trusted_are_not_used(
    app: Server, rogue: Rogue, provider: str, metadata: dict[str, Any], why: str
) -> None:
    tenant = rogue.tenant(provider)
    tenant.spoils.update(filled({"metadata": metadata}, tenant))
    assert refused(Browser(app).press(provider), 503) == f"The {provider} cannot be reached right now."
    assert why in said_last(app)
    assert tenant.asked == ["/.well-known/openid-configuration"]


def test_too_long_an_answer_is_not_read_and_no_redirect_is_followed(app: Server, rogue: Rogue) -> None:
    endless, leading = rogue.tenant("endless"), rogue.tenant("leading")
    endless.spoils["metadata"] = {"much": "x" * 1024 * 1024}
    assert refused(Browser(app).press("endless"), 503)
    assert "more than 1048576 bytes" in said_last(app)
    leading.spoils["status"] = {"/.well-known/openid-configuration": 302}
    assert refused(Browser(app).press("leading"), 503)
    assert "status 302" in said_last(app)


def test_the_log_says_why_and_holds_no_secret(app: Server, corp: Tenant) -> None:
    corp.spoils["status"] = {"/token": 400}
    browser = Browser(app)
    to = browser.agree(browser.leave())
    refused(browser.come_back(to))
    assert said_last(app).endswith("the code was answered with 400 'spoilt'")
    code, state = (parse_qs(urlsplit(to).query)[name][0] for name in ("code", "state"))
    log = app.log.read_text()
    assert not [secret for secret in (SECRET, code, state, "eyJ") if secret in log]


def test_below_a_path_over_https_cookies_and_addresses_are_those_of_the_path(tmp_path: Path, rogue: Rogue) -> None:
    origin = "https://comments.example.org"
    with knowing(tmp_path, rogue, "corp", LIVETHREAD_ORIGIN=f"{origin}/talk") as server:
        browser = Browser(server)
        browser.http.headers["origin"] = origin
        answer = browser.press(path="/talk/login/", next="/talk/t/here")
        cookie = answer.headers["set-cookie"]
        assert re.match(r"__Secure-livethread-login-[0-9a-f]{16}=", cookie)
        assert {"HttpOnly", "Max-Age=600", "Path=/talk", "SameSite=lax", "Secure"} <= set(cookie.split("; "))
        to = browser.agree(browser.where(answer))
        assert to.startswith(f"{origin}/talk/login/corp/callback?")
        path = to.removeprefix(origin)
        back = httpx2.get(server.origin + path, headers={"cookie": cookie.split(";")[0]}, trust_env=False)
        assert (back.status_code, back.headers["location"]) == (303, "/talk/t/here"), back.text
        assert back.headers["cache-control"] == "private, no-store"
