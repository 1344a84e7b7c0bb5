"""Finding comments by what they say: SQLite's FTS5 by trigrams, in any language. Only what is visible is indexed."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from itertools import islice

from channels.change import Comment
from server.errors import Invalid
from server.storage import comments, quotes, rows
from server.storage.write import Write

MIN_CHARACTERS, MAX_CHARACTERS = 3, 100
# Comments that quote what is hidden are read for what they say themselves, 10,000 characters for up to 20 ms: so much
# of them in a search; and only so many comments are looked at.
MOST_CHARACTERS_READ = 60_000
MOST_LOOKED_AT = 5_000


@dataclass(frozen=True, slots=True)
class Found:
    thread: str
    title: str
    comment: Comment


def index_some(write: Write) -> bool:
    """Take up to 1,000 comments into the index; True where others wait.

    Beside the posts, many at a time: an index that every post wrote to would cost a third of the posts in a second.
    """
    waiting = write.sql.execute("SELECT comment FROM unindexed LIMIT 1000").fetchall()
    write.sql.executemany("INSERT INTO search (rowid, body) SELECT id, body FROM comments WHERE id = ?", waiting)
    write.sql.executemany("DELETE FROM unindexed WHERE comment = ?", waiting)
    return len(waiting) == 1000


def find(sql: sqlite3.Connection, text: str, *, thread: str | None, before: int, limit: int) -> list[Found]:
    """Return visible comments that hold every word of `text`, the newest first, with ids below `before`.

    Raises Invalid (field q) where the text is too short or too long.
    """
    # FTS5 reads no further than a NUL.
    words = [word for word in text.replace("\0", " ").split() if len(word) >= MIN_CHARACTERS]
    if not words or len(text) > MAX_CHARACTERS:
        raise Invalid(f"Search for words of at least {MIN_CHARACTERS} characters, {MAX_CHARACTERS} in all.", field="q")
    # Quoted, so that nothing in them is taken for FTS5's own language.
    wanted = " ".join('"' + word.replace('"', '""') + '"' for word in words)
    found = sql.execute(
        "SELECT t.key, t.title, c.id FROM search JOIN comments c ON c.id = search.rowid"
        " JOIN threads t ON t.id = c.thread"
        " WHERE search MATCH ? AND search.rowid < ? AND (?3 IS NULL OR t.key = ?3) AND c.state = 'visible'"
        " ORDER BY search.rowid DESC LIMIT ?",
        (wanted, before, thread, MOST_LOOKED_AT),
    )
    read = _Read()
    shown = (one for one in found if _says(sql, one[2], words, read))
    return [Found(key, title, rows.public(sql, id_)) for key, title, id_ in islice(shown, limit)]


@dataclass(slots=True)
class _Read:
    characters: int = 0


def _says(sql: sqlite3.Connection, id_: int, words: list[str], read: _Read) -> bool:
    """Say whether the comment holds the words itself, where it also quotes what is hidden; no, where too many do."""
    if not quotes.hidden(sql, id_):
        return True
    stored = comments.by_id(sql, id_)
    if stored is None or read.characters + len(stored.body) > MOST_CHARACTERS_READ:
        return False
    read.characters += len(stored.body)
    body = comments.text(sql, stored)
    return all(word.casefold() in body.casefold() for word in words)


def latest(sql: sqlite3.Connection, *, author: int | None = None, thread: str | None = None, parent: int | None = None,
           before: int, limit: int) -> list[Found]:  # fmt: skip
    """Return the newest visible comments, of an account, a thread or the answers to a comment where one is given."""
    where = {"c.author = ?": author, "t.key = ?": thread, "c.parent = ?": parent}
    given = {condition: value for condition, value in where.items() if value is not None}
    conditions = "".join(f" AND {condition}" for condition in given)
    found = sql.execute(
        "SELECT t.key, t.title, c.id FROM comments c JOIN threads t ON t.id = c.thread"
        f" WHERE c.state = 'visible' AND c.id < ?{conditions} ORDER BY c.id DESC LIMIT ?",
        (before, *given.values(), limit),
    ).fetchall()
    return [Found(key, title, rows.public(sql, id_)) for key, title, id_ in found]
