"""The nouns as the server holds them, frozen. Knows no SQL and no HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Role = Literal["reader", "moderator", "staff"]
State = Literal["visible", "pending", "removed", "deleted"]
ROLES: tuple[Role, ...] = ("reader", "moderator", "staff")

SORTS = ("oldest", "newest", "top", "flat")

MAX_BODY_CHARACTERS = 10_000
MAX_DEPTH = 32


@dataclass(frozen=True, slots=True)
class Account:
    id: int
    name: str
    role: Role


@dataclass(frozen=True, slots=True)
class Thread:
    """`version` is the head; 0 and no id where nobody has used the key yet."""

    key: str
    id: int | None = None
    title: str = ""
    url: str = ""
    summary: str = ""
    author: int | None = None
    author_name: str | None = None
    locked: bool = False
    version: int = 0
    comments: int = 0


@dataclass(frozen=True, slots=True)
class StoredComment:
    """A comment as the actions need it to decide; its public form is channels.change.Comment."""

    id: int
    thread: int
    thread_key: str
    parent: int | None
    author: int | None
    state: State
    revision: int
    depth: int
    request_hash: bytes | None = None
    created: int = 0
    body: str = ""
    shown: int = 1
