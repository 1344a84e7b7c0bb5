"""Quotes with a source: wherever a comment is quoted, its words are hidden, shown and erased with it."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from server.storage.engine.rows import named
from server.text import quotations

if TYPE_CHECKING:
    from server.storage.engine.write import Write

ROWS_IN_ONE_WRITE = 100
# Of a comment that is quoted: its last texts, whom one quote of it can be from, and how much of it is compared.
TEXTS_LOOKED_AT = 2
ORIGINS_KEPT = 20
PARTS_APART = 12
# Texts deleted by the author, or erased after removal, never come back.
_LOST = "s.state = 'deleted' OR (s.state = 'removed' AND s.body = '')"
_TEXTS = """
SELECT revision AS revision, body AS body, html AS html, format AS format FROM comments WHERE id = ?1
UNION ALL SELECT revision, body, html, format FROM revisions WHERE comment = ?1
"""


@dataclass(frozen=True, slots=True)
class KeptText:
    """A text that a comment has or had, `format` markdown or html: also if it is not to be shown."""

    revision: int
    body: str
    html: str
    format: str


@dataclass(slots=True)
class _Source:
    """What a quoted comment says itself, and what it quotes: plain texts, in its last versions."""

    own: list[str] = field(default_factory=list)
    quoted: list[tuple[set[int], set[str]]] = field(default_factory=list)


def remember_first(write: Write, comment: int, revision: int, html: str, known: Collection[int] | None) -> None:
    """Do what `remember` does, for a text that is new: nothing is kept of it yet."""
    if quotations.find(html):
        remember(write, comment, revision, html, known)


def remember(
    write: Write,
    comment: int,
    revision: int,
    html: str,
    known: Collection[int] | None = None,
    moved: Mapping[int, int] | None = None,
) -> None:
    """Keep what each quote of this text takes from whom, and erase at once what must not be kept any more.

    A link can only mean a comment that is `known`; None: any. `moved` are quotes of the revision before, by their
    places now: what is known of those stays known.
    """
    write.sql.execute("DELETE FROM quotes WHERE comment = ? AND revision = ?", (comment, revision))
    sources: dict[int, _Source | None] = {}
    found = quotations.find(html)
    quoting = [(place, one) for place, one in enumerate(found) if one.sources]
    for place, one in quoting[: quotations.MAX_QUOTES]:
        text = quotations.own_html(html, found, one)
        taken: set[int] = set()
        for key, id_ in sorted(one.sources)[: quotations.MAX_SOURCES]:
            if id_ not in sources:
                sources[id_] = _source(write.sql, key, id_) if known is None or id_ in known else None
            if (source := sources[id_]) is not None:
                taken |= {id_} | _by_way_of(source, quotations.said_in(text, id_))
        write.sql.executemany(
            f"INSERT INTO quotes SELECT ?1, ?2, ?3, s.id, {_LOST} FROM comments s WHERE s.id = ?4",
            [(comment, revision, place, source) for source in sorted(taken - {comment})],
        )
    write.sql.executemany(
        "INSERT OR IGNORE INTO quotes SELECT comment, revision + 1, ?1, source, lost FROM quotes"
        " WHERE comment = ?2 AND revision = ?3 AND place = ?4",
        [(now, comment, revision - 1, before) for now, before in (moved or {}).items()],
    )
    erase_in(write, comment)


def _source(sql: sqlite3.Connection, key: str, id_: int) -> _Source | None:
    """Return the text of that comment in the thread, or None."""
    is_there = sql.execute(
        "SELECT 1 FROM comments c JOIN threads t ON c.thread IN (t.id, t.merged) WHERE c.id = ? AND t.key = ?",
        (id_, key),
    ).fetchone()
    if is_there is None:
        return None
    source = _Source()
    known = sql.execute("SELECT revision, place, source FROM quotes WHERE comment = ?", (id_,)).fetchall()
    if not known:
        return source
    for text in _texts(sql, f"{_TEXTS} ORDER BY revision DESC LIMIT {TEXTS_LOOKED_AT}", id_):
        places: dict[int, set[int]] = defaultdict(set)
        for at, place, origin in known:
            if at == text.revision:
                places[place].add(origin)
        found = quotations.find(text.html)
        source.own.append(quotations.plain(quotations.cut(text.html, places)))
        source.quoted += [
            (origins, quotations.parts(quotations.plain(text.html[found[place].start : found[place].end]), PARTS_APART))
            for place, origins in places.items()
        ]
    return source


def _by_way_of(source: _Source, said: str) -> set[int]:
    """Return the original authors' comments for a quote `said` that its source itself quotes."""
    if not source.quoted or any(said in own for own in source.own):
        return set()
    parts = quotations.parts(said)
    likely = [origins for origins, quoted in source.quoted if not parts.isdisjoint(quoted)]
    # Words of nobody that we know of: better lost with one too many than kept.
    origins = set().union(*(likely or [origins for origins, _ in source.quoted]))
    return set(sorted(origins)[-ORIGINS_KEPT:])


