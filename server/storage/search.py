"""Full-text search with SQLite's FTS5, over the words of each comment. Only visible comments are indexed."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from itertools import islice

from server.errors import Invalid
from server.storage.comments import comment_rows, comments, quotes
from server.storage.comments.comments import Found
from server.storage.engine.write import Write
from server.storage.threads import orders, threads
from server.text import markup, search_words

MAX_CHARACTERS = 100
# In one write, so that no post waits long: some 30 ms.
CHARACTERS_AT_ONCE, COMMENTS_AT_ONCE = 50_000, 500
# No more of one comment can be found: an import may bring longer ones.
MOST_INDEXED = 100_000
# Comments that quote what is hidden are read for what they say themselves: so much of them in a search; and only so
# many comments are looked at.
MOST_CHARACTERS_READ = 60_000
MOST_LOOKED_AT = 5_000
# FTS5 reads all that a beginning finds before it gives the latest; a few whole words it follows backwards from the end.
MOST_ENDINGS = 64
# A word that is said all the time is found among the latest comments; only so many are read for that.
RECENT, MOST_CHARACTERS_OF_RECENT = 200, 100_000
# A place is the time of a comment, and so many bits that tell equals apart.
_BITS = 20

_FIND = """
SELECT c.id FROM search CROSS JOIN searched s ON s.place = search.rowid CROSS JOIN comments c ON c.id = s.comment
WHERE search MATCH ?1 AND search.rowid < ?2 AND c.state = 'visible' ORDER BY search.rowid DESC LIMIT ?3
"""
_LATEST = "SELECT comment, words FROM searched WHERE place < ? ORDER BY place DESC LIMIT ?"


def index_some(write: Write, times: int = 1) -> bool:
    """Index some comments, the latest first; True if others wait. `times` as many: where nobody waits for the writer.

    Beside the posts, many at a time: an index that every post wrote to would cost a third of the posts in a second.
    """
    waiting = write.sql.execute(
        "SELECT c.id, c.thread, c.placed, c.html FROM unindexed u CROSS JOIN comments c ON c.id = u.comment"
        " ORDER BY u.comment DESC LIMIT ?",
        (times * COMMENTS_AT_ONCE + 1,),
    )
    characters = 0
    taken: list[tuple[int, int, int, str]] = []
    for row in waiting:
        if len(taken) == times * COMMENTS_AT_ONCE or characters >= times * CHARACTERS_AT_ONCE:
            break
        taken.append(row)
        characters += len(row[3])
    else:
        row = None
    waiting.close()
    found: dict[int, tuple[int, str]] = {}
    for id_, thread, placed, html in taken:
        place = _place(placed, id_)
        while place in found or _is_taken(write.sql, place):
            place += 1
        words = search_words.tokens(markup.plain_text(html[:MOST_INDEXED]))
        found[place] = id_, f"{search_words.of_thread(thread)} {words}"
    # FTS5 writes a piece of its own for each row that comes before the last one.
    rows = [(place, *found[place]) for place in sorted(found)]
    write.sql.executemany("INSERT INTO searched (place, comment, words) VALUES (?, ?, ?)", rows)
    write.sql.executemany(
        "INSERT INTO search (rowid, words) VALUES (?, ?)", [(place, words) for place, _, words in rows]
    )
    write.sql.executemany("DELETE FROM unindexed WHERE comment = ?", [(id_,) for id_, *_ in taken])
    return row is not None


def _place(placed: int, id_: int) -> int:
    """Return a place in the order of time: of comments of one millisecond in the order of their ids."""
    return (placed << _BITS) + id_ % (1 << _BITS)


def _is_taken(sql: sqlite3.Connection, place: int) -> bool:
    return sql.execute("SELECT 1 FROM searched WHERE place = ?", (place,)).fetchone() is not None


def find(sql: sqlite3.Connection, text: str, *, thread: str | None, before: int = 0, limit: int) -> list[Found]:
    """Return visible comments that say every word of `text`, the newest first; those before the comment `before`.

    Raises Invalid (field q) if there is no word or too many, and (field before) if there is no such comment.
    """
    wanted = search_words.phrases(text) if len(text) <= MAX_CHARACTERS else []
    if not wanted:
        raise Invalid("error.search_words", field="q", count=MAX_CHARACTERS)
    # Comments of a thread that went into this one are indexed by the one that they were in.
    within = threads.ids_of(sql, threads.by_key(sql, thread).id) if thread else None
    if within == []:
        return []
    last = _place(*comments.key_of(sql, before)) if before else 2**63 - 1
    read = _Read()
    if within is None and (recent := _recent(sql, wanted, last, limit, read)):
        return _found(sql, recent)
    query = search_words.matching(wanted, lambda beginning: _endings(sql, beginning), within)
    found = sql.execute(_FIND, (query, last, MOST_LOOKED_AT))
    shown = (id_ for (id_,) in found if _says(sql, id_, wanted, read))
    return _found(sql, list(islice(shown, limit)))


def _recent(
    sql: sqlite3.Connection, wanted: list[search_words.Phrase], last: int, limit: int, read: _Read
) -> list[int]:
    """Return what a whole page would show, if the latest comments fill it; else nothing.

    The index is made for rare words: to look one up costs the more, the more comments say it.
    """
    found: list[int] = []
    characters = 0
    for id_, words in sql.execute(_LATEST, (last, RECENT)):
        characters += len(words)
        if characters > MOST_CHARACTERS_OF_RECENT:
            break
        says = all(phrase.is_in(words) for phrase in wanted) and _is_visible(sql, id_) and _says(sql, id_, wanted, read)
        if says:
            found.append(id_)
            if len(found) == limit:
                return found
    return []


def _is_visible(sql: sqlite3.Connection, id_: int) -> bool:
    return sql.execute("SELECT 1 FROM comments WHERE id = ? AND state = 'visible'", (id_,)).fetchone() is not None


def _endings(sql: sqlite3.Connection, beginning: str) -> list[str]:
    """Return the beginning itself and the indexed words that begin so; none if they are more than a few."""
    # Itself it is not looked up: to find a word costs the more, the more often it is said.
    endings = [beginning]
    while len(endings) <= MOST_ENDINGS:
        # What comes after the last one, however little: no word has such a character.
        least = f"{endings[-1]}\x01"
        row = sql.execute("SELECT term FROM vocabulary WHERE term >= ? LIMIT 1", (least,)).fetchone()
        if row is None or not row[0].startswith(beginning):
            return endings
        endings.append(row[0])
    return []


@dataclass(slots=True)
class _Read:
    characters: int = 0


def _says(sql: sqlite3.Connection, id_: int, wanted: list[search_words.Phrase], read: _Read) -> bool:
    """Say whether a comment with hidden quotes has the words itself; False if there are too many to check."""
    if not quotes.hidden(sql, id_):
        return True
    html = str(comments.seen_by(sql, None, id_)[1].html)
    read.characters += len(html)
    if read.characters > MOST_CHARACTERS_READ:
        return False
    tokens = search_words.tokens(markup.plain_text(html))
    return all(phrase.is_in(tokens) for phrase in wanted)


def latest(sql: sqlite3.Connection, *, author: int | None = None, thread: str | None = None, parent: int | None = None,
           before: int = 0, limit: int) -> list[Found]:  # fmt: skip
    """Return the newest visible comments, of an account, a thread or the answers to a comment where one is given.

    Those before the comment `before` (0: all). Raises Invalid (field before) if there is none.
    """
    where = {"author": author, "thread": threads.by_key(sql, thread).id if thread else None, "parent": parent}
    given = {column: value for column, value in where.items() if value is not None}
    if thread and "thread" not in given:
        return []
    which = " AND ".join(["state = 'visible'", *(f"{column} = ?" for column in given)])
    last = comments.key_of(sql, before) if before else None
    found = list(islice(orders.in_time(sql, which, tuple(given.values()), last, newest_first=True), limit))
    return _found(sql, [place[1] for place in found])


def _found(sql: sqlite3.Connection, ids: list[int]) -> list[Found]:
    """Return the comments in this order, as everybody sees them."""
    by_id = {one.id: one for one in comment_rows.by_ids(sql, ids)}
    return comments.found(None, [by_id[id_] for id_ in ids])
