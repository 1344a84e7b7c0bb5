"""The shape of the database file: pragmas, the lock of its one owner, and the migrations."""

from __future__ import annotations

import fcntl
import os
import secrets
import sqlite3
from pathlib import Path

from server.errors import CannotStart

MIGRATIONS = sorted((Path(__file__).parent / "migrations").glob("*.sql"))


def open_connection(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """Open the file as this program uses it: WAL, FULL, no implicit transactions."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
    connection.execute("PRAGMA journal_mode = WAL")
    # NORMAL loses acknowledged commits in a power cut.
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA secure_delete = ON")
    # Checkpoints belong to the writer: two connections doing one at once met a corruption race up to 3.51.2.
    connection.execute(f"PRAGMA wal_autocheckpoint = {0 if read_only else 1000}")
    if read_only:
        connection.execute("PRAGMA query_only = ON")
    return connection


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the database to this program's version. Raises CannotStart where it is newer than the program."""
    (present,) = connection.execute("PRAGMA user_version").fetchone()
    if present > len(MIGRATIONS):
        raise CannotStart(
            f"LIVETHREAD_DATABASE: {path} was written by a newer livethread (version {present} of its form, "
            f"this program knows {len(MIGRATIONS)}). Start the newer program, or restore a backup."
        )
    for number, migration in enumerate(MIGRATIONS[present:], start=present + 1):
        script = migration.read_text(encoding="utf-8")
        try:
            connection.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;")
        except sqlite3.Error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    connection.execute("INSERT OR IGNORE INTO clock VALUES (1, 0, ?)", (secrets.token_urlsafe(9),))


class Owner:
    """The lock that makes one process the owner of the database file. Raises CannotStart where there is one already."""

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(path.name + ".lock")
        try:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise CannotStart(
                f"LIVETHREAD_DATABASE: cannot write beside {path}: {error.strerror}. "
                "Give a path in a folder that exists and that this user may write."
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.read(self._file, 32).decode(errors="replace").strip() or "unknown"
            os.close(self._file)
            raise CannotStart(
                f"LIVETHREAD_DATABASE: {path} already has an owner (process {owner}). One app owns a database; "
                "to carry more readers start `python3 run.py gateway`, or give another LIVETHREAD_DATABASE."
            ) from error
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, str(os.getpid()).encode(), 0)

    def release(self) -> None:
        os.close(self._file)
