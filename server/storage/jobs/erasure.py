"""Erasure: removes erased text from its comment, quotes, the search index and the file."""

from __future__ import annotations

from server.storage.comments import quotes
from server.storage.engine.write import Write

ROWS_IN_ONE_WRITE = 100
# Of HTML, as much as is rewritten while others wait: each character costs up to a microsecond.
CHARACTERS_IN_ONE_WRITE = 100_000
PAGES_IN_ONE_WRITE = 64
REMOVED_KEPT_MS = 30 * 24 * 3600 * 1000


def comment(write: Write, id_: int) -> None:
    """Erase every text of a comment; what others quote of it goes by `lost_quotes`."""
    write.sql.execute("UPDATE comments SET body = '', html = '' WHERE id = ?", (id_,))
    for table in ("revisions", "mentions"):
        write.sql.execute(f"DELETE FROM {table} WHERE comment = ?", (id_,))
    quotes.lose(write, id_)
    write.owed.add("scrub")


def lost_quotes(write: Write) -> bool:
    """Erase lost words from comments that quote them, few or short enough that nobody waits; True if there may be
    more.

    They were hidden before: what is public stays the same. Those that are still to be stamped for it wait: they are
    found by the very quotes that are erased here.
    """
    found = write.sql.execute(
        "SELECT DISTINCT comment FROM quotes WHERE lost AND NOT EXISTS ("
        "SELECT 1 FROM quotes other JOIN jobs ON jobs.subject = other.source AND jobs.kind = 'stamp quotes'"
        " WHERE other.comment = quotes.comment) ORDER BY comment LIMIT ?",
        (ROWS_IN_ONE_WRITE,),
    ).fetchall()
    characters = 0
    for (quoting,) in found:
        characters += sum(len(text.html) for text in quotes.texts(write.sql, quoting))
        quotes.erase_in(write, quoting)
        if characters >= CHARACTERS_IN_ONE_WRITE:
            return True
    return len(found) == ROWS_IN_ONE_WRITE


def forget_some(write: Write) -> bool:
    """Erase what moderators removed more than 30 days ago: at most 100 comments; True if there may be more."""
    old = write.sql.execute(
        "SELECT id FROM comments WHERE state = 'removed' AND ended < ? AND body <> '' LIMIT ?",
        (write.now - REMOVED_KEPT_MS, ROWS_IN_ONE_WRITE),
    ).fetchall()
    for (id_,) in old:
        comment(write, id_)
    return len(old) == ROWS_IN_ONE_WRITE


def begin_scrub(write: Write) -> None:
    """Begin to rewrite the search's index without erased words; `scrub_some` goes on with it.

    At once it would hold the writer for 8 s where a million comments are indexed (650 MB); a step takes 8 ms there,
    and 80 where one trigram has thousands of pages, since FTS5 stops between two of them.
    """
    write.sql.execute("INSERT INTO search (search, rank) VALUES ('merge', ?)", (-PAGES_IN_ONE_WRITE,))


def scrub_some(write: Write) -> bool:
    """Write up to 64 more pages of the index; False if all that was in it at the beginning is rewritten.

    Pages that are let go of are zeroed by `secure_delete`.
    """
    before = write.sql.total_changes
    write.sql.execute("INSERT INTO search (search, rank) VALUES ('merge', ?)", (PAGES_IN_ONE_WRITE,))
    # FTS5 counts the statement itself as one.
    return write.sql.total_changes - before >= 2