def texts(sql: sqlite3.Connection, comment: int) -> list[KeptText]:
    """Return every text of the comment as it is kept."""
    return _texts(sql, _TEXTS, comment)


def _texts(sql: sqlite3.Connection, question: str, comment: int) -> list[KeptText]:
    return [KeptText(**row) for row in named(sql.execute(question, (comment,)))]


def stamp(write: Write, source: int, *, after: int = 0) -> int | None:
    """The source has appeared or gone: those that quote it, with ids above `after`, show differently.

    At most 100; return the last id where there may be more.
    """
    found = write.sql.execute(
        "SELECT DISTINCT c.thread, c.id FROM quotes q JOIN comments c ON c.id = q.comment"
        " WHERE q.source = ? AND q.comment > ? AND q.revision = c.revision AND c.state = 'visible'"
        " ORDER BY c.id LIMIT ?",
        (source, after, ROWS_IN_ONE_WRITE),
    ).fetchall()
    for thread, comment in found:
        write.stamp(thread, [comment])
    return found[-1][1] if len(found) == ROWS_IN_ONE_WRITE else None


def hidden(sql: sqlite3.Connection, comment: int) -> dict[int, set[int]]:
    """Return the places of quotes with hidden sources in the comment's texts, by revision."""
    places: dict[int, set[int]] = defaultdict(set)
    for revision, place in sql.execute(
        "SELECT q.revision, q.place FROM quotes q JOIN comments s ON s.id = q.source"
        " WHERE q.comment = ? AND s.state <> 'visible'",
        (comment,),
    ):
        places[revision].add(place)
    return places


def cut(body: str | None, html: str, places: Collection[int]) -> tuple[str, str]:
    """Return (body, html) without these quotes. A body that cannot be told apart, or was not given, is its HTML."""
    without = quotations.cut(html, places) if places else html
    if not places or body is None:
        return body if body is not None else without, without
    text = quotations.cut_markdown(body, html, places)
    return without if text is None else text, without


def lose(write: Write, source: int) -> None:
    """The words of a comment were erased: they are to be erased wherever they are quoted: see `erase.lost_quotes`."""
    write.sql.execute("UPDATE quotes SET lost = 1 WHERE source = ?", (source,))
    write.sql.execute("DELETE FROM quotes WHERE comment = ?", (source,))
    write.owed.add("erase")


def erase_in(write: Write, comment: int) -> None:
    """Take lost words out of every text of a comment; the other quotes keep their sources."""
    lost: dict[int, set[int]] = defaultdict(set)
    for revision, place in write.sql.execute(
        "SELECT revision, place FROM quotes WHERE comment = ? AND lost", (comment,)
    ):
        lost[revision].add(place)
    if not lost:
        return
    for one in texts(write.sql, comment):
        places = lost.pop(one.revision, None)
        if places is None:
            continue
        text, left = cut(one.body, one.html, places)
        rewrite(write, comment, one.revision, text, left)
        _renumber(write.sql, comment, one.revision, quotations.places_after(one.html, places))
    write.owed |= {"scrub", "index"}


def rewrite(write: Write, comment: int, revision: int, body: str, html: str) -> None:
    """Put another text in the place of the one that the comment has, or had, at `revision`."""
    for table, id_ in (("comments", "id"), ("revisions", "comment")):
        write.sql.execute(
            f"UPDATE {table} SET body = ?1, html = ?2, format = iif(?1 = ?2, 'html', format)"
            f" WHERE {id_} = ?3 AND revision = ?4",
            (body, html, comment, revision),
        )


def _renumber(sql: sqlite3.Connection, comment: int, revision: int, places: dict[int, int]) -> None:
    kept = sql.execute(
        "DELETE FROM quotes WHERE comment = ? AND revision = ? RETURNING place, source, lost", (comment, revision)
    ).fetchall()
    sql.executemany(
        "INSERT INTO quotes VALUES (?, ?, ?, ?, ?)",
        [(comment, revision, places[place], source, lost) for place, source, lost in kept if place in places],
    )


def are_unfound(sql: sqlite3.Connection) -> bool:
    """Say whether comments of before wait for `find_again`."""
    return sql.execute("SELECT 1 FROM unquoted LIMIT 1").fetchone() is not None


def find_again(write: Write) -> None:
    """Find the quotes of up to 100 comments that were written when less was kept of them."""
    waiting = write.sql.execute(
        "SELECT comment FROM unquoted ORDER BY comment LIMIT ?", (ROWS_IN_ONE_WRITE,)
    ).fetchall()
    for (comment,) in waiting:
        for text in texts(write.sql, comment):
            remember(write, comment, text.revision, text.html)
    write.sql.executemany("DELETE FROM unquoted WHERE comment = ?", waiting)
