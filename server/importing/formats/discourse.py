"""Discourse: the JSON of one topic. The texts are HTML, with their Markdown where the file has it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from server.importing import source_file
from server.importing.record import Page, Record, converted, foreign_page, skipped, utc

REGULAR, MODERATOR_ACTION = 1, 2


class Post(msgspec.Struct):
    post_number: int
    created_at: str
    username: str = ""
    name: str | None = None
    user_id: int | None = None
    cooked: str = ""
    raw: str = ""
    post_type: int = REGULAR
    reply_to_post_number: int | None = None
    hidden: bool = False
    deleted_at: str | None = None
    user_deleted: bool = False


LEAST = frozenset({"post_number", "created_at", "cooked", "raw", "post_type", "hidden", "deleted_at", "user_deleted"})


class Stream(msgspec.Struct):
    posts: list[Any]


class Topic(msgspec.Struct):
    id: int
    title: str
    post_stream: Stream
    slug: str = "topic"
    closed: bool = False
    archived: bool = False


def read(path: Path) -> Iterator[Page | Record]:
    """Yield the page, and a record per post. Raises CannotStart."""
    with source_file.opened(path) as file:
        try:
            topic = msgspec.json.decode(file.whole(), type=Topic)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise file.refused(f"it is not a Discourse topic ({error})") from error
    page = f"/{topic.slug}/{topic.id}"
    yield foreign_page(page, "", topic.title, is_locked=topic.closed or topic.archived)
    for number, value in enumerate(topic.post_stream.posts, start=1):
        yield _record(number, page, value)


def _record(number: int, page: str, value: Any) -> Record:
    try:
        post, left_out = converted(value, Post, LEAST)
    except msgspec.ValidationError as error:
        return skipped(number, f"not a Discourse post: {error}")
    created = utc(post.created_at)
    id_ = str(post.post_number)
    if created is None:
        return skipped(number, "created_at is not a time", id_)
    if post.post_type not in (REGULAR, MODERATOR_ACTION):
        return skipped(number, "a whisper, or a note about an action on the topic", id_)
    is_removed = post.hidden or post.user_deleted or post.deleted_at is not None
    has_markdown = bool(post.raw and post.cooked)
    return Record(
        line=number,
        id=id_,
        page=page,
        parent=None if post.reply_to_post_number is None else str(post.reply_to_post_number),
        author=post.name or post.username or None,
        person=post.username or None if post.user_id is None else f"user {post.user_id}",
        created=created,
        removed=is_removed,
        body="" if is_removed else post.raw if has_markdown else post.cooked,
        format="markdown" if has_markdown else "html",
        html=post.cooked if has_markdown and not is_removed else None,
        left_out=left_out,
    )
