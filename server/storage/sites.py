"""Sites and their origins, which threads are theirs, and the aliases of addresses."""

from __future__ import annotations

import sqlite3

from server.errors import Conflict
from server.sites import OWN, Site
from server.storage.accounts import identities
from server.storage.engine.rows import named
from server.storage.engine.write import Write
from server.storage.threads import threads

ADOPTED_AT_ONCE = 100


def all_of(sql: sqlite3.Connection) -> list[Site]:
    """Return all sites, `own` among them, by their ids."""
    origins: dict[str, list[str]] = {}
    for origin, site in sql.execute("SELECT origin, site FROM site_origins ORDER BY origin"):
        origins.setdefault(site, []).append(origin)
    rows = sql.execute(
        "SELECT id AS id, name AS name, host AS host, keep_query AS keep_query, logins AS logins,"
        " moderates AS moderates, theme AS theme, language AS language, is_setting AS is_setting FROM sites ORDER BY id"
    )
    return [
        Site(
            **row
            | {
                "origins": tuple(origins.get(row["id"], ())),
                "keep_query": tuple(row["keep_query"].split()),
                "logins": tuple(row["logins"].split()),
                "moderates": bool(row["moderates"]),
                "is_setting": bool(row["is_setting"]),
            }
        )
        for row in named(rows)
    ]


def put(write: Write, site: Site) -> None:
    """Keep the site as it is given. Raises Conflict if one of its origins is another's."""
    write.sql.execute(
        "INSERT INTO sites (id, name, host, keep_query, logins, moderates, theme, language, is_setting)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET name = excluded.name,"
        " keep_query = excluded.keep_query, logins = excluded.logins, moderates = excluded.moderates,"
        " theme = excluded.theme, language = excluded.language, is_setting = excluded.is_setting",
        (
            site.id, site.name, site.host, " ".join(site.keep_query), " ".join(site.logins), int(site.moderates),
            site.theme, site.language, int(site.is_setting),
        ),
    )  # fmt: skip
    write.sql.execute("DELETE FROM site_origins WHERE site = ?", (site.id,))
    for origin in site.origins:
        other = write.sql.execute("SELECT site FROM site_origins WHERE origin = ?", (origin,)).fetchone()
        if other is not None:
            raise Conflict("error.origin_taken", field="origin", origin=origin, site=other[0])
        write.sql.execute("INSERT INTO site_origins VALUES (?, ?)", (origin, site.id))


def remove(write: Write, id_: str) -> None:
    """Forget the site. Its threads stay, on the server's own pages; its sessions end."""
    sessions = write.sql.execute("SELECT DISTINCT account FROM sessions WHERE site = ?", (id_,)).fetchall()
    write.sql.execute("DELETE FROM sessions WHERE site = ?", (id_,))
    for (account,) in sessions:
        write.concern(account, is_end=True)
    write.sql.execute("UPDATE threads SET site = ? WHERE site = ?", (OWN, id_))
    identities.forget(write, identities.of_site(id_))
    for table in ("aliases", "site_origins", "site_keys"):
        write.sql.execute(f"DELETE FROM {table} WHERE site = ?", (id_,))
    write.sql.execute("DELETE FROM sites WHERE id = ?", (id_,))


def adopt(write: Write, site: Site, after: int) -> int:
    """Give the site some of the threads of `own` that are its by key or address: those above the id `after`.

    Return the last id that was looked at; 0: there are no more.
    """
    found = write.sql.execute(
        "SELECT id, url, key FROM threads WHERE site = 'own' AND id > ? ORDER BY id LIMIT ?",
        (after, ADOPTED_AT_ONCE),
    ).fetchall()
    for thread, url, key in found:
        if key.startswith(f"{site.id}~") or (url and site.has_page(url)):
            write.sql.execute("UPDATE threads SET site = ? WHERE id = ?", (site.id, thread))
            if url and site.key_of(url) != key:
                alias(write, site, url, thread)
    return int(found[-1][0]) if len(found) == ADOPTED_AT_ONCE else 0


def adopt_one(write: Write, thread: int, url: str) -> None:
    """Give the thread to the site whose page it is about, if there is one and the thread is still nobody's."""
    for site in all_of(write.sql) if url else ():
        if site.id != OWN and site.has_page(url):
            moved = write.sql.execute(
                "UPDATE threads SET site = ? WHERE id = ? AND site = 'own' RETURNING key", (site.id, thread)
            ).fetchone()
            if moved is not None and site.key_of(url) != moved[0]:
                alias(write, site, url, thread)


def alias(write: Write, site: Site, page: str, thread: int) -> None:
    """From now on this address has this thread."""
    write.sql.execute(
        "INSERT INTO aliases VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET thread = excluded.thread",
        (site.id, site.normalised(page), thread),
    )


def settle(write: Write, site: Site, page: str, thread: int) -> None:
    """The thread is the site's, and this address has it."""
    write.sql.execute("UPDATE threads SET site = ? WHERE id = ?", (site.id, thread))
    alias(write, site, page, thread)


def key_of_page(sql: sqlite3.Connection, site: Site, page: str) -> str:
    """Return the key of the thread under this page of the site, or of the one that it went into; nobody may have used
    it yet."""
    return threads.by_key(sql, _key_of_page(sql, site, page)).key


def _key_of_page(sql: sqlite3.Connection, site: Site, page: str) -> str:
    row = sql.execute(
        "SELECT t.key FROM aliases a JOIN threads t ON t.id = a.thread WHERE a.site = ? AND a.address = ?",
        (site.id, site.normalised(page)),
    ).fetchone()
    if row is not None:
        return str(row[0])
    if site.id != OWN:
        return site.key_of(page)
    if (known := threads.by_url(sql, page)) is not None:
        return known
    short = threads.by_key(sql, site.key_of(page))
    is_its = not short.url or site.normalised(short.url) == site.normalised(page)
    return short.key if is_its else site.key_of(page, is_long=True)


def key_named(sql: sqlite3.Connection, site: Site, key: str) -> str:
    """Return the key of the thread that a page of the site names by `key`. Raises Invalid."""
    whole, given = site.key_named(key), threads.by_key(sql, key)
    return (given if given.site == site.id else threads.by_key(sql, whole)).key


def counts(sql: sqlite3.Connection, keys: list[str]) -> dict[str, int]:
    """Return how many comments are visible in each of the threads; nothing of those that nobody has used."""
    marks = ", ".join("?" * len(keys))
    found = "SELECT t.key, n.comments FROM threads t JOIN threads n ON n.id = coalesce(t.merged, t.id)"
    return dict(sql.execute(f"{found} WHERE t.key IN ({marks})", keys))


def listed(sql: sqlite3.Connection, site: str, limit: int) -> list[tuple[str, str, str, int]]:
    """Return (site, key, address, comments) of threads, those that were active last first; of one site, or of all."""
    found = sql.execute(
        "SELECT site, key, url, comments FROM threads WHERE (?1 = '' OR site = ?1) AND merged IS NULL"
        " ORDER BY active DESC LIMIT ?2",
        (site, limit),
    )
    return found.fetchall()
