"""The command `import`: reads a file, hands its records to the database's owner, and reports on every one."""

from __future__ import annotations

import re
import sys
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from server import control
from server.errors import CannotStart
from server.porting import jsonl, remark42
from server.porting.load import Batch, needs_links
from server.porting.record import Record
from server.settings import Settings

FORMATS: dict[str, Callable[[Path], Iterator[Record]]] = {"jsonl": jsonl.read, "remark42": remark42.read}
RECORDS_AT_ONCE = 500
REASONS_SHOWN = 20


async def import_file(settings: Settings, given: Namespace) -> int:
    """Import and print the report. Returns 0 also where records were skipped: the report says which and why."""
    key = given.thread or key_of(given.file)
    records = list(read_file(given.format, given.file))
    async with control.owner(settings) as owner:
        progress = _progress(len(records))
        report = await import_records(owner, key, given.format, records, progress, is_ours=given.ours)
        description = {"title": given.title, "author": given.author}
        if any(description.values()):
            await owner.ask("describe", {"thread": key} | {k: v for k, v in description.items() if v})
    print(f"{given.file.name} → thread {key} ({settings.origin}/t/{key})")
    print(f"  {report['imported']:>7,} imported, of these {report['tombstones']:,} tombstones of removed comments "
          f"and {report['anonymous']:,} by Anonymous")  # fmt: skip
    print(f"  {len(report['skipped']):>7,} skipped")
    for why, lines in _by_reason(report["skipped"]):
        shown = ", ".join(map(str, lines[:REASONS_SHOWN])) + (" …" if len(lines) > REASONS_SHOWN else "")
        print(f"          {len(lines):,}: {why} (record {shown})")
    return 0


async def import_records(
    owner: control.Owner,
    key: str,
    origin: str,
    records: list[Record],
    progress: Callable[[int], None],
    *,
    is_ours: bool = False,
) -> dict[str, Any]:
    """Return the sum of the reports of all batches: {imported, tombstones, anonymous, skipped}."""
    total: Counter[str] = Counter()
    skipped: list[list[Any]] = []
    done = 0
    for batch in _batches(key, origin, records, is_ours=is_ours):
        report = await owner.ask("import", {"batch": msgspec.to_builtins(batch)})
        skipped += report.pop("skipped")
        total.update(report)
        done += len(batch.records)
        progress(done)
    for batch in _batches(key, origin, [record for record in reversed(records) if needs_links(record)]):
        await owner.ask("link", {"batch": msgspec.to_builtins(batch)})
    return {"imported": 0, "tombstones": 0, "anonymous": 0, **total, "skipped": skipped}


def _batches(key: str, origin: str, records: list[Record], *, is_ours: bool = False) -> Iterator[Batch]:
    for start in range(0, len(records), RECORDS_AT_ONCE):
        yield Batch(thread=key, origin=origin, records=records[start : start + RECORDS_AT_ONCE], is_ours=is_ours)


def read_file(format_: str, path: Path) -> Iterator[Record]:
    """Return the file's records. Raises CannotStart where it cannot be read."""
    try:
        return FORMATS[format_](path) if path.stat().st_size else iter(())
    except OSError as error:
        raise CannotStart(f"Cannot read {path}: {error.strerror}.") from error


def key_of(path: Path) -> str:
    """Return a thread's key made from the file's name."""
    return re.sub(r"[^A-Za-z0-9._~-]+", "-", path.stem)[:200] or "imported"


def _progress(total: int) -> Callable[[int], None]:
    def show(done: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{done:,} of {total:,} records", end="\n" if done == total else "", file=sys.stderr, flush=True)

    return show


def _by_reason(skipped: list[list[Any]]) -> list[tuple[str, list[int]]]:
    reasons: dict[str, list[int]] = {}
    for line, why in skipped:
        reasons.setdefault(why, []).append(line)
    return sorted(reasons.items(), key=lambda reason: -len(reason[1]))
