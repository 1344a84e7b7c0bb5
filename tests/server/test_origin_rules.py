"""Which requests may write, and which may use the session of the browser that sends them."""

from __future__ import annotations

import pytest
from starlette.datastructures import Headers

from server.errors import Invalid
from server.settings import read
from server.sites import Site, Sites, checked, id_for
from server.web.requests import origins

SETTINGS = read({"LIVETHREAD_ORIGIN": "https://talk.example"})
SITES = Sites()
OURS, ANOTHERS = ("origin", "https://talk.example"), ("origin", "https://evil.example")
NO_ORIGIN, COOKIE = ("origin", "null"), ("cookie", "livethread=x")
SAME, NOBODY, OTHER_PORT, ELSEWHERE = (
    ("sec-fetch-site", site) for site in ("same-origin", "none", "same-site", "cross-site")
)
NAVIGATES, OPENS_A_PAGE = ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")
BEARER = ("authorization", "Bearer x")
Pairs = tuple[tuple[str, str], ...]


def headers(given: Pairs) -> Headers:
    return Headers(raw=[(name.encode(), value.encode()) for name, value in given])


@pytest.mark.parametrize(
    ("given", "may"),
    [
        ((OURS, COOKIE), True),
        ((ANOTHERS, COOKIE), False),
        ((ANOTHERS,), False),
        ((ANOTHERS, BEARER), False),
        ((OURS, ANOTHERS), False),
        ((OURS, OURS), False),
        ((ANOTHERS, SAME), False),
        ((OURS, ELSEWHERE), True),
        # What a browser says under `no-referrer`.
        ((NO_ORIGIN, SAME, COOKIE), True),
        ((NO_ORIGIN, NOBODY), False),
        ((NO_ORIGIN, ELSEWHERE), False),
        ((NO_ORIGIN,), False),
        ((SAME, COOKIE), True),
        ((NOBODY, COOKIE), True),
        ((OTHER_PORT, COOKIE), False),
        ((ELSEWHERE,), False),
        # Programs say nothing of where they come from.
        ((), True),
        ((BEARER,), True),
        ((BEARER, COOKIE), True),
        ((COOKIE,), False),
    ],
)
def test_only_our_own_pages_and_programs_without_a_cookie_write(given: Pairs, may: bool) -> None:
    assert origins.may_write(SETTINGS, SITES, "PUT", "/api/threads/t", headers(given)) == may


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_reading_is_not_writing(method: str) -> None:
    assert origins.may_write(SETTINGS, SITES, method, "/t/t", headers((ANOTHERS, COOKIE)))


@pytest.mark.parametrize(
    ("method", "path", "may"),
    [
        ("POST", "/api/accounts", True),
        ("POST", "/api/session", True),
        ("DELETE", "/api/session", False),
        ("POST", "/api/sessions", False),
    ],
)
def test_a_program_with_an_old_cookie_logs_in(method: str, path: str, may: bool) -> None:
    assert origins.may_write(SETTINGS, SITES, method, path, headers((COOKIE,))) == may
    assert not origins.may_write(SETTINGS, SITES, method, path, headers((COOKIE, ANOTHERS)))


@pytest.mark.parametrize(
    ("given", "lends"),
    [
        ((), True),
        ((OURS,), True),
        ((SAME,), True),
        ((NOBODY,), True),
        ((ANOTHERS,), False),
        ((ELSEWHERE,), False),
        ((ELSEWHERE, NAVIGATES, OPENS_A_PAGE), True),
        ((ELSEWHERE, NAVIGATES, ("sec-fetch-dest", "iframe")), False),
        ((ELSEWHERE, ("sec-fetch-mode", "no-cors"), OPENS_A_PAGE), False),
        ((ANOTHERS, ELSEWHERE, NAVIGATES, OPENS_A_PAGE), False),
        ((NO_ORIGIN, ELSEWHERE, NAVIGATES, OPENS_A_PAGE), False),
    ],
)
def test_the_session_speaks_on_our_own_pages_and_for_a_visitor_who_opens_one(given: Pairs, lends: bool) -> None:
    assert origins.lends_session(SETTINGS, headers(given)) == lends


@pytest.mark.parametrize(
    ("value", "token"),
    [
        ("Bearer abc", "abc"), ("bearer  abc ", "abc"), ("BEARER abc", "abc"), ("Bearer ", None), ("Bearer", None),
        ("Basic abc", None), ("", None),
    ],
)  # fmt: skip
def test_a_bearer_token_is_read_from_its_header_alone(value: str, token: str | None) -> None:
    assert origins.bearer(headers((("authorization", value),))) == token


def test_no_header_is_no_token() -> None:
    assert origins.bearer(headers(())) is None


def test_an_origin_that_is_none_is_named_before_the_id_that_is_made_of_it() -> None:
    with pytest.raises(Invalid) as refused:
        checked(Site(id_for("a"), origins=("a",)))
    assert refused.value.field == "origin"
    assert "a: is not an origin" in str(refused.value)
