"""Copies of the database file: made while it is written, checked, and put back under a new epoch."""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from server import private_files
from server.errors import CannotStart
from server.storage.engine import database_files
from server.storage.engine.owner import Owner, renew_epoch
from server.storage.engine.schema import MIGRATIONS, open_connection

PAGES_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Contents:
    """What a database file holds; `form` is the number of its last migration."""

    form: int
    epoch: str
    version: int
    threads: int
    comments: int
    accounts: int


def copy(database: Path, to: Path) -> Contents:
    """Copy the database as it is at one moment to a new file, durable and checked. Writers do not wait for it.

    Raises CannotStart if the file exists, cannot be written, or the copy is not sound.
    """
    # Path.exists fails in a folder that may not be entered.
    if os.path.exists(to):  # noqa: PTH110
        raise CannotStart(f"{to} already exists, and a backup never overwrites a file. Choose another name.")
    unfinished = to.with_name(to.name + ".unfinished")
    try:
        unfinished.unlink(missing_ok=True)
        private_files.create(unfinished)
    except OSError as error:
        raise CannotStart(f"The backup cannot be written: {private_files.why(unfinished, error)}.") from error
    try:
        with contextlib.closing(_read_only(database)) as source:
            # Held open, so that writes in between do not restart the copy.
            source.execute("BEGIN")
            source.execute("SELECT version FROM clock").fetchone()
            with contextlib.closing(sqlite3.connect(unfinished)) as target:
                source.backup(target, pages=PAGES_AT_ONCE)
                target.execute("PRAGMA journal_mode = DELETE")
        found = examine(unfinished)
        _to_disk(unfinished)
        unfinished.rename(to)
        _to_disk(to.parent)
    except (OSError, sqlite3.Error) as error:
        unfinished.unlink(missing_ok=True)
        raise CannotStart(f"The backup {to} cannot be written: {_why(error)}.") from error
    except CannotStart:
        unfinished.unlink(missing_ok=True)
        raise
    return found


def examine(path: Path) -> Contents:
    """Return a summary of the file. Raises CannotStart if it is not a sound livethread database."""
    try:
        private_files.check_readable(path)
    except FileNotFoundError as error:
        raise CannotStart(f"{path} does not exist.") from error
    except OSError as error:
        raise CannotStart(f"{path} cannot be read: {private_files.why(path, error)}.") from error
    try:
        with contextlib.closing(_read_only(path)) as sql:
            (form,) = sql.execute("PRAGMA user_version").fetchone()
            (sound,) = sql.execute("PRAGMA integrity_check(1)").fetchone()
            if sound != "ok":
                raise CannotStart(f"{path} is damaged: {sound}.")
            version, epoch = sql.execute("SELECT version, epoch FROM clock").fetchone()
            counts = [sql.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in _TABLES]
    except (sqlite3.Error, TypeError) as error:
        raise CannotStart(f"{path} is not a livethread database: {error}.") from error
    if form > len(MIGRATIONS):
        raise CannotStart(f"{path} was written by a newer livethread. Restore it with that version.")
    return Contents(form, epoch, version, *counts)


_TABLES = ("threads", "comments", "accounts")


def restore(database: Path, backup: Path) -> tuple[Contents, Path | None]:
    """Put `backup` in the place of the database, under a new epoch; return what it holds and where the old one went.

    Where `backup` is the database itself (a file that was copied back by hand) only the epoch is rebuilt. Raises
    CannotStart where an app owns the database or the backup is not sound: then nothing was changed.
    """
    database = database.resolve()
    database_files.check(database)
    owner = Owner(database)
    try:
        if backup.resolve() == database:
            examine(database)
            _renew_epoch(database)
            found = examine(database)
            owner.remember(found.epoch, found.version)
            return found, None
        examine(backup)
        fresh = database.with_name(database.name + ".restoring")
        fresh.unlink(missing_ok=True)
        copy(backup, fresh)
        _renew_epoch(fresh)
        found = examine(fresh)
        _to_disk(fresh)
        private_files.give(fresh, like=database)
        aside = _put_aside(database)
        fresh.rename(database)
        _to_disk(database.parent)
        owner.remember(found.epoch, found.version)
        return found, aside
    except (OSError, sqlite3.Error) as error:
        raise CannotStart(f"{backup} cannot be restored: {_why(error)}.") from error
    finally:
        owner.release()


@contextlib.contextmanager
def in_passing(database: Path) -> Iterator[Path]:
    """A name beside the database for a copy on its way through a pipe; nothing is left of it. Raises CannotStart."""
    path = database.with_name(f"{database.name}.passing-{secrets.token_hex(4)}")
    try:
        yield path
    except OSError as error:
        raise CannotStart(f"The copy did not come through: {_why(error)}.") from error
    finally:
        for ending in ("", ".unfinished"):
            with contextlib.suppress(OSError):
                path.with_name(path.name + ending).unlink(missing_ok=True)


def _read_only(path: Path) -> sqlite3.Connection:
    """Open a file that is to stay as it is: a backup is read from if nothing may be written, too."""
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)


def _renew_epoch(path: Path) -> None:
    with contextlib.closing(open_connection(path)) as sql:
        renew_epoch(sql)
        # No WAL beside the file that is about to be moved.
        sql.execute("PRAGMA journal_mode = DELETE")


def _put_aside(database: Path) -> Path | None:
    if not database.exists():
        return None
    aside = database.with_name(f"{database.name}.before-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}")
    for ending in ("-wal", "-shm", ""):
        part = database.with_name(database.name + ending)
        if part.exists():
            part.rename(aside.with_name(aside.name + ending))
    private_files.take_database(aside)
    return aside


def _why(error: OSError | sqlite3.Error) -> str:
    if isinstance(error, OSError) and error.filename:
        return private_files.why(Path(error.filename), error)
    return str(error)


def _to_disk(path: Path) -> None:
    place = os.open(path, os.O_RDONLY)
    try:
        os.fsync(place)
    finally:
        os.close(place)
