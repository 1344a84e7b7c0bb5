"""Loads records into a thread, in writes of at most 100 rows, so that a running server stays live meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any

import msgspec

from server import links, markup, names, quotations
from server.errors import Invalid
from server.model import MAX_BODY_CHARACTERS, MAX_DEPTH
from server.porting.record import Record
from server.storage import accounts, comments, quotes, threads
from server.storage.database import Database
from server.storage.write import Write

ROWS_IN_ONE_WRITE = 100


class Batch(msgspec.Struct, kw_only=True):
    """Records of one thread; `origin` names the format, since ids are only unique within one.

    `is_ours`: its authors are the accounts of their names here, also those that can log in.
    """

    thread: str
    origin: str
    records: list[Record]
    is_ours: bool = False


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


async def link_batch(database: Database, batch: Batch) -> None:
    """Link what could not be linked as it was loaded: to comments that came later, and to whoever is mentioned.

    Later batches of a file come first, and so do later records: of what a comment quotes it is known then what that
    quotes itself.
    """
    for start in range(0, len(batch.records), ROWS_IN_ONE_WRITE):
        some = batch.records[start : start + ROWS_IN_ONE_WRITE]
        await database.write(partial(_link, batch=batch, records=some))


def needs_links(record: Record) -> bool:
    return bool(record.links) or any("@" in text for text in (record.body, *(one.body for one in record.earlier)))


Texts = tuple[str, str, tuple[comments.EarlierText, ...]]
NOBODY: Mapping[str, str] = {}


def _bodies(records: list[Record]) -> list[Texts]:
    return [_texts(record) for record in records]


def _texts(record: Record, key: str = "", ids: Mapping[str, int] | None = None) -> Texts:
    """Return (text, html, earlier texts) as they are kept, with links to those of `ids` in the thread `key`."""
    if record.removed and not record.body:
        return "", "", ()

    def kept(body: str, format_: str) -> tuple[str, str]:
        text = links.from_file(markup.clean_text(body), key, record.links, ids or {})
        return text, _html(text, format_)

    earlier = tuple(
        comments.EarlierText(one.revision, *kept(one.body, one.format), one.replaced, one.format)
        for one in record.earlier
    )
    return *kept(record.body, record.format), earlier


def _html(text: str, format_: str, people: Mapping[str, str] = NOBODY) -> str:
    """Render through the same renderer and allow-list as every comment."""
    return markup.safe(text) if format_ == "html" else markup.to_html(text, people)


def _load(write: Write, *, batch: Batch, rows: list[tuple[Record, Texts]]) -> list[str | None]:
    thread = threads.ensure(write, batch.thread)
    return [_load_one(write, thread, batch, record, texts) for record, texts in rows]


def _load_one(write: Write, thread: int, batch: Batch, record: Record, texts: Texts) -> str | None:
    """Insert one record; return None, or why it was skipped."""
    text, html, earlier = texts
    key, origin = batch.thread, batch.origin
    if record.skip is not None:
        return record.skip
    if comments.by_source(write.sql, thread, f"{origin}:{record.id}") is not None:
        return "imported before"
    if not record.removed and not text and record.format == "markdown":
        return "no text"
    if any(len(one) > MAX_BODY_CHARACTERS for one in (text, *(one.body for one in earlier))):
        return f"longer than {MAX_BODY_CHARACTERS:,} characters"
    # Pointed at what is there already, nobody's words are shown for a moment where they are hidden at their source.
    ids = _linked(write, thread, origin, record)
    if ids:
        text, html, earlier = _texts(record, key, ids)
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
        author = None if record.author is None or is_erased else _account(write, record.author, is_ours=batch.is_ours)
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
            known=frozenset(ids.values()),
        ),
    )
    return None


def _linked(write: Write, thread: int, origin: str, record: Record) -> dict[str, int]:
    """Return the ids here of the comments that the record links to, as far as they are here, by their ids there."""
    found = {id_: comments.by_source(write.sql, thread, f"{origin}:{id_}") for id_ in set(record.links.values())}
    return {id_: comment.id for id_, comment in found.items() if comment is not None}


def _link(write: Write, *, batch: Batch, records: list[Record]) -> None:
    thread = threads.ensure(write, batch.thread)
    for record in records:
        comment = comments.by_source(write.sql, thread, f"{batch.origin}:{record.id}")
        if comment is None:
            continue
        ids = _linked(write, thread, batch.origin, record)
        for revision, body, html, format_ in quotes.texts(write.sql, comment.id):
            # What was edited here since then is not the file's.
            if revision > record.revision or not body:
                continue
            text = links.from_file(body, batch.thread, record.links, ids)
            known = accounts.mentioned(write.sql, text) if format_ == "markdown" else {}
            people = {given: account.name for given, account in known.items()}
            if text != body or people:
                made = text, _html(text, format_, people)
                if made != (body, html) and not quotations.are_too_many(made[1]):
                    comments.reword(write, comment, revision, made, frozenset(ids.values()))


def _account(write: Write, name: str, *, is_ours: bool) -> int:
    """Return the account of that name, made without a password where there is none. Raises Invalid."""
    clean = names.clean(name)
    known = accounts.by_skeleton(write.sql, names.skeleton(clean)) if is_ours else None
    account = known[0] if known is not None else accounts.imported(write, clean)
    if account is None:
        raise Invalid(f"the account {clean} is somebody's, or was closed.", field="author")
    return account.id
