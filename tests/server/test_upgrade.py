"""A database written by any earlier program is brought to the present one with everything that it held."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from server.storage.accounts import accounts, sessions
from server.storage.engine.database import Database
from server.storage.engine.schema import MIGRATIONS, migrate, open_connection
from server.storage.threads import paging

EARLIER = sorted((Path(__file__).parent / "upgrades").glob("*.sql"))


def test_every_earlier_form_has_a_database_to_upgrade() -> None:
    assert [int(path.stem) for path in EARLIER] == list(range(1, len(MIGRATIONS)))


@pytest.mark.parametrize("dump", EARLIER, ids=lambda path: path.stem)
async def test_an_earlier_database_is_upgraded_with_its_data(tmp_path: Path, dump: Path) -> None:
    path = tmp_path / "old.db"
    old = sqlite3.connect(path, isolation_level=None)
    old.executescript(dump.read_text(encoding="utf-8"))
    (epoch,) = old.execute("SELECT epoch FROM clock").fetchone()
    old.close()
    # As the program of that time left it: the number of its process alone.
    path.with_name("old.db.lock").write_text("4711")
    async with Database.opened(path) as database:
        page = await database.read(lambda sql: paging.page(sql, "old", "", 100))
        assert page.epoch == epoch
        assert page.thread.version == 6
        assert [(one.id, one.parent, one.state) for one in page.comments] == [
            (1, None, "visible"),
            (2, 1, "removed"),
            (3, 2, "visible"),
            (4, 1, "visible"),
        ]
        found = await database.read(lambda sql: accounts.by_name(sql, "keeper"))
        assert found is not None
        assert found[0].role == "staff"
        assert await database.read(lambda sql: sql.execute("PRAGMA integrity_check").fetchone()) == ("ok",)


def test_upgraded_and_new_databases_have_the_same_form(tmp_path: Path) -> None:
    def form(path: Path) -> list[tuple[str, str, str, int]]:
        with sqlite3.connect(path) as sql:
            tables = [name for (name,) in sql.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1")]
            return [(table, *column[1:4]) for table in tables for column in sql.execute(f"PRAGMA table_info({table})")]

    forms = []
    for number, dump in enumerate([None, *EARLIER]):
        path = tmp_path / f"{number}.db"
        if dump is not None:
            with sqlite3.connect(path) as old:
                old.executescript(dump.read_text(encoding="utf-8"))
            old.close()
        sql = open_connection(path)
        migrate(sql, path)
        sql.close()
        forms.append(form(path))
    assert all(one == forms[0] for one in forms)


async def test_quotes_of_before_are_found_anew_and_those_of_erased_words_erased(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    with sqlite3.connect(path) as old:
        old.executescript((Path(__file__).parent / "upgrades" / "003.sql").read_text(encoding="utf-8"))
    old.close()
    async with Database.opened(path) as database:
        kept = await database.read(lambda sql: sql.execute("SELECT body, html FROM comments WHERE id = 4").fetchone())
        assert kept[0] == "> What was quoted here is gone.\n\nPosted then"
        assert "words of five" not in kept[1]


async def test_sessions_of_before_are_kept_with_their_age(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    with sqlite3.connect(path) as old:
        old.executescript((Path(__file__).parent / "upgrades" / "008.sql").read_text(encoding="utf-8"))
    old.close()
    async with Database.opened(path) as database:
        found = await database.read(
            lambda sql: [sessions.by_token(sql, token) for token in (b"\xaa", b"\xbb", b"\xcc")]
        )
        assert [one and (one.account.name, one.created, one.seen) for one in found] == [
            ("Keeper", 1, 1),
            ("Keeper", 1795502875138, 1795502875138),
            None,
        ]


async def test_who_wrote_elsewhere_is_told_from_who_logs_in_here(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    with sqlite3.connect(path) as old:
        old.executescript((Path(__file__).parent / "upgrades" / "011.sql").read_text(encoding="utf-8"))
    old.close()
    async with Database.opened(path) as database:
        kinds = await database.read(lambda sql: dict(sql.execute("SELECT name, kind FROM accounts").fetchall()))
        assert kinds == {"Ana": "imported", "Bo": "imported", "Keeper": "local", "Dot": "local"}


async def test_addresses_of_before_that_lead_elsewhere_lead_nowhere(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    good = ["https://a.example/@ana?b=c@d", "http://a.example", "/t/a", "/a@b", "https://b.example:8443/"]
    bad = [
        "//evil.com",
        "/\\evil.com",
        "/\t/evil.com",
        "javascript:alert(1)",
        "https://a@evil.com/",
        "https://a:b@evil.com",
    ]
    with sqlite3.connect(path) as old:
        old.executescript((Path(__file__).parent / "upgrades" / "011.sql").read_text(encoding="utf-8"))
        for url in (*good, *bad):
            old.execute("INSERT INTO threads (key, url, created, active) VALUES (?, ?, 1, 1)", (f"key {url}", url))
    old.close()
    async with Database.opened(path) as database:
        kept = await database.read(
            lambda sql: [url for (url,) in sql.execute("SELECT url FROM threads WHERE url <> ''")]
        )
        assert sorted(kept) == sorted(good)


async def test_the_keyboard_comes_to_what_was_hidden_before(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    with sqlite3.connect(path) as old:
        old.executescript((Path(__file__).parent / "upgrades" / "005.sql").read_text(encoding="utf-8"))
        old.execute("UPDATE comments SET html = '<p><span class=\"spoiler\">Bo did it</span></p>' WHERE id = 4")
        old.execute(
            "INSERT INTO revisions (comment, revision, html, body, replaced)"
            " VALUES (4, 1, '<p><span class=\"spoiler\">Cy did</span></p>', '||Cy did||', 1)"
        )
    old.close()
    async with Database.opened(path) as database:
        page = await database.read(lambda sql: paging.page(sql, "old", "", 100))
        assert page.comments[3].html == '<p><span class="spoiler" tabindex="0">Bo did it</span></p>'
        earlier = await database.read(lambda sql: sql.execute("SELECT html FROM revisions").fetchall())
        assert earlier == [('<p><span class="spoiler" tabindex="0">Cy did</span></p>',)]


async def test_what_was_unfinished_is_owed_as_jobs(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    with sqlite3.connect(path) as old:
        old.executescript((Path(__file__).parent / "upgrades" / "013.sql").read_text(encoding="utf-8"))
        old.execute("INSERT INTO unfinished (what, subject, after) VALUES ('erasure', 2, 0)")
        old.execute("INSERT INTO unfinished (what, subject, after) VALUES ('comments', 3, 4), ('quotes', 5, 6)")
    old.close()
    async with Database.opened(path) as database:
        owed = await database.read(lambda sql: sql.execute("SELECT kind, subject, progress FROM jobs").fetchall())
        assert owed == [("erase account", 2, 0), ("stamp account", 3, 4), ("stamp quotes", 5, 6)]


async def test_sessions_that_a_site_had_begun_stay_and_moderators_by_it_moderate(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    with sqlite3.connect(path) as old:
        old.executescript((Path(__file__).parent / "upgrades" / "016.sql").read_text(encoding="utf-8"))
        old.execute("INSERT INTO sites (id, name, host, moderates) VALUES ('blog', 'Blog', 'blog.example', 1)")
        old.execute("INSERT INTO identities VALUES ('site:blog', '7', 1, 'Ana'), ('site:blog', '8', 2, 'Bo')")
        begun = "INSERT INTO sessions (token_hash, account, created, seen, site, appointed) VALUES (?, ?, 1, 1, ?, ?)"
        old.executemany(begun, [(b"ana", 1, "blog", 1), (b"bo", 2, "blog", 0), (b"dot", 4, "blog", 0)])
    old.close()
    async with Database.opened(path) as database:
        for token, role, is_signed in ((b"ana", "moderator", True), (b"bo", "reader", True), (b"dot", "reader", False)):
            found = await database.read(lambda sql, token=token: sessions.by_token(sql, token))  # type: ignore[misc]
            assert found is not None
            assert (found.account.role, found.account.is_signed) == (role, is_signed)
