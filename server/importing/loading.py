"""Loads records into a thread, at most 100 rows per write, so that a running server stays responsive."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any, TypeVar

import msgspec

from server.errors import Conflict, Unavailable
from server.importing import authors, foreign_html
from server.importing.record import Page, Record, checked
from server.model import MAX_DEPTH, State
from server.sites import OWN
from server.storage import sites
from server.storage.accounts import accounts
from server.storage.comments import comments, imported, quotes
from server.storage.engine.database import Database, Sql
from server.storage.engine.write import Write
from server.storage.threads import merging, threads
from server.text import characters, links, markup, quotations

ROWS_IN_ONE_WRITE = 100
OURS = "jsonl"

ATTEMPTS = 10
Result = TypeVar("Result")

BEFORE = "imported before"
NO_PARENT = "the comment it replies to is missing: it is now a top-level comment"
TOO_DEEP = f"nested deeper than {MAX_DEPTH} replies: it is attached to the deepest one"
NO_TEXT = "it has no text: a tombstone keeps its place"
TOO_MANY_QUOTES = "it has too many quotes: they are kept without their sources"


class Batch(msgspec.Struct, kw_only=True):
    """Records of one thread; `origin` names the format, since ids are only unique within one.

    `is_ours`: its authors are the accounts of their names here, also those that can log in. `about`: what the file says
    of the thread; what is known of it here stands.
    """

    thread: str
    origin: str
    records: list[Record]
    is_ours: bool = False
    about: Page = Page()


async def key_for(database: Database, address: str) -> str:
    """Return the key of the thread for this address of a page: of the one that has it, or of a new one."""

    def find(sql: Sql) -> str:
        known = sites.all_of(sql)
        own = next(site for site in known if site.id == OWN)
        return sites.key_of_page(sql, next((site for site in known if site.has_page(address)), own), address)

    return await database.read(find)


async def load_batch(database: Database, batch: Batch) -> dict[str, Any]:
    """Return {imported, tombstones, anonymous, skipped, noted}; the last two as [[line, reason]].

    Every record is counted as imported or skipped once; noted is what became of some that were imported.
    """
    report: dict[str, Any] = {"imported": 0, "tombstones": 0, "anonymous": 0, "skipped": [], "noted": []}
    records = [checked(record) for record in batch.records]
    report["skipped"] += [[record.line, record.skip] for record in records if record.skip is not None]
    records = [record for record in records if record.skip is None]
    parts = [records[start : start + ROWS_IN_ONE_WRITE] for start in range(0, len(records), ROWS_IN_ONE_WRITE)]
    bodies = await asyncio.to_thread(_bodies, parts[0]) if parts else []
    for some, following in zip(parts, [*parts[1:], []], strict=True):
        rows = list(zip(some, bodies, strict=True))
        # The next ones are rendered while these are written.
        outcome, bodies = await asyncio.gather(
            _written(database, partial(_load, batch=batch, rows=rows)), asyncio.to_thread(_bodies, following)
        )
        for record, notes in zip(some, outcome, strict=True):
            if notes is None:
                report["skipped"].append([record.line, BEFORE])
                continue
            report["imported"] += 1
            notes += [f"the field {name} was not understood and is left out" for name in record.left_out]
            report["noted"] += [[record.line, note] for note in notes]
            report["tombstones"] += record.removed or NO_TEXT in notes
            report["anonymous"] += authors.ANONYMOUS in notes or (record.author is None and not record.removed)
    return report


async def link_batch(database: Database, batch: Batch) -> None:
    """Add links that were not possible while loading: to comments loaded later, and to mentioned accounts.

    Later batches of a file come first, and so do later records: of what a comment quotes it is known then what that
    quotes itself.
    """
    for start in range(0, len(batch.records), ROWS_IN_ONE_WRITE):
        some = batch.records[start : start + ROWS_IN_ONE_WRITE]
        await _written(database, partial(_link, batch=batch, records=some))


async def _written(database: Database, work: Callable[[Write], Result]) -> Result:
    """Write, and come back where the server has too much to write just then. Raises Unavailable in the end."""
    for _ in range(ATTEMPTS - 1):
        try:
            return await database.write(work)
        except Unavailable as error:
            await asyncio.sleep(error.retry_after or 1)
    return await database.write(work)


def needs_links(record: Record) -> bool:
    if record.html is not None or record.skip is not None:
        return False
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
        text = links.from_file(characters.clean(body), key, record.links, ids or {})
        return text, _html(text, format_)

    earlier = tuple(
        comments.EarlierText(one.revision, *kept(one.body, one.format), one.replaced, one.format)
        for one in record.earlier
    )
    if record.html is not None:
        return characters.clean(record.body), foreign_html.safe(record.html), earlier
    return *kept(record.body, record.format), earlier


def _html(text: str, format_: str, people: Mapping[str, str] = NOBODY) -> str:
    """Render through the same renderer and allow-list as every comment."""
    return foreign_html.safe(text) if format_ == "html" else markup.to_html(text, people)


def _load(write: Write, *, batch: Batch, rows: list[tuple[Record, Texts]]) -> list[list[str] | None]:
    """Return a remark for each record; None: it was imported before."""
    loading = _Loading(write, batch, [record for record, _ in rows])
    notes = [loading.load(record, texts) for record, texts in rows]
    imported.count(write, loading.thread, loading.added)
    return notes


def _thread(write: Write, batch: Batch) -> int:
    """Return the thread's id, and tell it what the file knows and it does not."""
    before = threads.by_key(write.sql, batch.thread)
    thread = threads.ensure(write, batch.thread) if before.id is None else before.id
    # What is on its way here would not be known again.
    if merging.is_unfinished(write.sql, thread):
        raise Conflict("error.still_merging", field="thread")
    about = batch.about
    fields: dict[str, str | int | None] = {
        column: getattr(about, column)
        for column in ("title", "url", "summary")
        if getattr(about, column) and not getattr(before, column)
    }
    # Later both are decided here: an author whose account was closed does not return.
    if before.id is None:
        if about.author is not None:
            fields["author"], _ = authors.account(write, batch.origin, about.author, is_ours=batch.is_ours)
        fields |= {"locked": 1} if about.locked else {}
    if fields:
        threads.describe(write, thread, fields)
        sites.adopt_one(write, thread, str(fields.get("url", "")))
    return thread


