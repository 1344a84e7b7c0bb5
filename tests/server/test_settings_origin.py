"""An origin of the settings is the one that browsers send, however the operator spells it."""

from __future__ import annotations

import pytest

from server.errors import CannotStart
from server.settings import read


@pytest.mark.parametrize(
    ("given", "origin"),
    [
        ("https://Example.ORG/", "https://example.org"),
        ("https://example.org:443", "https://example.org"),
        ("http://example.org:80", "http://example.org"),
        ("https://example.org:80", "https://example.org:80"),
        ("https://example.org:8443", "https://example.org:8443"),
        ("https://m\u00fcnchen.example", "https://xn--mnchen-3ya.example"),
        ("http://[2001:DB8::1]:8000", "http://[2001:db8::1]:8000"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
    ],
)
def test_an_origin_is_written_as_browsers_write_it(given: str, origin: str) -> None:
    settings = read({"LIVETHREAD_ORIGIN": given, "LIVETHREAD_SITES": given})
    assert settings.origin == origin
    assert settings.sites == {origin}
    assert settings.is_own_origin(origin)


@pytest.mark.parametrize(
    "given",
    [
        "example.org", "ftp://example.org", "https://", "https://a@example.org", "https://a:b@example.org",
        "https://example.org/t", "https://example.org?a", "https://example.org#a", "https://example.org:99999",
        "https://example.org:port", "https://a..b",
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["ORIGIN", "SITES", "APP_URL"])
def test_what_is_no_origin_is_refused_by_the_name_of_its_setting(name: str, given: str) -> None:
    with pytest.raises(CannotStart, match=f"LIVETHREAD_{name}"):
        read({f"LIVETHREAD_{name}": given})


def test_an_origin_is_matched_whole() -> None:
    settings = read({"LIVETHREAD_ORIGIN": "https://talk.example", "LIVETHREAD_SITES": "https://blog.example"})
    for origin in (
        "https://talk.example.evil",
        "https://talk.example:8443",
        "http://talk.example",
        "https://talk.exampl",
    ):
        assert origin not in settings.sites
        assert not settings.is_own_origin(origin)
    for origin in (
        "https://blog.example.evil",
        "https://blog.example:8443",
        "http://blog.example",
        "https://blog.exampl",
    ):
        assert origin not in settings.sites
    assert settings.sites == {"https://blog.example"}
    assert not settings.is_own_origin("https://blog.example")


def test_a_presumed_origin_is_matched_whole() -> None:
    settings = read({"LIVETHREAD_PORT": "8000"})
    assert settings.is_own_origin("http://localhost:8000")
    for origin in (
        "http://localhost:80001",
        "http://localhost:8000.evil",
        "http://localhost",
        "https://localhost:8000",
    ):
        assert not settings.is_own_origin(origin)


@pytest.mark.parametrize(
    ("given", "origin", "base"),
    [
        ("https://Example.ORG/talk", "https://example.org", "/talk"),
        ("https://example.org:443/Talk/", "https://example.org", "/Talk"),
        ("http://[::1]:8000/a/b.c//", "http://[::1]:8000", "/a/b.c"),
    ],
)
def test_the_public_address_may_have_a_path(given: str, origin: str, base: str) -> None:
    settings = read({"LIVETHREAD_ORIGIN": given})
    assert (settings.origin, settings.base, settings.address) == (origin, base, origin + base)
    assert settings.app_url == settings.address
    assert settings.is_own_origin(origin)
    assert not settings.is_own_origin(settings.address)


@pytest.mark.parametrize(
    "path", ["/t", "/api/v2", "/live", "/talk//a", "/a/../b", "/.", "/ta lk", "/t%61lk", "/tälk", "/" + "a" * 61]
)
def test_a_path_that_could_be_mistaken_is_refused(path: str) -> None:
    with pytest.raises(CannotStart, match=r"LIVETHREAD_ORIGIN: .* has a path that"):
        read({"LIVETHREAD_ORIGIN": f"https://example.org{path}"})
