"""The shapes that requests must have, strictly, and errors that name the field which has not."""

from __future__ import annotations

import re
from typing import Annotated, Literal, TypeVar

import msgspec

from server.errors import Invalid, Malformed
from server.model import SORTS

KEY = re.compile(r"[A-Za-z0-9._~-]{1,200}")
Nonce = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{16,64}\Z")]
Id = Annotated[int, msgspec.Meta(ge=1, le=2**53)]
Version = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Key = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._~-]{1,200}\Z")]
Shape = TypeVar("Shape")

_HINTS = {
    "nonce": "A nonce is 16 to 64 of A-Z, a-z, 0-9, _ and -.",
    "thread": "A thread's key is 1 to 200 letters, digits and - . _ ~",
    "parent": "parent is the id of a comment, or null.",
}


class PostComment(msgspec.Struct, forbid_unknown_fields=True):
    body: str
    nonce: Nonce
    parent: Id | None = None


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


class Credentials(msgspec.Struct, forbid_unknown_fields=True):
    name: Annotated[str, msgspec.Meta(max_length=400)]
    password: Annotated[str, msgspec.Meta(max_length=4096)]
    token: bool = False


def parse(body: bytes, shape: type[Shape]) -> Shape:
    """Read JSON of exactly this shape. Raises Malformed where it is no JSON, Invalid with the field where it is not."""
    try:
        return msgspec.json.decode(body, type=shape)
    except msgspec.ValidationError as error:
        raise invalid(error) from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise Malformed(f"The request is not JSON: {error}.") from None


def invalid(error: msgspec.ValidationError) -> Invalid:
    """Return msgspec's complaint as an error that names the field."""
    text = str(error)
    place = re.search(r"at `\$\.(\w+)", text) or re.search(r"field `(\w+)`", text)
    field = place[1] if place else None
    message = _HINTS.get(field or "") if "regex" in text or field == "parent" else None
    return Invalid(message or f"{text.split(' - at', maxsplit=1)[0]}.".replace("..", "."), field=field)


def key(text: str) -> str:
    """Return the key of a thread. Raises Invalid."""
    if not KEY.fullmatch(text):
        raise Invalid(_HINTS["thread"], field="thread", code="invalid_key")
    return text


def sort(text: str | None) -> str:
    """Return the order that a thread is to be read in. Raises Invalid."""
    if text and text not in SORTS:
        raise Invalid(f"sort is one of {', '.join(SORTS)}.", field="sort")
    return text or SORTS[0]


def whole(text: str | None, field: str, *, least: int, most: int, default: int) -> int:
    """Return a whole number from a query. Raises Invalid."""
    if text is None or text == "":
        return default
    # Never longer than any that is meant: Python refuses to read thousands of digits.
    if not (text.isascii() and text.isdigit() and len(text) < 20 and least <= int(text) <= most):
        raise Invalid(f"{field} is a whole number from {least} to {most}.", field=field)
    return int(text)
