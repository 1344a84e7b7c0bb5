"""What was erased leaves the file: out of the index of the search, and out of the WAL."""

from __future__ import annotations

import sqlite3

from server.storage import comments, quotes
from server.storage.write import Write

REMOVED_KEPT_MS = 30 * 24 * 3600 * 1000


def scrub(sql: sqlite3.Connection) -> bool:
    """Rewrite the index without erased words and empty the WAL; False where a reader was in the way: try again.

    To be run outside of a transaction. Pages that are let go of are zeroed by `secure_delete`.
    """
    sql.execute("INSERT INTO search (search) VALUES ('optimize')")
    (is_busy, *_) = sql.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not is_busy


def forget_some(write: Write) -> bool:
    """Erase what moderators removed more than 30 days ago, and what is quoted of texts that were erased.

    At most 100 rows; True where there may be more.
    """
    old = write.sql.execute(
        "SELECT id FROM comments WHERE state = 'removed' AND ended < ? AND body <> '' LIMIT 100",
        (write.now - REMOVED_KEPT_MS,),
    ).fetchall()
    for (id_,) in old:
        comments.erase(write, id_)
    return bool(old) or quotes.erase_some(write)
