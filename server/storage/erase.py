"""What was erased leaves the file: out of the index of the search, and out of the WAL."""

from __future__ import annotations

import sqlite3

from server.storage import comments, quotes
from server.storage.write import Write

PAGES_IN_ONE_WRITE = 64
REMOVED_KEPT_MS = 30 * 24 * 3600 * 1000


def begin_scrub(write: Write) -> None:
    """Begin to rewrite the search's index without erased words; `scrub_some` goes on with it.

    At once it would hold the writer for 8 s where a million comments are indexed (650 MB); a step takes 8 ms there,
    and 80 where one trigram has thousands of pages, since FTS5 stops between two of them.
    """
    write.sql.execute("INSERT INTO search (search, rank) VALUES ('merge', ?)", (-PAGES_IN_ONE_WRITE,))


def scrub_some(write: Write) -> bool:
    """Write up to 64 more pages of the index; False where all that was in it at the beginning is rewritten.

    Pages that are let go of are zeroed by `secure_delete`.
    """
    before = write.sql.total_changes
    write.sql.execute("INSERT INTO search (search, rank) VALUES ('merge', ?)", (PAGES_IN_ONE_WRITE,))
    # FTS5 counts the statement itself as one.
    return write.sql.total_changes - before >= 2


def empty_wal(sql: sqlite3.Connection) -> bool:
    """Empty the WAL; False where a reader was in the way: try again. To be run outside of a transaction."""
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
