"""The keys by which sites sign who their readers are."""

from __future__ import annotations

import sqlite3

from server.errors import Conflict
from server.site_tokens import SiteKey
from server.storage.engine.rows import first, named
from server.storage.engine.write import Write

MOST_OF_A_SITE = 10
_COLUMNS = "id AS id, algorithm AS algorithm, material AS material"


def of(sql: sqlite3.Connection, site: str) -> list[SiteKey]:
    """Return the keys of the site, the oldest first."""
    rows = sql.execute(f"SELECT {_COLUMNS} FROM site_keys WHERE site = ? ORDER BY created, id", (site,))
    return [SiteKey(**row) for row in named(rows)]


def by_id(sql: sqlite3.Connection, site: str, id_: str) -> SiteKey | None:
    row = first(sql.execute(f"SELECT {_COLUMNS} FROM site_keys WHERE site = ? AND id = ?", (site, id_)))
    return SiteKey(**row) if row else None


def add(write: Write, site: str, key: SiteKey) -> None:
    """Raises Conflict if the site has a key of this id, or as many keys as a site can have."""
    known = of(write.sql, site)
    if any(one.id == key.id for one in known):
        raise Conflict("error.sso_key_exists", field="key_id", key=key.id, site=site)
    if len(known) >= MOST_OF_A_SITE:
        raise Conflict("error.sso_many_keys", field="key_id", count=MOST_OF_A_SITE)
    write.sql.execute(
        "INSERT INTO site_keys VALUES (?, ?, ?, ?, ?)", (site, key.id, key.algorithm, key.material, write.now)
    )


def remove(write: Write, site: str, id_: str) -> bool:
    """False: the site has no key of this id."""
    return write.sql.execute("DELETE FROM site_keys WHERE site = ? AND id = ?", (site, id_)).rowcount > 0
