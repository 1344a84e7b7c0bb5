"""Messages: above all the change of one thread, its shape, merging and encoding. Knows no sender."""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import cached_property
from itertools import chain, pairwise
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from channels.sockets.frames import Text

MAX_ROWS = 500
MAX_BYTES = 256 * 1024
# The largest number that every client can tell from the next one.
MAX_VERSION = 2**53 - 1
TYPING_NAMES = 5

Version = Annotated[int, Meta(ge=0, le=MAX_VERSION)]
Key = Annotated[str, Meta(min_length=1, max_length=200)]
Name = Annotated[str, Meta(max_length=100)]


class Author(Struct, frozen=True):
    """The public form of an account under a comment: `avatar` is a path, `badge` a word or None.

    `picture`: the hash of a picture of one's own.
    """

    name: str
    avatar: str
    badge: Literal["author", "staff", "moderator"] | None = None
    picture: str | UnsetType = UNSET


class Comment(Struct, frozen=True, kw_only=True):
    """The public form of a comment; a partial one holds only `id`, `version` and the fields that changed.

    `created` and `edited` are RFC 3339 UTC with milliseconds; `html` is empty unless the state is visible. Comments are
    ordered by `placed`, if it is there, else by `created`; between equals by their ids. `arrived`: the version with
    which it was first shown.
    """

    id: int
    version: Version
    parent: int | UnsetType | None = UNSET
    revision: int | UnsetType = UNSET
    state: Literal["visible", "pending", "removed", "deleted"] | UnsetType = UNSET
    author: Author | UnsetType | None = UNSET
    html: str | UnsetType = UNSET
    created: str | UnsetType = UNSET
    placed: str | UnsetType = UNSET
    arrived: int | UnsetType = UNSET
    edited: str | UnsetType | None = UNSET
    score: int | UnsetType = UNSET
    replies: int | UnsetType = UNSET
    nonce: str | UnsetType = UNSET

    @property
    def is_partial(self) -> bool:
        return self.state is UNSET


class Info(Struct, frozen=True, kw_only=True):
    """What a thread shows of itself; `comments` counts the visible ones. `moved`: where it went, a key."""

    title: str = ""
    url: str = ""
    summary: str = ""
    author: str | None = None
    locked: bool = False
    comments: int = 0
    moved: str | UnsetType = UNSET


class Change(Struct, frozen=True, kw_only=True, tag="changes", tag_field="type", dict=True):
    """What changed in `thread` after the version `after`, complete up to `version`.

    Applies only to who stands at `after` or later, under the same `epoch`. `branches`: how many visible comments hang
    below the changed roots, so that a client that has not loaded all of a branch still knows its count.
    """

    thread: Key
    epoch: str
    after: Version
    version: Version
    comments: tuple[Comment, ...] = ()
    info: Info = Info()
    branches: dict[int, int] | UnsetType = UNSET

    @cached_property
    def committed(self) -> float:
        """When it was committed, in seconds since 1970 by the app's clock; the present if nobody said."""
        return time.time()

    @cached_property
    def frame(self) -> bytes:
        """The one encoding, used for every reader, for Redis and for HTTP."""
        return msgspec.json.encode(self)

    @cached_property
    def text(self) -> Text:
        return Text(self.frame)

    @property
    def is_sound(self) -> bool:
        """Say whether its versions are in order."""
        return self.after <= self.version and all(comment.version <= self.version for comment in self.comments)

    @property
    def is_too_large(self) -> bool:
        return len(self.comments) > MAX_ROWS or len(self.frame) > MAX_BYTES


class Reset(Struct, frozen=True, kw_only=True, tag="reset", tag_field="type"):
    """There is no diff: load the thread again, `after_ms` milliseconds from now."""

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
    """Names of people typing a reply to `parent` (None: to the thread)."""

    thread: Key
    parent: int | None
    names: Annotated[tuple[Name, ...], Meta(max_length=TYPING_NAMES)]


class PollNow(Struct, frozen=True, tag="ring", tag_field="type"):
    """Something happened that only the poll tells: ask now."""


class AccountEvent(Struct, frozen=True):
    """What concerns one account and rides in no shared frame: its bell rang, or a session of it ended."""

    account: int
    version: int
    is_end: bool = False


def text_of(message: Struct) -> Text:
    """Return what a reader is sent of it."""
    return Text(msgspec.json.encode(message))


Answer = Change | Reset
Message = Change | Typing | PollNow


def fits(first: Change, second: Change) -> bool:
    """Say whether `second` begins exactly where `first` ends."""
    return first.thread == second.thread and first.epoch == second.epoch and first.version == second.after


def merge(first: Change, *others: Change) -> Change:
    """Return the one change that does what `first` and then the `others` do. Raises ValueError if they do not fit."""
    if not others:
        return first
    branches = dict(first.branches or {})
    for before, second in pairwise((first, *others)):
        if not fits(before, second):
            raise ValueError(f"{second.after}..{second.version} does not follow {before.after}..{before.version}")
        branches |= second.branches or {}
    merged = msgspec.structs.replace(
        others[-1],
        after=first.after,
        comments=_overlay(first.comments, chain.from_iterable(one.comments for one in others)),
        branches=branches or UNSET,
    )
    # The longest wait counts.
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
