"""Rows by the names of their columns, for questions of more than three: none is told by its place."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any


def named(found: sqlite3.Cursor) -> Iterator[dict[str, Any]]:
    """Yield each row as a dictionary; name the columns with AS, since SQLite promises no other name."""
    columns = [column for column, *_ in found.description]
    return (dict(zip(columns, row, strict=True)) for row in found)


def first(found: sqlite3.Cursor) -> dict[str, Any] | None:
    return next(named(found), None)
