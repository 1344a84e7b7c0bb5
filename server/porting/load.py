"""Loads records into a thread, in writes of at most 100 rows, so that a running server stays live meanwhile."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import msgspec

from server import markup, names, quotations
from server.errors import Invalid
from server.model import MAX_BODY_CHARACTERS, MAX_DEPTH
from server.porting.record import Record
from server.storage import accounts, comments, threads
from server.storage.database import Database
from server.storage.write import Write

ROWS_IN_ONE_WRITE = 100


class Batch(msgspec.Struct, kw_only=True):
    """Records of one thread; `origin` names the format, since ids are only unique within one."""

    thread: str
    origin: str
    records: list[Record]


async def load_batch(database: Database, batch: Batch) -> dict[str, Any]:
    """Return {imported, tombstones, anonymous, skipped: [[line, reason]]}; every record is counted once."""
    report: dict[str, Any] = {"imported": 0, "tombstones": 0, "anonymous": 0, "skipped": []}
    for start in range(0, len(batch.records), ROWS_IN_ONE_WRITE):
        some = batch.records[start : start + ROWS_IN_ONE_WRITE]
        bodies = await asyncio.to_thread(_bodies, some)
        rows = list(zip(some, bodies, strict=True))
        outcome = await database.write(partial(_load, batch=batch, rows=rows))
        for record, why in zip(some, outcome, strict=True):
            if why is not None:
                report["skipped"].append([record.line, why])
                continue
            report["imported"] += 1
            report["tombstones"] += record.removed
            report["anonymous"] += record.author is None and not record.removed
    return report


Texts = tuple[str, str, tuple[comments.EarlierText, ...]]


def _bodies(records: list[Record]) -> list[Texts]:
    return [_texts(record) for record in records]


def _texts(record: Record) -> Texts:
    """Return (text, html, earlier texts) as they are kept."""
    if record.removed and not record.body:
        return "", "", ()
    earlier = tuple(
        comments.EarlierText(one.revision, *_rendered(one.body, one.format), one.replaced, one.format)
        for one in record.earlier
    )
    return *_rendered(record.body, record.format), earlier


def _rendered(body: str, format_: str) -> tuple[str, str]:
    """Return (text, html) through the same renderer and allow-list as every comment."""
    text = markup.clean_text(body)
    return text, markup.safe(text) if format_ == "html" else markup.to_html(text)


def _load(write: Write, *, batch: Batch, rows: list[tuple[Record, Texts]]) -> list[str | None]:
    thread = threads.ensure(write, batch.thread)
    return [_load_one(write, thread, batch.origin, record, texts) for record, texts in rows]


def _load_one(write: Write, thread: int, origin: str, record: Record, texts: Texts) -> str | None:
    """Insert one record; return None, or why it was skipped."""
    text, html, earlier = texts
    if record.skip is not None:
        return record.skip
    if comments.by_source(write.sql, thread, f"{origin}:{record.id}") is not None:
        return "imported before"
    if not record.removed and not text and record.format == "markdown":
        return "no text"
    if any(len(one) > MAX_BODY_CHARACTERS for one in (text, *(one.body for one in earlier))):
        return f"longer than {MAX_BODY_CHARACTERS:,} characters"
    if any(map(quotations.are_too_many, (html, *(one.html for one in earlier)))):
        return "quotes too much"
    parent = None
    if record.parent is not None:
        parent = comments.by_source(write.sql, thread, f"{origin}:{record.parent}")
        if parent is None:
            return f"answers {record.parent}, which is not there"
        if parent.depth >= MAX_DEPTH - 1:
            return f"deeper than {MAX_DEPTH} replies"
    try:
        is_erased = record.removed and record.state != "removed"
        author = None if record.author is None or is_erased else _account(write, record.author)
    except Invalid as error:
        return f"its author's name cannot be kept: {error.message}"
    comments.insert(
        write,
        comments.NewComment(
            thread=thread,
            parent=parent.id if parent else None,
            depth=parent.depth + 1 if parent else 0,
            author=author,
            body=text,
            html=html,
            created=record.created,
            source=f"{origin}:{record.id}",
            state=record.state or ("removed" if record.removed else "visible"),
            format=record.format,
            edited=record.edited,
            up=max(record.score, 0) if record.up is None else record.up,
            down=max(-record.score, 0) if record.down is None else record.down,
            revision=record.revision,
            earlier=earlier,
        ),
    )
    return None


def _account(write: Write, name: str) -> int:
    """Return the account of that name, made without a password where there is none. Raises Invalid."""
    clean = names.clean(name)
    skeleton = names.skeleton(clean)
    known = accounts.by_skeleton(write.sql, skeleton)
    if known is None:
        made = accounts.insert(write, clean, skeleton, None, "reader")
        if made is None:
            raise Invalid(f"the account {clean} is closed.", field="author")
        return made.id
    return known[0].id