class _Loading:
    """One write of some records. What they refer to is looked up once for all."""

    def __init__(self, write: Write, batch: Batch, records: list[Record]) -> None:
        self._write = write
        self._batch = batch
        self.thread = _thread(write, batch)
        self.added: dict[int, comments.NewComment] = {}
        self._here = _places(write, self.thread, batch.origin, records)
        self._account = cache(partial(authors.account, write, batch.origin, is_ours=batch.is_ours))

    def load(self, record: Record, texts: Texts) -> list[str] | None:
        """Insert one record; return a remark for the report, or None if it was imported before."""
        if record.id in self._here:
            return None
        text, html, earlier = texts
        notes: list[str] = []
        state: State
        # Pointed at what is there already, nobody's words are shown for a moment if they are hidden at their source.
        ids = _linked(self._here, record)
        if ids:
            linked = _texts(record, self._batch.thread, ids)
            if any(map(quotations.are_too_many, (linked[1], *(one.html for one in linked[2])))):
                notes.append(TOO_MANY_QUOTES)
                ids = {}
            else:
                text, html, earlier = linked
        parent, depth = self._parent(record, notes)
        state = record.state or "visible"
        if record.removed and state not in ("removed", "deleted"):
            state = "removed"
        is_erased = state == "deleted" or (record.removed and record.state != "removed")
        # One of our exports has the full text, even if it shows nothing.
        is_seen = bool(text) and (
            self._batch.origin == OURS or record.format == "markdown" or not markup.shows_nothing(html)
        )
        if state in ("visible", "pending") and not is_seen:
            notes.append(NO_TEXT)
            state, is_erased = "deleted", True
        author = None
        if is_erased:
            text, html, earlier = "", "", ()
        elif record.author is not None:
            author, told = self._account(record.author, record.person, site=record.site)
            notes += told
        new = comments.NewComment(
            thread=self.thread,
            parent=parent,
            depth=depth,
            author=author,
            body=text,
            html=html,
            created=record.created,
            placed=record.placed,
            source=f"{self._batch.origin}:{record.id}",
            state=state,
            format=record.format,
            edited=record.edited,
            up=max(record.score, 0) if record.up is None else record.up,
            down=max(-record.score, 0) if record.down is None else record.down,
            revision=record.revision,
            earlier=earlier,
            known=frozenset(ids.values()),
        )
        id_ = imported.add(self._write, new)
        self.added[id_] = new
        self._here[record.id] = imported.Place(id_, parent, depth)
        return notes

    def _parent(self, record: Record, notes: list[str]) -> tuple[int | None, int]:
        """Return what the record is to hang from, and the record's depth there."""
        if record.parent is None:
            return None, 0
        parent = self._here.get(record.parent)
        if parent is None:
            notes.append(NO_PARENT)
            return None, 0
        if parent.depth >= MAX_DEPTH - 1:
            notes.append(TOO_DEEP)
            return parent.parent, parent.depth
        return parent.id, parent.depth + 1


def _places(write: Write, thread: int, origin: str, records: list[Record]) -> dict[str, imported.Place]:
    """Return where the records, and those that they refer to, stand in the thread, as far as they are here."""
    ids = {id_ for one in records for id_ in (one.id, one.parent, *one.links.values()) if id_ is not None}
    found = imported.places(write.sql, thread, [f"{origin}:{id_}" for id_ in ids])
    return {source.removeprefix(f"{origin}:"): place for source, place in found.items()}


def _linked(here: Mapping[str, imported.Place], record: Record) -> dict[str, int]:
    """Return the ids here of the comments that the record links to, as far as they are here, by their ids there."""
    return {id_: here[id_].id for id_ in record.links.values() if id_ in here}


def _link(write: Write, *, batch: Batch, records: list[Record]) -> None:
    thread = threads.ensure(write, batch.thread)
    here = _places(write, thread, batch.origin, records)
    for record in records:
        comment = imported.by_source(write.sql, thread, f"{batch.origin}:{record.id}")
        if comment is None:
            continue
        ids = _linked(here, record)
        for kept in quotes.texts(write.sql, comment.id):
            # What was edited here since then is not the file's.
            if kept.revision > record.revision or not kept.body:
                continue
            text = links.from_file(kept.body, batch.thread, record.links, ids)
            known = accounts.mentioned(write.sql, text) if kept.format == "markdown" else {}
            people = {given: account.name for given, account in known.items()}
            if text != kept.body or people:
                made = text, _html(text, kept.format, people)
                if made != (kept.body, kept.html) and not quotations.are_too_many(made[1]):
                    comments.reword(write, comment, kept.revision, made, frozenset(ids.values()))
