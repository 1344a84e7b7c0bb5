"""The domain types, frozen. Knows no SQL and no HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from msgspec import Struct

Kind = Literal["local", "imported"]
Role = Literal["reader", "moderator", "staff"]
State = Literal["visible", "pending", "removed", "deleted"]
Density = Literal["comfortable", "compact"]
Theme = Literal["auto", "light", "dark"]
ROLES: tuple[Role, ...] = ("reader", "moderator", "staff")
DENSITIES: tuple[Density, ...] = ("comfortable", "compact")
THEMES: tuple[Theme, ...] = ("auto", "light", "dark")

SORTS = ("oldest", "newest", "top", "flat")

MAX_BODY_CHARACTERS = 10_000
MAX_DEPTH = 32


class Appearance(Struct, frozen=True):
    """How an account has pages shown. `theme`: "auto" is as its device asks. `shortcuts`: whether single letters are
    keys in a thread."""

    density: Density = "comfortable"
    theme: Theme = "auto"
    shortcuts: bool = True


PLAIN = Appearance()


@dataclass(frozen=True, slots=True)
class Account:
    """`role` is what it may do here. `full_role`: its own, if the session gives it less. `is_signed`: a site's signed
    statement began the session. `language`: what it has chosen to read, or "" for what its browser asks for."""

    id: int
    name: str
    role: Role
    full_role: Role | None = None
    is_signed: bool = False
    language: str = ""
    appearance: Appearance = PLAIN


@dataclass(frozen=True, slots=True)
class Thread:
    """`version` is the head; 0 and no id if nobody has used the key yet. `site`: whose pages it is under. `created` in
    milliseconds. `moved`: the key of the thread that this one went into, or ""."""

    key: str
    id: int | None = None
    site: str = "own"
    title: str = ""
    url: str = ""
    summary: str = ""
    author: int | None = None
    author_name: str | None = None
    locked: bool = False
    version: int = 0
    comments: int = 0
    created: int = 0
    moved: str = ""


class StoredComment(Struct, frozen=True):
    """A comment as it is kept, with what is known of its thread and author; what anybody sees of it is `view`'s.

    Times in milliseconds. `author_name` and `author_role` are None if there is no account, or it was closed;
    `author_picture` is the hash of one's own.
    `hidden_quotes`: which quotes of the text are of comments that are not visible, numbers joined by commas.
    """

    id: int
    thread: int
    thread_key: str
    thread_title: str
    thread_author: int | None
    parent: int | None
    depth: int
    state: State
    shown: int
    version: int
    revision: int
    body: str
    html: str
    created: int
    edited: int | None
    placed: int
    arrived: int
    nonce: str | None
    replies: int
    score: int
    author: int | None
    author_name: str | None
    author_role: Role | None
    author_picture: str | None
    hidden_quotes: str | None


class Head(NamedTuple):
    """A comment without its text, for who has the text of this version: `version` tells what a write stamped.

    The rest of what its public form is made of can change before a write stamps it: names, roles, what it quotes.
    """

    id: int
    version: int
    parent: int | None
    state: State
    shown: int
    score: int
    author: int | None
    author_name: str | None
    author_role: Role | None
    author_picture: str | None
    is_of_thread_author: int
    hidden_quotes: str | None
