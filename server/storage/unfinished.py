"""What takes more than one write is written down with the first of them: nothing stays half done, whatever happens."""

from __future__ import annotations

import sqlite3
from typing import Literal

from server.storage.write import Write

What = Literal["erasure", "comments", "quotes"]


def begin(write: Write, what: What, subject: int, after: int = 0) -> None:
    """Declare that an account's comments are to be erased or stamped, or those that quote a comment stamped."""
    begun = write.sql.execute("INSERT INTO unfinished (what, subject, after) VALUES (?, ?, ?)", (what, subject, after))
    write.unfinished.append(int(begun.lastrowid or 0))


def reach(write: Write, id_: int, after: int | None) -> None:
    """Keep how far it has come; None: it is finished."""
    if after is None:
        write.sql.execute("DELETE FROM unfinished WHERE id = ?", (id_,))
    else:
        write.sql.execute("UPDATE unfinished SET after = ? WHERE id = ?", (after, id_))


def by_id(sql: sqlite3.Connection, id_: int) -> tuple[What, int, int] | None:
    """Return (what, subject, after); None where it was finished."""
    found: tuple[What, int, int] | None = sql.execute(
        "SELECT what, subject, after FROM unfinished WHERE id = ?", (id_,)
    ).fetchone()
    return found


def left(sql: sqlite3.Connection) -> list[int]:
    """Return what is to be finished, what was begun last first: it is less."""
    return [id_ for (id_,) in sql.execute("SELECT id FROM unfinished ORDER BY id DESC")]
