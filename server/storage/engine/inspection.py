"""What a database says of itself to somebody who only looks: read-only, whether or not it has an owner."""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from server import private_files
from server.errors import CannotStart
from server.storage.accounts import accounts
from server.storage.engine.database_files import MOUNTS
from server.storage.engine.schema import MIGRATIONS

SQLITE_VERSION = sqlite3.sqlite_version


@dataclass(frozen=True, slots=True)
class Condition:
    version: int
    is_staffed: bool


def look(path: Path) -> Condition:
    """Return the condition of a database of this program's version or an earlier one. Raises CannotStart."""
    try:
        with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=5)) as sql:
            (form,) = sql.execute("PRAGMA user_version").fetchone()
            if form > len(MIGRATIONS):
                raise CannotStart(
                    f"{path} was written by a newer livethread (schema version {form}, this program supports up to "
                    f"{len(MIGRATIONS)}). Run the newer program, or restore a backup."
                )
            if not form:
                return Condition(0, is_staffed=False)
            (version,) = sql.execute("SELECT version FROM clock").fetchone()
            return Condition(version, accounts.is_staffed(sql))
    except sqlite3.Error as error:
        raise CannotStart(
            f"{path} cannot be read as a database: {error}. Restore a backup with `python3 run.py restore FILE`."
        ) from error
    finally:
        # SQLite may have made them, and who looks may be root.
        for ending in ("-wal", "-shm"):
            with contextlib.suppress(OSError):
                private_files.give(path.with_name(path.name + ending))


def has_search() -> bool:
    """Say whether this SQLite was built with FTS5."""
    with contextlib.closing(sqlite3.connect(":memory:")) as sql:
        (has,) = sql.execute("SELECT sqlite_compileoption_used('ENABLE_FTS5')").fetchone()
        return bool(has)


def file_system(folder: Path) -> str:
    """Return the kind of the file system that a folder is on ("" where the system does not say)."""
    try:
        lines = MOUNTS.read_bytes().splitlines()
    except OSError:
        return ""
    best, kind = -1, ""
    at = os.fsencode(folder)
    for line in lines:
        before, _, after = line.partition(b" - ")
        point = re.sub(rb"\\([0-7]{3})", lambda octal: bytes([int(octal[1], 8)]), before.split(b" ")[4])
        inside = at == point or at.startswith(point.rstrip(b"/") + b"/")
        if inside and len(point) >= best:
            best, kind = len(point), after.split(b" ")[0].decode()
    return kind
