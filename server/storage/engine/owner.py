"""The lock of a database's one owner, which remembers how far the database had come."""

from __future__ import annotations

import fcntl
import logging
import os
import secrets
import sqlite3
from pathlib import Path

from server import private_files
from server.errors import CannotStart

log = logging.getLogger("livethread.database")

# The process comes first, alone in what programs of the version before read.
_PROCESS_BYTES = 32


class Owner:
    """The lock that makes one process the owner of the database file. Raises CannotStart if there is one already.

    Its file outlives the process, and no copy of the database brings it along. It holds the epoch and the highest
    version that was committed here: a database that was put in the place of a later one is known by it.
    """

    def __init__(self, path: Path) -> None:
        """`path` is resolved: a link to a database would have a lock of its own."""
        self._path = path.with_name(path.name + ".lock")
        try:
            private_files.keep(self._path)
            self._file = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise CannotStart(f"LIVETHREAD_DATABASE: {private_files.why(self._path, error)}.") from error
        held = os.pread(self._file, 256, 0)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = held[:_PROCESS_BYTES].decode(errors="replace").strip() or "unknown"
            os.close(self._file)
            raise CannotStart(
                f"LIVETHREAD_DATABASE: {path} is already in use (by process {owner}). Only one app can use a database; "
                "to serve more readers start `python3 run.py gateway`, or set another LIVETHREAD_DATABASE."
            ) from error
        self._epoch, self._version = _remembered(os.pread(self._file, 256, 0))
        if self._epoch is not None:
            # Before it is known what is there: a crash until then must not look like the version before.
            self.remember(self._epoch, self._version)
        os.pwrite(self._file, f"{os.getpid()}".ljust(_PROCESS_BYTES - 1).encode() + b"\n", 0)

    def recognise(self, sql: sqlite3.Connection) -> None:
        """Give the database a new epoch if it is another than the one before, or older, and remember it.

        Versions that were told to readers would otherwise be handed out for something else.
        """
        version, epoch = sql.execute("SELECT version, epoch FROM clock").fetchone()
        is_known = self._epoch is None or (epoch == self._epoch and version >= self._version)
        # At version 0 nothing was told of it.
        if version and not is_known:
            epoch = renew_epoch(sql)
            log.warning(
                "the database (version %d) was restored or brought from elsewhere: it has the new epoch %s, and open "
                "pages load their threads again", version, epoch,
            )  # fmt: skip
        self.remember(epoch, version)
        os.fsync(self._file)

    def remember(self, epoch: str, version: int) -> None:
        """Note how far the database has come, before anybody is told. Raises OSError."""
        self._epoch, self._version = epoch, version
        os.pwrite(self._file, f"{version:020d} {epoch}\n".encode(), _PROCESS_BYTES)

    def reached(self, version: int) -> None:
        """Note a committed version. A disk that refuses this still has what was committed."""
        assert self._epoch is not None
        try:
            self.remember(self._epoch, version)
        except OSError as error:
            log.warning("%s cannot be written: %s", self._path, error)

    def release(self) -> None:
        os.close(self._file)


def renew_epoch(sql: sqlite3.Connection) -> str:
    """Give the database a new identity, under which versions begin to mean something else."""
    epoch = secrets.token_urlsafe(9)
    sql.execute("UPDATE clock SET epoch = ?", (epoch,))
    return epoch


def _remembered(held: bytes) -> tuple[str | None, int]:
    """Return (epoch, version); no epoch where a program of the version before had the lock, which noted none."""
    if held and len(held) <= _PROCESS_BYTES:
        return None, 0
    version, _, epoch = held[_PROCESS_BYTES:].decode(errors="replace").strip().partition(" ")
    # A lock that was just made knows of no database: each that is there was brought.
    return epoch, int(version) if version.isdecimal() else 0
