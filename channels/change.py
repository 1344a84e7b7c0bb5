"""What travels: a change of one thread. Owns its shape, its merging and its one encoding; knows nobody who sends it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import cached_property
from typing import Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from channels.frames import Text

MAX_ROWS = 500
MAX_BYTES = 256 * 1024


class Author(Struct, frozen=True):
    """The public form of an account under a comment: `avatar` is a path, `badge` a word or None."""

    name: str
    avatar: str
    badge: Literal["author", "staff", "moderator"] | None = None


class Comment(Struct, frozen=True, kw_only=True):
    """The public form of a comment; a partial one holds only `id`, `version` and the fields that changed.

    `created` and `edited` are RFC 3339 UTC with milliseconds; `html` is empty unless the state is visible.
    """

    id: int
    version: int
    parent: int | UnsetType | None = UNSET
    revision: int | UnsetType = UNSET
    state: Literal["visible", "pending", "removed", "deleted"] | UnsetType = UNSET
    author: Author | UnsetType | None = UNSET
    html: str | UnsetType = UNSET
    created: str | UnsetType = UNSET
    edited: str | UnsetType | None = UNSET
    score: int | UnsetType = UNSET
    replies: int | UnsetType = UNSET
    nonce: str | UnsetType = UNSET

    @property
    def is_partial(self) -> bool:
        return self.state is UNSET


class Info(Struct, frozen=True, kw_only=True):
    """What a thread shows of itself; `comments` counts the visible ones."""

    title: str = ""
    url: str = ""
    summary: str = ""
    author: str | None = None
    locked: bool = False
    comments: int = 0


class Change(Struct, frozen=True, kw_only=True, tag="changes", tag_field="type", dict=True):
    """What changed in `thread` after the version `after`, complete up to `version`.

    Applies only to who stands at `after` or later, under the same `epoch`. `branches`: how many visible comments hang
    below the roots of what changed, so that who has not loaded all of a branch still knows its count.
    """

    thread: str
    epoch: str
    after: int
    version: int
    comments: tuple[Comment, ...] = ()
    info: Info = Info()
    branches: dict[int, int] | UnsetType = UNSET

    @cached_property
    def committed(self) -> float:
        """When it was committed, in seconds since 1970 by the app's clock; the present where nobody said."""
        return time.time()

    @cached_property
    def frame(self) -> bytes:
        """The one encoding, used for every reader, for Redis and for HTTP."""
        return msgspec.json.encode(self)

    @cached_property
    def text(self) -> Text:
        return Text(self.frame)

    @property
    def is_too_large(self) -> bool:
        return len(self.comments) > MAX_ROWS or len(self.frame) > MAX_BYTES


class Reset(Struct, frozen=True, kw_only=True, tag="reset", tag_field="type"):
    """There is no diff to be had: fetch the thread anew, `after_ms` milliseconds from now."""

    thread: str
    epoch: str
    version: int
    after_ms: int = 0
    reset: bool = True


class Joined(Struct, frozen=True, tag="joined", tag_field="type"):
    """The catch-up is through: from here on the thread is live."""

    thread: str
    epoch: str
    version: int
    readers: int


class Readers(Struct, frozen=True, tag="readers", tag_field="type"):
    """How many read the thread, over all processes."""

    thread: str
    count: int


class Retry(Struct, frozen=True, tag="retry", tag_field="type"):
    """The process is about to end: come back, to another one, after so long."""

    after_ms: int


class Typing(Struct, frozen=True, kw_only=True, tag="typing", tag_field="type"):
    """Who is writing an answer to `parent` (None: to the thread) at the moment."""

    thread: str
    parent: int | None
    names: tuple[str, ...]


class Ring(Struct, frozen=True, tag="ring", tag_field="type"):
    """Something happened that only the poll tells: ask now."""


class Concern(Struct, frozen=True):
    """What concerns one account and rides in no shared frame: its bell rang, or a session of it ended."""

    account: int
    version: int
    is_end: bool = False


Answer = Change | Reset
Message = Change | Typing | Ring


def fits(first: Change, second: Change) -> bool:
    """Say whether `second` begins exactly where `first` ends."""
    return first.thread == second.thread and first.epoch == second.epoch and first.version == second.after


def merge(first: Change, second: Change) -> Change:
    """Return the one change that does what `first` and then `second` do. Raises ValueError where they do not fit."""
    if not fits(first, second):
        raise ValueError(f"{second.after}..{second.version} does not follow {first.after}..{first.version}")
    merged = msgspec.structs.replace(
        second,
        after=first.after,
        comments=_overlay(first.comments, second.comments),
        branches=((first.branches or {}) | (second.branches or {})) or UNSET,
    )
    # Whoever waited longest counts.
    merged.__dict__["committed"] = first.committed
    return merged


def _overlay(older: Iterable[Comment], newer: Iterable[Comment]) -> tuple[Comment, ...]:
    by_id = {comment.id: comment for comment in older}
    for comment in newer:
        known = by_id.pop(comment.id, None)
        by_id[comment.id] = comment if known is None or not comment.is_partial else _lay_over(known, comment)
    return tuple(by_id.values())


def _lay_over(known: Comment, partial: Comment) -> Comment:
    fields = {field: getattr(partial, field) for field in partial.__struct_fields__}
    return msgspec.structs.replace(known, **{name: value for name, value in fields.items() if value is not UNSET})
