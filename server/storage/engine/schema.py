"""The shape of the database file: pragmas and migrations."""

from __future__ import annotations

import json
import secrets
import sqlite3
from pathlib import Path

from server import account_names, private_files
from server.errors import CannotStart
from server.storage.comments import quotes
from server.storage.engine.write import Write

BUSY_MS = 10_000
WAL_BYTES = 8 * 1024 * 1024
MIGRATIONS = sorted((Path(__file__).parents[1] / "migrations").glob("*.sql"))


def open_connection(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """Open the file as this program uses it: WAL, FULL, no implicit transactions; for nobody but its owner."""
    try:
        private_files.keep_database(path)
    except OSError as error:
        raise sqlite3.OperationalError(private_files.why(Path(error.filename or path), error)) from error
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=BUSY_MS / 1000)
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
    else:
        # What a savepoint would take back stays in memory: a post changes more than is kept there by default.
        connection.execute("PRAGMA temp_store = MEMORY")
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
    connection.create_function("name_key", 1, account_names.key, deterministic=True)
    connection.create_function("name_skeletons", 1, lambda name: json.dumps([*account_names.skeletons(name)]))
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
