"""Artalk: the JSON of its export (Artrans), every site of a server. The texts are Markdown, all values strings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from server import thread_keys
from server.importing import source_file
from server.importing.record import Count, Page, Record, converted, foreign_page, guest, skipped, utc


class Comment(msgspec.Struct):
    """`rid` is the id of the comment that it answers, 0 where it answers none."""

    id: str | int
    created_at: str
    content: str = ""
    rid: str | int = 0
    nick: str = ""
    email: str = ""
    page_key: str = ""
    page_title: str = ""
    page_admin_only: str | bool = False
    site_name: str = ""
    site_urls: str = ""
    is_pending: str | bool = False
    vote_up: Count = 0
    vote_down: Count = 0


LEAST = frozenset({"id", "created_at", "content", "page_key", "site_urls", "is_pending"})


def read(path: Path) -> Iterator[Page | Record]:
    """Yield pages, and a record per comment. Raises CannotStart."""
    with source_file.opened(path) as file:
        try:
            comments = msgspec.json.decode(file.whole(), type=list[Any])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise file.refused(f"it is not an Artalk export ({error})") from error
    for number, value in enumerate(comments, start=1):
        try:
            comment, left_out = converted(value, Comment, LEAST, strict=False)
        except msgspec.ValidationError as error:
            yield skipped(number, f"not an Artalk comment: {error}")
            continue
        address = _address(comment)
        page = thread_keys.normalised(address) if address else ""
        if page:
            yield foreign_page(page, address, comment.page_title, is_locked=_is(comment.page_admin_only))
        yield _record(number, page, comment, left_out)


def _address(comment: Comment) -> str:
    """Return the page's address: its key is one, or a path of the site."""
    site = comment.site_urls.partition(",")[0].strip().rstrip("/")
    return f"{site}{comment.page_key}" if comment.page_key.startswith("/") else comment.page_key


def _record(number: int, page: str, comment: Comment, left_out: tuple[str, ...]) -> Record:
    # Go writes the zone's name behind its offset.
    created = utc(" ".join(comment.created_at.split(" ")[:3]))
    if created is None:
        return skipped(number, "created_at is not a time", str(comment.id))
    return Record(
        line=number,
        id=str(comment.id),
        page=page,
        parent=None if str(comment.rid) in ("", "0") else str(comment.rid),
        author=comment.nick or None,
        person=guest(comment.nick, comment.email),
        site=comment.site_name,
        created=created,
        score=comment.vote_up - comment.vote_down,
        up=comment.vote_up,
        down=comment.vote_down,
        state="pending" if _is(comment.is_pending) else None,
        body=comment.content,
        left_out=left_out,
    )


def _is(value: str | bool) -> bool:
    return value is True or value == "true"
