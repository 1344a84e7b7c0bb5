"""Where a database lies: what of its place would lose data, and whether its files are still those that were opened."""

from __future__ import annotations

import os
import re
from pathlib import Path

from server import private_files
from server.errors import CannotStart

MOUNTS = Path("/proc/self/mountinfo")
# The database, what SQLite keeps beside it while it is open, and the lock of its owner.
_FILES = ("", "-wal", "-shm", ".lock")


def check(path: Path) -> None:
    """Raises CannotStart where `path` (resolved) is no file that can be kept there, with the WAL beside it."""
    setting = f"LIVETHREAD_DATABASE: {path}"
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:
        raise CannotStart(f"LIVETHREAD_DATABASE: {private_files.why(path, error)}.") from error
    if not path.parent.is_dir():
        raise CannotStart(
            f"LIVETHREAD_DATABASE: the folder {path.parent} does not exist. Create it, or set another path."
        )
    if not path.exists():
        return
    if not path.is_file():
        raise CannotStart(f"{setting} is not a file. Give the path of one.")
    if path.stat().st_nlink > 1:
        # SQLite's lock and its log go by the name.
        raise CannotStart(
            f"{setting} has another name as well (a hard link), and two owners could not see each other. "
            "Remove one of the names, or make a copy with `python3 run.py backup`."
        )
    if _is_mounted(path):
        raise CannotStart(
            f"{setting} is mounted by itself, so the newest comments, which SQLite keeps in {path.name}-wal, would "
            "stay outside and be lost. Mount its folder instead."
        )


def _is_mounted(path: Path) -> bool:
    try:
        lines = MOUNTS.read_bytes().splitlines()
    except OSError:
        return path.stat().st_dev != path.parent.stat().st_dev
    # The fifth field is where: space, tab, line feed and backslash are written as octal numbers.
    points = (line.split(b" ")[4] for line in lines)
    return os.fsencode(path) in {re.sub(rb"\\([0-7]{3})", lambda octal: bytes([int(octal[1], 8)]), at) for at in points}


class Files:
    """The files of a database that is open, by device and inode: SQLite goes on writing into one that was removed."""

    def __init__(self, path: Path) -> None:
        self._paths = [path.with_name(path.name + ending) for ending in _FILES]
        self._opened: dict[Path, tuple[int, int]] = {}

    def note(self) -> None:
        """Take the files that are there now for those that were opened. Raises OSError."""
        self._opened = {path: _identity(path) for path in self._paths if path.exists()}

    def lost(self) -> str | None:
        """Return what has happened to them, None as long as all are in their place. Raises OSError."""
        for path, opened in self._opened.items():
            try:
                present = _identity(path)
            except FileNotFoundError:
                return f"{path} is gone: somebody removed or moved it while livethread was running"
            if present != opened:
                return f"{path} is another file: somebody replaced it while livethread was running"
        return None


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino
