"""Isso: its SQLite database, every thread of a site. The texts are Markdown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from server import thread_keys
from server.importing import source_file
from server.importing.record import Count, Page, Record, converted, foreign_page, guest, milliseconds, skipped
from server.storage.import_export import foreign_database

_THREADS = "SELECT id, uri, title FROM threads"
_COMMENTS = """
SELECT id, tid, parent, created, modified, mode, text, author, email, likes, dislikes FROM comments ORDER BY id
"""


class Comment(msgspec.Struct):
    """Times in unix seconds. `mode`: 1 accepted, 2 waits for approval, 4 deleted, with answers left."""

    id: int
    tid: int
    created: float
    mode: int
    text: str
    parent: int | None = None
    modified: float | None = None
    author: str | None = None
    email: str | None = None
    likes: Count = 0
    dislikes: Count = 0


LEAST = frozenset({"id", "tid", "created", "mode", "text"})


def read(path: Path) -> Iterator[Page | Record]:
    """Yield pages, and a record per comment. Their addresses are paths. Raises CannotStart."""
    if not foreign_database.is_database(path):
        raise source_file.refused(path, "it is not an SQLite database: give the one that Isso calls comments.db")
    pages: dict[Any, str] = {}
    for thread in foreign_database.rows(path, _THREADS):
        pages[thread["id"]] = page = thread_keys.normalised(str(thread["uri"]))
        yield foreign_page(page, "", str(thread["title"] or ""))
    for number, row in enumerate(foreign_database.rows(path, _COMMENTS), start=1):
        yield _record(number, row, pages)


def _record(number: int, row: dict[str, Any], pages: dict[Any, str]) -> Record:
    try:
        comment, left_out = converted(row, Comment, LEAST)
    except msgspec.ValidationError as error:
        return skipped(number, f"not an Isso comment: {error}")
    created = milliseconds(comment.created)
    if created is None:
        return skipped(number, "created is not a time", str(comment.id))
    is_deleted = comment.mode == 4
    return Record(
        line=number,
        id=str(comment.id),
        page=pages.get(comment.tid, str(comment.tid)),
        parent=None if comment.parent is None else str(comment.parent),
        author=comment.author or None,
        person=guest(comment.author or "", comment.email or ""),
        created=created,
        edited=milliseconds(comment.modified),
        up=comment.likes,
        down=comment.dislikes,
        score=comment.likes - comment.dislikes,
        state="pending" if comment.mode == 2 else None,
        removed=is_deleted,
        body="" if is_deleted else comment.text,
        left_out=left_out,
    )
