"""A database of another program, read as it is."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from server.errors import CannotStart
from server.storage.engine.rows import named


def is_database(path: Path) -> bool:
    """Say whether the file is of SQLite. Raises CannotStart if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(16) == b"SQLite format 3\0"
    except OSError as error:
        raise CannotStart(f"Cannot read {path}: {error.strerror}.") from error


def rows(path: Path, question: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of a question, by their columns' names. Raises CannotStart."""
    try:
        with contextlib.closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as sql:
            yield from named(sql.execute(question))
    except sqlite3.Error as error:
        raise CannotStart(f"{path} cannot be read: {error}. Nothing was imported.") from error
