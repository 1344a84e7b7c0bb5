"""Commento: the JSON of its export, a whole domain. The texts are Markdown, or HTML if it has only that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from server import thread_keys
from server.importing import source_file
from server.importing.record import Page, Record, Score, converted, foreign_page, skipped, utc


class Commenter(msgspec.Struct, rename="camel"):
    commenter_hex: str
    name: str = ""


class Comment(msgspec.Struct, rename="camel"):
    comment_hex: str
    creation_date: str
    domain: str = ""
    url: str = ""
    commenter_hex: str = "anonymous"
    markdown: str = ""
    html: str = ""
    parent_hex: str = "root"
    score: Score = 0
    state: str = "approved"
    deleted: bool = False


LEAST = frozenset({"commentHex", "creationDate", "domain", "url", "markdown", "html", "state", "deleted"})


class Export(msgspec.Struct):
    comments: list[Any]
    commenters: list[Commenter]


def read(path: Path) -> Iterator[Page | Record]:
    """Yield pages, and a record per comment. Raises CannotStart."""
    with source_file.opened(path) as file:
        try:
            export = msgspec.json.decode(file.whole(), type=Export)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise file.refused(f"it is not a Commento export ({error})") from error
    names = {one.commenter_hex: one.name for one in export.commenters}
    for number, value in enumerate(export.comments, start=1):
        try:
            comment, left_out = converted(value, Comment, LEAST)
        except msgspec.ValidationError as error:
            yield skipped(number, f"not a Commento comment: {error}")
            continue
        url = comment.url if "://" in comment.url else f"https://{comment.domain}{comment.url}"
        page = thread_keys.normalised(url)
        yield foreign_page(page, url, "")
        yield _record(number, page, comment, names.get(comment.commenter_hex), left_out)


def _record(number: int, page: str, comment: Comment, name: str | None, left_out: tuple[str, ...]) -> Record:
    created = utc(comment.creation_date)
    if created is None:
        return skipped(number, "creationDate is not a time", comment.comment_hex)
    return Record(
        line=number,
        id=comment.comment_hex,
        page=page,
        parent=None if comment.parent_hex == "root" else comment.parent_hex,
        author=name or None,
        person=comment.commenter_hex,
        site=comment.domain,
        created=created,
        score=comment.score,
        state="pending" if comment.state != "approved" and not comment.deleted else None,
        removed=comment.deleted,
        body="" if comment.deleted else comment.markdown or comment.html,
        format="markdown" if comment.markdown else "html",
        left_out=left_out,
    )
