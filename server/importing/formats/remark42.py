"""Remark42: its native backup (a line per comment), its tree and its flat list of comments. The texts are HTML."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from server import thread_keys
from server.importing import source_file
from server.importing.record import Page, Record, Score, converted, foreign_page, milliseconds, skipped
from server.importing.source_file import Source


class User(msgspec.Struct):
    name: str = ""
    id: str = ""


class Locator(msgspec.Struct):
    site: str = ""
    url: str = ""


class Comment(msgspec.Struct):
    """`text` is the HTML of `orig`, the Markdown that was written; older versions did not keep that."""

    id: str
    time: str
    pid: str = ""
    text: str = ""
    orig: str = ""
    user: User = msgspec.field(default_factory=User)
    locator: Locator = msgspec.field(default_factory=Locator)
    score: Score = 0
    votes: dict[str, bool] | None = None
    delete: bool = False
    edit: dict[str, Any] | None = None
    title: str = ""


LEAST = frozenset({"id", "time", "text", "orig", "locator", "delete"})


class Post(msgspec.Struct):
    url: str
    read_only: bool = False


class Head(msgspec.Struct):
    """The first line of a backup."""

    version: int
    users: list[Any]
    posts: list[Post] | None = None


class Tree(msgspec.Struct):
    comments: list[Any]
    info: Post | None = None


def read(path: Path) -> Iterator[Page | Record]:
    """Yield pages, and a record per comment, whichever of the three forms the file has. Raises CannotStart."""
    with source_file.opened(path) as file:
        begin = file.peek().lstrip()
        if begin.startswith(b"[") or not _is_object(begin.split(b"\n", 1)[0]):
            yield from _document(file)
        else:
            yield from _lines(file)


def _is_object(line: bytes) -> bool:
    """Say whether a first line can be one of several: a document over many lines begins with less."""
    return line.startswith(b"{") and len(line.strip()) > 1 and not _is_tree(line)


def _is_tree(line: bytes) -> bool:
    return line.replace(b" ", b"").startswith((b'{"comments":', b'{"info":'))


def _lines(file: Source) -> Iterator[Page | Record]:
    for position, (number, line) in enumerate(file.lines()):
        if line is None:
            yield skipped(number, f"a line of more than {source_file.MAX_LINE_BYTES // 2**20} MiB")
            continue
        try:
            value = msgspec.json.decode(line)
            if position == 0 and isinstance(value, dict) and "version" in value:
                yield from map(_post, msgspec.convert(value, Head).posts or [])
                continue
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            yield skipped(number, f"not a Remark42 comment: {error}")
            continue
        yield from _comment(number, value)


def _document(file: Source) -> Iterator[Page | Record]:
    content = file.whole()
    try:
        value = msgspec.json.decode(content)
        tree = Tree(value) if isinstance(value, list) else msgspec.convert(value, Tree)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise file.refused(f"it is not a Remark42 backup, tree or list of comments ({error})") from error
    if tree.info is not None:
        yield _post(tree.info)
    for number, comment in enumerate(_flat(tree.comments), start=1):
        yield from _comment(number, comment)


def _flat(tree: list[Any]) -> Iterator[Any]:
    """Yield the comments of a tree, each before its replies, or of a list."""
    waiting = list(reversed(tree))
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict) and "comment" in node:
            yield node["comment"]
            replies = node.get("replies")
            waiting.extend(reversed(replies if isinstance(replies, list) else []))
        else:
            yield node


def _post(post: Post) -> Page:
    return foreign_page(_page(post.url), post.url, "", is_locked=post.read_only)


@lru_cache(maxsize=1_000)
def _page(url: str) -> str:
    return thread_keys.normalised(url) if url else ""


def _comment(number: int, value: Any) -> Iterator[Page | Record]:
    try:
        comment, left_out = converted(value, Comment, LEAST)
    except msgspec.ValidationError as error:
        yield skipped(number, f"not a Remark42 comment: {error}")
        return
    created = _milliseconds(comment.time)
    if created is None:
        yield skipped(number, "time is not a time", comment.id)
        return
    edited = _milliseconds(str(comment.edit["time"])) if comment.edit and comment.edit.get("time") else None
    page = _page(comment.locator.url)
    if page:
        yield foreign_page(page, comment.locator.url, comment.title)
    votes = list((comment.votes or {}).values())
    up, down = votes.count(True), votes.count(False)
    # Its owner can let a score stand without the votes, or forbid negative ones.
    are_all = bool(votes) and up - down == comment.score
    is_markdown = bool(comment.orig and comment.text)
    yield Record(
        line=number,
        id=comment.id,
        page=page,
        parent=comment.pid or None,
        author=comment.user.name or None,
        person=comment.user.id or None,
        site=comment.locator.site,
        created=created,
        edited=edited,
        score=comment.score,
        up=up if are_all else None,
        down=down if are_all else None,
        removed=comment.delete,
        body="" if comment.delete else comment.orig if is_markdown else comment.text,
        format="markdown" if is_markdown else "html",
        html=comment.text if is_markdown and not comment.delete else None,
        left_out=left_out,
    )


def _milliseconds(text: str) -> int | None:
    """Return a time with its zone (UTC if it has none); None if it is none."""
    try:
        time = datetime.fromisoformat(text)
        # Go writes the year 1 for a time that is not known.
        return milliseconds(max(0.0, (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()))
    except (ValueError, OverflowError):
        return None
