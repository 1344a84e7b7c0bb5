"""Strict schemas of requests, with errors that name the wrong field."""

from __future__ import annotations

import re
from typing import Annotated, Literal, TypeVar

import msgspec

from server import site_tokens, thread_keys
from server.errors import Invalid, Malformed
from server.model import SORTS, Density, Theme

KEY = re.compile(thread_keys.PATTERN)
Nonce = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{16,64}\Z")]
Id = Annotated[int, msgspec.Meta(ge=1, le=2**53)]
Version = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Key = Annotated[str, msgspec.Meta(pattern=rf"^{thread_keys.PATTERN}\Z")]
Shape = TypeVar("Shape")
MAX_VERSION = 2**53

_HINTS = {"nonce": "error.nonce", "thread": "error.thread_key", "parent": "error.parent"}


class PostComment(msgspec.Struct, forbid_unknown_fields=True):
    """`url` and `title`: of the page under which it was written, which a new thread keeps."""

    body: str
    nonce: Nonce
    parent: Id | None = None
    url: Annotated[str, msgspec.Meta(max_length=2000)] | None = None
    title: Annotated[str, msgspec.Meta(max_length=2000)] | None = None


class DescribeThread(msgspec.Struct, forbid_unknown_fields=True):
    title: Annotated[str, msgspec.Meta(min_length=1, max_length=300)]
    url: Annotated[str, msgspec.Meta(max_length=2000)] | None = None
    summary: Annotated[str, msgspec.Meta(max_length=2000)] | None = None
    author: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    locked: bool | None = None


class EditComment(msgspec.Struct, forbid_unknown_fields=True):
    body: str
    revision: Id


class Vote(msgspec.Struct, forbid_unknown_fields=True):
    value: Literal[-1, 0, 1]


class SetState(msgspec.Struct, forbid_unknown_fields=True):
    state: Literal["visible", "removed", "pending"]
    revision: Id | None = None


class Lock(msgspec.Struct, forbid_unknown_fields=True):
    locked: bool


class Ban(msgspec.Struct, forbid_unknown_fields=True):
    banned: bool


class Heard(msgspec.Struct, forbid_unknown_fields=True):
    version: Version


class Visited(msgspec.Struct, forbid_unknown_fields=True):
    comment: Version
    version: Version


class Preview(msgspec.Struct, forbid_unknown_fields=True):
    body: str


class CloseAccount(msgspec.Struct, forbid_unknown_fields=True):
    password: Annotated[str, msgspec.Meta(max_length=4096)]
    comments: Literal["keep", "erase"]


class ChangeName(msgspec.Struct, forbid_unknown_fields=True):
    name: Annotated[str, msgspec.Meta(max_length=400)]


class ChangeAppearance(msgspec.Struct, forbid_unknown_fields=True):
    """What is not given stays."""

    density: Density | msgspec.UnsetType = msgspec.UNSET
    theme: Theme | msgspec.UnsetType = msgspec.UNSET
    shortcuts: bool | msgspec.UnsetType = msgspec.UNSET


class ChangePassword(msgspec.Struct, forbid_unknown_fields=True):
    password: Annotated[str, msgspec.Meta(max_length=4096)]
    new_password: Annotated[str, msgspec.Meta(max_length=4096)]


class Credentials(msgspec.Struct, forbid_unknown_fields=True):
    name: Annotated[str, msgspec.Meta(max_length=400)]
    password: Annotated[str, msgspec.Meta(max_length=4096)]
    token: bool = False


class Claim(msgspec.Struct, forbid_unknown_fields=True):
    """A code that was handed over after a log-in in the first-party window; `token`: cookies do not come back."""

    code: Annotated[str, msgspec.Meta(max_length=200)]
    verifier: Annotated[str, msgspec.Meta(min_length=43, max_length=128)]
    token: bool = False


class Entry(msgspec.Struct, forbid_unknown_fields=True):
    """How a reader comes in on another site's page: by a code (see Claim), or by `sso`, the site's JWT about them.

    `begun`: the code that came with the session which that JWT began, where its cookie did not come back.
    """

    sso: Annotated[str, msgspec.Meta(max_length=site_tokens.MOST_CHARACTERS)] | None = None
    begun: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    code: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    verifier: Annotated[str, msgspec.Meta(min_length=43, max_length=128)] | None = None
    token: bool = False


class SignedOut(msgspec.Struct, forbid_unknown_fields=True):
    """`logout_token`: a site's signed word that its reader has logged out there."""

    logout_token: Annotated[str, msgspec.Meta(max_length=site_tokens.MOST_CHARACTERS)]


class TicketFor(msgspec.Struct, forbid_unknown_fields=True):
    """`thread`: where the socket is to write, for a session of another site."""

    thread: Key | None = None


def parse(body: bytes, shape: type[Shape]) -> Shape:
    """Read JSON of exactly this shape. Raises Malformed if it is no JSON, Invalid with the field if it is not."""
    try:
        return msgspec.json.decode(body, type=shape)
    except msgspec.ValidationError as error:
        raise invalid(error) from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise Malformed("error.not_json", why=str(error)) from None


def invalid(error: msgspec.ValidationError) -> Invalid:
    """Return msgspec's complaint as an error that names the field."""
    text = str(error)
    place = re.search(r"at `\$\.(\w+)", text) or re.search(r"field `(\w+)`", text)
    field = place[1] if place else None
    if (hint := _HINTS.get(field or "")) and ("regex" in text or field == "parent"):
        return Invalid(hint, field=field, most=thread_keys.MAX_CHARACTERS)
    return Invalid("error.bad_field", field=field, why=text.split(" - at", maxsplit=1)[0].removesuffix("."))


def key(text: str) -> str:
    """Return the key of a thread. Raises Invalid."""
    if not KEY.fullmatch(text):
        raise Invalid("error.thread_key", field="thread", code="invalid_key", most=thread_keys.MAX_CHARACTERS)
    return text


def sort(text: str | None) -> str:
    """Return the order that a thread is to be read in. Raises Invalid."""
    if text and text not in SORTS:
        raise Invalid("error.sort", field="sort", names=", ".join(SORTS))
    return text or SORTS[0]


def whole(text: str | None, field: str, *, least: int, most: int, default: int) -> int:
    """Return a whole number from a query. Raises Invalid."""
    if text is None or text == "":
        return default
    # Never longer than any that is meant: Python refuses to read thousands of digits.
    if not (text.isascii() and text.isdigit() and len(text) < 20 and least <= int(text) <= most):
        raise Invalid("error.whole_number", field=field, name=field, least=least, most=most)
    return int(text)


def comment_id(text: str) -> int:
    """Return the number of a comment from a path. Raises Invalid."""
    return whole(text, "id", least=1, most=MAX_VERSION, default=0)
