"""What was erased leaves the file: out of the index of the search, and out of the WAL."""

from __future__ import annotations

import sqlite3

from server.storage.write import Write

REMOVED_KEPT_MS = 30 * 24 * 3600 * 1000


def scrub(sql: sqlite3.Connection) -> bool:
    """Rewrite the index without erased words and empty the WAL; False where a reader was in the way: try again.

    To be run outside of a transaction. Pages that are let go of are zeroed by `secure_delete`.
    """
    sql.execute("INSERT INTO search (search) VALUES ('optimize')")
    (is_busy, *_) = sql.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not is_busy


def forget_removed(write: Write) -> None:
    """Erase the texts of what moderators removed more than 30 days ago."""
    old = write.sql.execute(
        "SELECT id FROM comments WHERE state = 'removed' AND ended < ? AND body <> ''",
        (write.now - REMOVED_KEPT_MS,),
    ).fetchall()
    for (id_,) in old:
        write.sql.execute("UPDATE comments SET body = '', html = '' WHERE id = ?", (id_,))
        write.sql.execute("DELETE FROM revisions WHERE comment = ?", (id_,))
        write.has_erased = True
