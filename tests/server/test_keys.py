"""One page has one key, however its address is spelt, and two pages have two."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server import thread_keys
from server.errors import Invalid
from server.web.requests import schemas

PAGE = "https://example.org/blog/2020/caf%C3%A9"
SPELLINGS = [
    "http://example.org/blog/2020/caf%C3%A9",
    "https://EXAMPLE.org/blog/2020/caf%C3%A9",
    "https://example.org:8443/blog/2020/caf%C3%A9",
    "https://example.org./blog/2020/caf%C3%A9",
    "https://example.org/blog/2020/caf%C3%A9/",
    "https://example.org/blog/2020/caf%C3%A9/index.html",
    "https://example.org/blog/2020/caf%C3%A9#comments",
    "https://example.org/blog/2020/caf%C3%A9?utm_source=feed&page=2",
    "https://example.org/blog/2020/caf%c3%a9",
    "https://example.org/blog/2020/café",
    "https://example.org/bl%6Fg/2020/%63af%C3%A9",
    "https://example.org/blog/./2021/../2020/café",
    "https://reader:secret@example.org/blog/2020/café",
    "  //example.org/blog/2020/café\n",
]
APART = [
    PAGE,
    "https://example.org/blog/2020/caf",
    "https://example.org/blog/2020/Caf%C3%A9",
    "https://example.org/blog/2020/cafe%CC%81",
    "https://example.org/blog~2020/caf",
    "https://example.org/blog%2F2020/caf",
    "https://example.org/blog//2020/caf",
    "https://example.org/blog/2020/caf//",
    "https://example.org/blog/2020/100%25",
    "https://example.org/blog/2020/100",
    "https://example.org/",
    "https://example.org/index",
    "https://example.org/" + "a" * 300,
    "https://example.org/" + "a" * 301,
    "https://example.org/" + "a" * 200,
]


@pytest.mark.parametrize("address", SPELLINGS)
def test_every_spelling_of_an_address_has_its_key(address: str) -> None:
    assert thread_keys.normalised(address) == "example.org/blog/2020/caf%C3%A9"
    assert thread_keys.key_of(address) == thread_keys.key_of(PAGE)


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("https://example.org/blog/2020/a-title_1.html", "blog~2020~a-title_1.html"),
        ("https://example.org/index.html", thread_keys.key_of("https://example.org")),
        ("/blog/post/", "blog~post"),
        ("post", "post"),
        ("https://BÜCHER.example/a", "a"),
        ("https://[broken/a", thread_keys.key_of("https://[broken/a")),
    ],
)
def test_a_plain_path_is_its_key(address: str, key: str) -> None:
    assert thread_keys.key_of(address) == key
    assert thread_keys.normalised("https://bücher.example/") == "xn--bcher-kva.example/"


def test_other_pages_have_other_keys() -> None:
    made = [thread_keys.key_of(address) for address in APART]
    assert len(set(made)) == len(APART)
    assert all(map(thread_keys.is_key, made))


def test_no_path_passes_for_the_shortened_key_of_another() -> None:
    for address in (PAGE, "https://example.org/"):
        assert thread_keys.key_of(
            f"https://example.org/{thread_keys.key_of(address).replace('~', '/')}"
        ) != thread_keys.key_of(address)
    assert thread_keys.key_of("https://example.org/a", is_long=True) != thread_keys.key_of(
        "https://example.com/a", is_long=True
    )


def test_of_the_query_only_what_names_a_page_is_kept() -> None:
    one, other = "https://example.org/?p=1&x=2&lang=de", "https://example.org/index.html?lang=de&p=1"
    keep = {"p", "lang"}
    assert thread_keys.normalised(one, keep) == "example.org/?lang=de&p=1"
    assert (
        thread_keys.key_of(one, keep)
        == thread_keys.key_of(other, keep)
        != thread_keys.key_of("https://example.org/?p=2&lang=de", keep)
    )


@pytest.mark.parametrize("text", ["", ".", "..", "blog/2020/café", "a b", "a\n", "a" * 201, "a?b"])
def test_what_cannot_be_opened_is_no_key(text: str) -> None:
    assert not thread_keys.is_key(text)
    with pytest.raises(Invalid):
        schemas.key(text)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(text, schemas.Key)


@pytest.mark.parametrize("text", ["...", "..a", ".a", "a.", "a..", ".-", "..~", "-", "~"])
def test_dots_are_letters_of_a_key_that_is_more(text: str) -> None:
    assert thread_keys.is_key(text)
    assert schemas.key(text) == msgspec.convert(text, schemas.Key) == text


@given(st.text(max_size=300), st.text(max_size=30))
def test_any_address_has_a_key_that_stays(address: str, host: str) -> None:
    for text in (address, f"https://{host}/{address}"):
        key = thread_keys.key_of(text)
        assert thread_keys.is_key(key)
        assert thread_keys.key_of(text) == key
