"""The staging area of an import: a temporary SQLite file that sorts parents first. Knows no format."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator

from server.errors import CannotStart
from server.storage.engine.rows import named

_TABLES = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE pages (
    id TEXT PRIMARY KEY, url TEXT NOT NULL, title TEXT NOT NULL, summary TEXT NOT NULL, author TEXT,
    locked INTEGER NOT NULL
) STRICT;
CREATE TABLE records (
    place INTEGER PRIMARY KEY, page TEXT NOT NULL, id TEXT NOT NULL, parent TEXT, data BLOB NOT NULL,
    links INTEGER NOT NULL, above INTEGER, rank INTEGER, depth INTEGER
) STRICT;
CREATE UNIQUE INDEX records_id ON records (page, id);
"""
_ABOVE = """
UPDATE records SET above = (SELECT p.place FROM records p WHERE p.page = records.page AND p.id = records.parent)
WHERE parent IS NOT NULL AND parent <> id;
CREATE INDEX records_above ON records (above);
CREATE INDEX records_lost ON records (place) WHERE rank IS NULL;
"""
_TREE = """
WITH RECURSIVE tree(place, rank, depth) AS (
    SELECT place, place, 0 FROM records WHERE {roots}
    UNION ALL
    SELECT r.place, max(r.place, tree.rank), tree.depth + 1 FROM tree JOIN records r ON r.above = tree.place
)
UPDATE records SET rank = tree.rank, depth = tree.depth FROM tree WHERE records.place = tree.place
"""
_PAGES = """
SELECT r.page AS page, p.url AS url, p.title AS title, p.summary AS summary, p.author AS author, p.locked AS locked,
       count(*) AS records
FROM records r LEFT JOIN pages p ON p.id = r.page GROUP BY r.page ORDER BY min(r.place)
"""

About = tuple[str, str, str, str | None, bool]


class Staging:
    """Opened by `opened()`, which raises CannotStart where the temporary file cannot be written."""

    def __init__(self, sql: sqlite3.Connection) -> None:
        self._sql = sql

    def add_page(self, id_: str, about: About) -> None:
        """Add a page's description (url, title, summary, author, locked). Earlier values win."""
        self._sql.execute(
            "INSERT INTO pages VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
            " url = iif(url = '', excluded.url, url), title = iif(title = '', excluded.title, title),"
            " summary = iif(summary = '', excluded.summary, summary),"
            " author = coalesce(author, excluded.author), locked = max(locked, excluded.locked)",
            (id_, *about),
        )

    def add(self, page: str, id_: str, parent: str | None, data: bytes, *, has_links: bool) -> bool:
        """Return False if the page has a record of this id already."""
        added = self._sql.execute(
            "INSERT OR IGNORE INTO records (page, id, parent, data, links) VALUES (?, ?, ?, ?, ?)",
            (page, id_, parent, data, has_links),
        )
        return added.rowcount > 0

    def arrange(self) -> None:
        """Put every record behind the one that it answers, and else leave them in the order in which they came.

        Of those that answer each other in a circle the first is taken for a root.
        """
        self._sql.executescript(_ABOVE)
        self._sql.execute(_TREE.format(roots="above IS NULL"))
        while (lost := self._one("SELECT min(place) FROM records WHERE rank IS NULL", ())) is not None:
            first = self._first_of_circle(lost)
            self._sql.execute("UPDATE records SET above = NULL WHERE place = ?", (first,))
            self._sql.execute(_TREE.format(roots="place = ?"), (first,))
        self._sql.execute("CREATE INDEX records_order ON records (page, rank, depth, place)")

    def _first_of_circle(self, place: int) -> int:
        """Return the first record of the circle that is above this one."""
        passed: dict[int, None] = {}
        while place not in passed:
            passed[place] = None
            place = self._one("SELECT above FROM records WHERE place = ?", (place,)) or place
        way = list(passed)
        return min(way[way.index(place) :])

    def _one(self, question: str, values: tuple[int, ...]) -> int | None:
        row: tuple[int | None] = self._sql.execute(question, values).fetchone()
        return row[0]

    def pages(self) -> list[tuple[str, About, int]]:
        """Return (id, description, number of records) of every page that has records."""
        return [
            (
                one["page"],
                (one["url"] or "", one["title"] or "", one["summary"] or "", one["author"], bool(one["locked"])),
                one["records"],
            )
            for one in named(self._sql.execute(_PAGES))
        ]

    def records(self, page: str) -> Iterator[bytes]:
        """Yield the records, parents first."""
        return self._data(page, "rank, depth, place")

    def with_links(self, page: str) -> Iterator[bytes]:
        """Yield those that have links, the last first."""
        return self._data(page, "rank DESC, depth DESC, place DESC", "AND links")

    def _data(self, page: str, order: str, only: str = "") -> Iterator[bytes]:
        found = self._sql.execute(f"SELECT data FROM records WHERE page = ? {only} ORDER BY {order}", (page,))
        return (data for (data,) in found)


@contextlib.contextmanager
def opened() -> Iterator[Staging]:
    """Open an empty one; it is gone with the block."""
    try:
        # Without a name it is a private file, which is removed as it is made.
        with contextlib.closing(sqlite3.connect("", isolation_level=None)) as sql:
            sql.executescript(_TABLES)
            sql.execute("BEGIN")
            yield Staging(sql)
    except sqlite3.Error as error:
        raise CannotStart(f"Cannot write to the temporary folder: {error}.") from error
