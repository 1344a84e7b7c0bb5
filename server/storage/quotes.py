"""Quotes with a source: what was taken from a comment is hidden, shown and erased with it, wherever it is quoted."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from server import quotations

if TYPE_CHECKING:
    from server.storage.write import Write

ROWS_IN_ONE_WRITE = 100
# What its author has deleted, and what was erased after it was removed, never comes back.
_LOST = "s.state = 'deleted' OR (s.state = 'removed' AND s.body = '')"
_TEXTS = """
SELECT revision, body, html FROM comments WHERE id = ?1
UNION ALL SELECT revision, body, html FROM revisions WHERE comment = ?1
"""


def remember(write: Write, comment: int, revision: int, html: str) -> None:
    """Keep what each quote of this text takes from whom, and erase at once what must not be kept any more."""
    write.sql.execute("DELETE FROM quotes WHERE comment = ? AND revision = ?", (comment, revision))
    for place, one in enumerate(found := quotations.find(html)):
        text = quotations.own_html(html, found, one)
        named = {id_ for key, id_ in one.sources if _is_comment(write.sql, key, id_)} - {comment}
        inherited = [_by_way_of(write.sql, id_, text) for id_ in named]
        write.sql.executemany(
            f"INSERT INTO quotes SELECT ?1, ?2, ?3, s.id, {_LOST} FROM comments s WHERE s.id = ?4",
            [(comment, revision, place, source) for source in sorted(named.union(*inherited) - {comment})],
        )
    erase_in(write, comment)


def _is_comment(sql: sqlite3.Connection, key: str, id_: int) -> bool:
    found = sql.execute("SELECT t.key FROM comments c JOIN threads t ON t.id = c.thread WHERE c.id = ?", (id_,))
    return bool(found.fetchone() == (key,))


def _by_way_of(sql: sqlite3.Connection, source: int, quote: str) -> set[int]:
    """Return the comments whose words `quote` takes from what its source itself quotes."""
    known = sql.execute("SELECT revision, place, source FROM quotes WHERE comment = ?", (source,)).fetchall()
    if not known:
        return set()
    said = quotations.said_in(quote, source)
    likely: set[int] = set()
    for revision, _, html in sql.execute(_TEXTS, (source,)).fetchall():
        quoted = [(place, origin) for at, place, origin in known if at == revision]
        if said in quotations.plain(quotations.cut(html, {place for place, _ in quoted})):
            return set()
        found = quotations.find(html)
        for place, origin in quoted:
            if quotations.share_words(said, quotations.plain(html[found[place].start : found[place].end])):
                likely.add(origin)
    # Words of nobody that we know of: better lost with one too many than kept.
    return likely or {origin for _, _, origin in known}


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


def without(html: str, places: str) -> str:
    """Return `html` with an empty place for each quote of `places`, numbers joined by commas."""
    return quotations.cut(html, {int(place) for place in places.split(",")})


def hidden(sql: sqlite3.Connection, comment: int) -> dict[int, set[int]]:
    """Return which quotes of the comment's texts are of what is not visible: places, by revision."""
    places: dict[int, set[int]] = defaultdict(set)
    for revision, place in sql.execute(
        "SELECT q.revision, q.place FROM quotes q JOIN comments s ON s.id = q.source"
        " WHERE q.comment = ? AND s.state <> 'visible'",
        (comment,),
    ):
        places[revision].add(place)
    return places


def cut(body: str, html: str, places: Collection[int]) -> tuple[str, str]:
    """Return (body, html) without these quotes. A body that cannot be told apart is given as its HTML."""
    if not places:
        return body, html
    without = quotations.cut(html, places)
    text = quotations.cut_markdown(body, html, places)
    return without if text is None else text, without


def lose(write: Write, source: int) -> None:
    """The words of a comment were erased: they are to be erased wherever they are quoted, by `erase_some`."""
    write.sql.execute("UPDATE quotes SET lost = 1 WHERE source = ?", (source,))
    write.sql.execute("DELETE FROM quotes WHERE comment = ?", (source,))


def erase_some(write: Write) -> bool:
    """Erase lost words from up to 100 comments that quote them; True where there may be more.

    They were hidden before: what is public stays the same.
    """
    found = write.sql.execute(
        "SELECT DISTINCT comment FROM quotes WHERE lost ORDER BY comment LIMIT ?", (ROWS_IN_ONE_WRITE,)
    ).fetchall()
    for (comment,) in found:
        erase_in(write, comment)
    return len(found) == ROWS_IN_ONE_WRITE


def erase_in(write: Write, comment: int) -> None:
    """Take lost words out of every text of a comment; the other quotes keep their sources."""
    lost: dict[int, set[int]] = defaultdict(set)
    for revision, place in write.sql.execute(
        "SELECT revision, place FROM quotes WHERE comment = ? AND lost", (comment,)
    ):
        lost[revision].add(place)
    if not lost:
        return
    for revision, body, html in write.sql.execute(_TEXTS, (comment,)).fetchall():
        places = lost.pop(revision, None)
        if places is None:
            continue
        text, left = cut(body, html, places)
        write.sql.execute(
            "UPDATE comments SET body = ?1, html = ?2, format = iif(?1 = ?2, 'html', format)"
            " WHERE id = ?3 AND revision = ?4",
            (text, left, comment, revision),
        )
        write.sql.execute(
            "UPDATE revisions SET body = ?1, html = ?2, format = iif(?1 = ?2, 'html', format)"
            " WHERE comment = ?3 AND revision = ?4",
            (text, left, comment, revision),
        )
        _renumber(write.sql, comment, revision, quotations.places_after(html, places))
    write.has_erased = True


def _renumber(sql: sqlite3.Connection, comment: int, revision: int, places: dict[int, int]) -> None:
    kept = sql.execute(
        "DELETE FROM quotes WHERE comment = ? AND revision = ? RETURNING place, source, lost", (comment, revision)
    ).fetchall()
    sql.executemany(
        "INSERT INTO quotes VALUES (?, ?, ?, ?, ?)",
        [(comment, revision, places[place], source, lost) for place, source, lost in kept if place in places],
    )


def find_again(write: Write) -> bool:
    """Find the quotes of up to 100 comments that were written when less was kept of them; True where others wait."""
    waiting = write.sql.execute(
        "SELECT comment FROM unquoted ORDER BY comment LIMIT ?", (ROWS_IN_ONE_WRITE,)
    ).fetchall()
    for (comment,) in waiting:
        for revision, html in _html_of(write.sql, comment):
            remember(write, comment, revision, html)
    write.sql.executemany("DELETE FROM unquoted WHERE comment = ?", waiting)
    return len(waiting) == ROWS_IN_ONE_WRITE


def _html_of(sql: sqlite3.Connection, comment: int) -> Iterable[tuple[int, str]]:
    return [(revision, html) for revision, _, html in sql.execute(_TEXTS, (comment,))]
