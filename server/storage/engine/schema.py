"""The shape of the database file: pragmas, the lock of its one owner, and the migrations."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import sqlite3
from pathlib import Path

from server import names, private_files
from server.errors import CannotStart
from server.storage.comments import quotes
from server.storage.engine.write import Write

WAL_BYTES = 8 * 1024 * 1024
MIGRATIONS = sorted((Path(__file__).parents[1] / "migrations").glob("*.sql"))


def open_connection(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """Open the file as this program uses it: WAL, FULL, no implicit transactions; for nobody but its owner."""
    try:
        private_files.keep_database(path)
    except OSError as error:
        raise sqlite3.OperationalError(private_files.why(Path(error.filename or path), error)) from error
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
    connection.execute("PRAGMA journal_mode = WAL")
    # NORMAL loses acknowledged commits in a power cut.
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA secure_delete = ON")
    # Checkpoints belong to the writer: two connections doing one at once met a corruption race up to 3.51.2.
    # A long reader lets the log grow; afterwards it is cut to this again.
    connection.execute(f"PRAGMA journal_size_limit = {WAL_BYTES}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {0 if read_only else 1000}")
    if read_only:
        connection.execute("PRAGMA query_only = ON")
    return connection


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the database to this program's version. Raises CannotStart if it is newer than the program."""
    (present,) = connection.execute("PRAGMA user_version").fetchone()
    if present > len(MIGRATIONS):
        raise CannotStart(
            f"LIVETHREAD_DATABASE: {path} was written by a newer livethread (schema version {present}, "
            f"this program supports up to {len(MIGRATIONS)}). Run the newer program, or restore a backup."
        )
    # What migrations cannot say in SQL.
    connection.create_function("name_key", 1, names.key, deterministic=True)
    connection.create_function("name_skeletons", 1, lambda name: json.dumps([*names.skeletons(name)]))
    for number, migration in enumerate(MIGRATIONS[present:], start=present + 1):
        script = migration.read_text(encoding="utf-8")
        try:
            connection.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;")
        except sqlite3.Error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    while quotes.are_unfound(connection):
        connection.execute("BEGIN IMMEDIATE")
        try:
            quotes.find_again(Write(connection))
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
    connection.execute("INSERT OR IGNORE INTO clock (id, version, epoch) VALUES (1, 0, ?)", (secrets.token_urlsafe(9),))


class Owner:
    """The lock that makes one process the owner of the database file. Raises CannotStart if there is one already."""

    def __init__(self, path: Path) -> None:
        """`path` is resolved: a link to a database would have a lock of its own."""
        self._path = path.with_name(path.name + ".lock")
        try:
            private_files.keep(self._path)
            self._file = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise CannotStart(f"LIVETHREAD_DATABASE: {private_files.why(self._path, error)}.") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.read(self._file, 32).decode(errors="replace").strip() or "unknown"
            os.close(self._file)
            raise CannotStart(
                f"LIVETHREAD_DATABASE: {path} is already in use (by process {owner}). Only one app can use a database; "
                "to serve more readers start `python3 run.py gateway`, or set another LIVETHREAD_DATABASE."
            ) from error
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, str(os.getpid()).encode(), 0)

    def release(self) -> None:
        os.close(self._file)
