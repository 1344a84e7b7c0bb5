"""The command `import`: reads a file, hands its records to the database's owner, and reports on every one."""

from __future__ import annotations

import re
import sys
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import msgspec

from server import operator_commands, thread_keys
from server.errors import CannotStart
from server.importing import source_file
from server.importing.formats import artalk, commento, discourse, disqus, isso, jsonl, remark42, wordpress
from server.importing.loading import Batch, needs_links
from server.importing.record import Page, Record, checked
from server.importing.report import Report, Tell, in_silence
from server.settings import Settings
from server.storage.import_export import staging
from server.storage.import_export.staging import Staging

FORMATS: dict[str, Callable[[Path], Iterator[Page | Record]]] = {
    "jsonl": jsonl.read,
    "remark42": remark42.read,
    "disqus": disqus.read,
    "wordpress": wordpress.read,
    "isso": isso.read,
    "artalk": artalk.read,
    "commento": commento.read,
    "discourse": discourse.read,
}
RECORDS_AT_ONCE = 500
BYTES_AT_ONCE = 2 * 1024 * 1024
THREADS_SHOWN = 20
SAME_ID = "an earlier record has the same id"
Progress = Callable[[int], None]


@dataclass
class Found:
    """A staged file: its number of records, how many cannot be read, and the first of these."""

    records: int = 0
    unread: int = 0
    first: Record | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """Where records go: into the thread `key`, or into those of their pages, and else into `otherwise`."""

    origin: str
    key: str | None
    otherwise: str
    is_ours: bool = False

    async def key_for(self, owner: operator_commands.Owner, page: Page) -> str:
        if self.key is not None:
            return self.key
        address = page.url or page.id
        if not address:
            return self.otherwise
        # The number of a page that the file does not describe is not an address.
        address = address if "/" in address else f"/{self.otherwise}/{address}"
        return str((await owner.ask("key", {"address": address}))["key"])


async def import_file(settings: Settings, given: Namespace) -> int:
    """Import and print the report. Returns 0 also where records were skipped: the report says which and why.

    Raises CannotStart, with nothing changed, where the file is not understood or the command does not fit it.
    """
    check_key(given.thread)
    report = Report(print if given.verbose else in_silence)
    with staging.opened() as staged:
        found = stage(staged, FORMATS[given.format](given.file), report, _progress(None))
        if found.first is not None and found.unread == found.records:
            raise source_file.refused(given.file, f"{found.first.skip}", found.first.line)
        pages = staged.pages()
        if len(pages) > 1 and (given.thread or given.title or given.author):
            raise CannotStart(
                f"{given.file} has {len(pages):,} pages, and each becomes its own thread: "
                "leave out --thread, --title and --author. Nothing was imported."
            )
        target = Target(given.format, given.thread, key_of(given.file), given.ours)
        progress = _progress(sum(records for *_, records in pages))
        async with operator_commands.owner(settings) as owner:
            threads = await load(owner, staged, target, report, progress)
            description = {name: value for name in ("title", "author") if (value := getattr(given, name))}
            for thread in threads if description else ():
                await owner.ask("describe", {"thread": thread} | description)
    for thread in threads[:THREADS_SHOWN]:
        print(f"{given.file.name} → thread {thread} ({settings.address}/t/{thread})")
    if len(threads) > THREADS_SHOWN:
        print(f"… and {len(threads) - THREADS_SHOWN:,} more threads")
    for line in report.lines():
        print(line)
    return 0


def check_key(key: str | None) -> None:
    """Raises CannotStart if a thread of this key could not be opened."""
    if key is not None and not thread_keys.is_key(key):
        raise CannotStart(
            f"--thread {key}: a thread's key is 1 to {thread_keys.MAX_CHARACTERS} letters, digits and - . _ ~"
        )


async def import_records(
    owner: operator_commands.Owner,
    key: str,
    origin: str,
    records: Iterable[Page | Record],
    progress: Progress,
    *,
    is_ours: bool = False,
    tell: Tell = in_silence,
) -> Report:
    """Import records into the thread `key`, also those of several pages."""
    report = Report(tell)
    with staging.opened() as staged:
        stage(staged, records, report, lambda done: None)
        await load(owner, staged, Target(origin, key, key, is_ours), report, progress)
    return report


def stage(staged: Staging, found: Iterable[Page | Record], report: Report, progress: Progress) -> Found:
    """Put all that is read into `staged`, in order; what cannot be taken is reported."""
    seen = Found()
    # Many formats tell of the page with each comment, and told again it changes nothing.
    add_page = lru_cache(maxsize=1_000)(staged.add_page)
    for one in found:
        if isinstance(one, Page):
            add_page(one.id, (one.url, one.title, one.summary, one.author, one.locked))
            continue
        seen.records += 1
        record = checked(one)
        if record.skip is not None:
            report.skip(record.line, record.skip)
            seen.unread += 1
            seen.first = seen.first or record
        elif not staged.add(
            record.page, record.id, record.parent, msgspec.msgpack.encode(record), has_links=needs_links(record)
        ):
            report.skip(record.line, SAME_ID)
        progress(seen.records)
    staged.arrange()
    return seen


async def load(
    owner: operator_commands.Owner, staged: Staging, target: Target, report: Report, progress: Progress
) -> list[str]:
    """Hand the staged records to the owner of the database; return the keys of its threads."""
    threads: dict[str, None] = {}
    done = 0
    for id_, about, _ in staged.pages():
        url, title, summary, author, locked = about
        page = Page(id=id_, url=url, title=title, summary=summary, author=author, locked=locked)
        key = await target.key_for(owner, page)
        threads[key] = None
        for records in _batches(staged.records(id_)):
            batch = Batch(thread=key, origin=target.origin, records=records, is_ours=target.is_ours, about=page)
            report.add(await owner.ask("import", {"batch": msgspec.to_builtins(batch)}))
            done += len(records)
            progress(done)
        for records in _batches(staged.with_links(id_)):
            batch = Batch(thread=key, origin=target.origin, records=records)
            await owner.ask("link", {"batch": msgspec.to_builtins(batch)})
    return list(threads)


def _batches(found: Iterable[bytes]) -> Iterator[list[Record]]:
    decode = msgspec.msgpack.Decoder(Record).decode
    records: list[Record] = []
    size = 0
    for data in found:
        if records and (len(records) >= RECORDS_AT_ONCE or size + len(data) > BYTES_AT_ONCE):
            yield records
            records, size = [], 0
        records.append(decode(data))
        size += len(data)
    if records:
        yield records


def read_records(path: Path) -> list[Record]:
    """Return the records of a file of our own form. Raises CannotStart if it cannot be read."""
    return [one for one in jsonl.read(path) if isinstance(one, Record)]


def key_of(path: Path) -> str:
    """Return a thread's key made from the file's name."""
    key = re.sub(r"[^A-Za-z0-9._~-]+", "-", path.stem)[: thread_keys.MAX_CHARACTERS]
    return key if thread_keys.is_key(key) else "imported"


def _progress(total: int | None) -> Progress:
    """Show on a terminal how far it is: of `total` records, or how many were read."""

    def show(done: int) -> None:
        if sys.stderr.isatty() and (done % RECORDS_AT_ONCE == 0 or done == total):
            text = f"\r{done:,} records read" if total is None else f"\r{done:,} of {total:,} records"
            print(text, end="\n" if done == total else "", file=sys.stderr, flush=True)

    return show
