"""Every order is by one time, given once: old comments take their place, and no jump of a clock moves any."""

from __future__ import annotations

import itertools
import json
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from server.actions.delete import delete_comment
from server.actions.moderate import set_state
from server.actions.post import Post, post_comment
from server.actions.sign_in import create_account
from server.errors import Invalid
from server.importing.formats import jsonl
from server.importing.loading import Batch, load_batch
from server.importing.record import Record
from server.model import Account
from server.rate_limits import Limits
from server.settings import read
from server.storage import search
from server.storage.accounts import accounts, visits
from server.storage.comments import comments
from server.storage.engine.database import Database
from server.storage.import_export import export
from server.storage.threads import paging, threads
from server.storage.threads.orders import Rankings
from server.visibility import moment
from tests.moderator import moderator

SETTINGS = read({"LIVETHREAD_SECRET": "a-secret-of-the-tests", "LIVETHREAD_LIMITS": "off"})
HOUR = 3_600_000
_nonces = itertools.count()


@pytest.fixture
async def ana(database: Database) -> Account:
    account = await create_account(database, "Ana", None, "reader")
    assert account is not None
    return account


def now() -> int:
    return time.time_ns() // 1_000_000


async def post(database: Database, author: Account, key: str = "t", parent: int | None = None, body: str = "x") -> int:
    wanted = Post(key, body, f"nonce-{next(_nonces):016d}", parent, "")
    comment, _ = await post_comment(database, Limits(is_on=False), SETTINGS, author, wanted)
    return comment.id


async def load(database: Database, *created: int, key: str = "t", parents: dict[int, int] | None = None) -> list[int]:
    """Import one comment for each of these times, and return their ids; `parents` by their places."""
    first = next(_nonces)
    records = [
        Record(
            line=number,
            id=f"{first}-{number}",
            parent=f"{first}-{parents[number]}" if parents and number in parents else None,
            author="Old Ed",
            created=at,
            body=f"old {number}",
        )
        for number, at in enumerate(created)
    ]
    report = await load_batch(database, Batch(thread=key, origin="old", records=records))
    assert report["imported"] == len(created)
    ids = await database.read(lambda sql: dict(sql.execute("SELECT source, id FROM comments").fetchall()))
    return [ids[f"old:{record.id}"] for record in records]


async def order(database: Database, sort: str, limit: int = 1000, key: str = "t") -> list[int]:
    """Return the ids that the pages of a thread show, one after the other."""
    ids: list[int] = []
    cursor, rankings = "", Rankings()
    while True:
        at = cursor
        page = await database.read(lambda sql: paging.page(sql, key, at, limit, sort, rankings))  # noqa: B023
        ids += [one.id for one in page.comments]
        cursor = page.next
        if not cursor:
            return ids


async def latest(database: Database, limit: int = 100, **where: Any) -> list[int]:
    """Return the ids of a list of the newest, page by page."""
    ids: list[int] = []
    while True:
        before = ids[-1] if ids else 0
        found = await database.read(lambda sql: search.latest(sql, before=before, limit=limit, **where))  # noqa: B023
        ids += [one.comment.id for one in found]
        if len(found) < limit:
            return ids


@pytest.mark.parametrize("limit", [1, 2, 100])
async def test_old_comments_take_their_place_by_time_in_a_thread_that_lives(
    database: Database, ana: Account, limit: int
) -> None:
    first = await post(database, ana)
    answer = await post(database, ana, parent=first)
    # The second answers the first, and the last says that it is older than what it answers.
    oldest, old, deep, odd = await load(database, 5_000, 7_000, 9_000, 1_000, parents={2: 0, 3: 1})
    last = await post(database, ana)
    equal = await load(database, 7_000)
    assert await order(database, "oldest", limit) == [oldest, deep, old, odd, *equal, first, answer, last]
    assert await order(database, "newest", limit) == [last, first, answer, *equal, old, odd, oldest, deep]
    assert await order(database, "flat", limit) == [odd, oldest, old, *equal, deep, first, answer, last]
    assert await order(database, "top", limit) == [oldest, deep, old, odd, *equal, first, answer, last]
    by_time = [last, answer, first, deep, *equal, old, oldest, odd]
    assert await latest(database, limit) == await latest(database, limit, thread="t") == by_time
    ed = await database.read(lambda sql: sql.execute("SELECT author FROM comments WHERE id = ?", (old,)).fetchone()[0])
    assert await latest(database, limit, author=ed) == [deep, *equal, old, oldest, odd]
    assert await latest(database, limit, thread="t", parent=first) == [answer]


async def test_a_list_that_is_continued_after_what_is_no_comment_is_refused(database: Database, ana: Account) -> None:
    await post(database, ana)
    with pytest.raises(Invalid) as refused:
        await database.read(lambda sql: search.latest(sql, before=999, limit=1))
    assert refused.value.field == "before"


@pytest.mark.parametrize("jump", [-24 * HOUR, -HOUR, HOUR, 24 * HOUR])
async def test_a_jump_of_the_clock_changes_no_order(
    database: Database, ana: Account, jump: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = time.time_ns
    posted = [await post(database, ana), await post(database, ana, "other")]
    for shift in (jump, 0, -jump):
        monkeypatch.setattr(time, "time_ns", lambda shift=shift: real() + shift * 1_000_000)
        posted += [await post(database, ana), await post(database, ana, "other"), await post(database, ana)]
    here = [one for place, one in enumerate(posted) if place not in (1, 3, 6, 9)]
    assert await order(database, "oldest") == await order(database, "flat") == here
    assert await order(database, "newest") == here[::-1]
    assert await latest(database) == posted[::-1]
    # And what is told of a comment is the time that its writer's clock showed.
    shown = await database.read(lambda sql: comments.seen_by(sql, None, posted[-1])[1])
    assert shown.created == moment((await times(database, posted[-1]))[0])
    assert (shown.placed == moment((await times(database, posted[-1]))[1])) or jump < 0


async def times(database: Database, id_: int) -> tuple[int, int]:
    return await database.read(
        lambda sql: sql.execute("SELECT created, placed FROM comments WHERE id = ?", (id_,)).fetchone()
    )


async def test_what_is_posted_comes_after_what_was_imported_with_a_time_to_come(
    database: Database, ana: Account
) -> None:
    (ahead,) = await load(database, now() + 24 * HOUR)
    posted = await post(database, ana)
    elsewhere = await post(database, ana, "elsewhere")
    assert await order(database, "oldest") == [ahead, posted]
    # One file with wrong times moves no other thread.
    created, placed = await times(database, elsewhere)
    assert created == placed


async def test_a_thread_was_active_when_its_last_visible_comment_was_written(database: Database, ana: Account) -> None:
    async def active() -> int:
        ((_, at),) = await database.read(lambda sql: threads.last_active(sql, 10))
        return at

    old, _ = await load(database, 9_000, 5_000)
    assert await active() == 9_000
    mod = await moderator(database)
    await set_state(database, mod, old, "removed")
    assert await active() == 5_000
    await set_state(database, mod, old, "visible")
    assert await active() == 9_000
    posted = await post(database, ana)
    assert await active() == (await times(database, posted))[1]
    await load(database, 11_000, now() + HOUR)
    assert abs(now() - await active()) < 60_000
    await delete_comment(database, ana, posted)
    assert await active() <= now()


async def test_the_home_page_lists_an_imported_discussion_where_its_time_puts_it(
    database: Database, ana: Account
) -> None:
    await post(database, ana, "living")
    await load(database, 5_000, key="old")
    await load(database, 9_000, key="later")
    found = await database.read(lambda sql: [thread.key for thread, _ in threads.last_active(sql, 10)])
    assert found == ["living", "later", "old"]


async def test_what_is_new_since_a_visit_is_what_arrived_however_old_it_is(database: Database, ana: Account) -> None:
    (there,) = await load(database, 9_000)
    held = (await load_pending(database, 1_000))[0]
    head = (await database.read(lambda sql: threads.by_key(sql, "t"))).version
    await database.write(lambda write: visits.remember(write, ana.id, "t", 0, head, now() - HOUR))
    old = await load(database, 2_000, 3_000)
    mod = await moderator(database)
    await set_state(database, mod, held, "visible")
    await set_state(database, mod, there, "removed")
    await set_state(database, mod, old[1], "removed")
    since = await database.read(lambda sql: visits.since(sql, ana.id, threads.by_key(sql, "t"), now()))
    assert since is not None
    assert since.fresh == {old[0], held}
    assert since.removed == 1


async def load_pending(database: Database, created: int) -> list[int]:
    record = Record(line=1, id="held", author="Old Ed", created=created, body="held", state="pending")
    await load_batch(database, Batch(thread="t", origin="old", records=[record]))
    return await database.read(lambda sql: [one for (one,) in sql.execute("SELECT max(id) FROM comments")])


async def test_an_export_is_by_time_with_parents_first_and_comes_back_in_the_same_order(
    database: Database, ana: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = time.time_ns
    await post(database, ana, body="first")
    monkeypatch.setattr(time, "time_ns", lambda: real() - HOUR * 1_000_000)
    await post(database, ana, body="second, by a clock that was set back")
    await load(database, 9_000, 1_000, 5_000, parents={1: 0})
    lines = list(jsonl.write(export.comments(database.path, "t")))
    texts = [json.loads(line)["body_md"] for line in lines]
    assert texts == ["old 2", "old 0", "old 1", "first", "second, by a clock that was set back"]
    mine = await database.read(lambda sql: accounts.everything(sql, ana.id))
    assert [one["body"] for one in mine["comments"]] == texts[3:]
    (tmp_path / "t.jsonl").write_bytes(b"".join(lines))
    again = Batch(
        thread="again",
        origin="jsonl",
        records=[one for one in jsonl.read(tmp_path / "t.jsonl") if isinstance(one, Record)],
        is_ours=True,
    )
    await load_batch(database, again)
    assert list(jsonl.write(export.comments(database.path, "again"))) == lines


async def test_a_page_costs_what_it_shows_also_where_thousands_bear_one_time(database: Database) -> None:
    ids = await load(database, *([5_000] * 1_000))

    def cost(sql: sqlite3.Connection, sort: str, cursor: str) -> int:
        """Return how many hundred steps SQLite takes for a page."""
        steps = itertools.count()
        sql.set_progress_handler(lambda: next(steps) < 0, 100)
        page = paging.page(sql, "t", cursor, 20, sort)
        sql.set_progress_handler(None, 0)
        assert len(page.comments) == 20
        return next(steps)

    for sort in ("oldest", "newest", "flat"):
        first = await database.read(lambda sql: cost(sql, sort, ""))  # noqa: B023
        middle = await database.read(lambda sql: cost(sql, sort, str(ids[500])))  # noqa: B023
        assert middle <= 2 * first + 10


async def test_comments_of_before_are_ordered_by_time_and_those_posted_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    with sqlite3.connect(path) as old:
        old.executescript((Path(__file__).parent / "upgrades" / "007.sql").read_text(encoding="utf-8"))
        old.execute("UPDATE comments SET created = 10000 + id, version = id, state = 'visible', shown = 1")
        # Elsewhere, with a clock that went ahead.
        old.execute("INSERT INTO threads (id, key, created, active) VALUES (9, 'elsewhere', 1, 1)")
        old.execute(
            "INSERT INTO comments (thread, depth, state, shown, body, html, created, version)"
            " VALUES (9, 0, 'visible', 1, 'x', 'x', 10500, 6)"
        )
        columns = "thread, parent, depth, author, state, shown, body, html, created, version, source"
        some = [(1, None, 0, None, "visible", 1, "x", "x", at, 7, source) for at, source in
                ((5_000, "jsonl:1"), (9_999, None), (12_000, None), (11_000, None), (7_000, "jsonl:2"))]  # fmt: skip
        old.executemany(f"INSERT INTO comments ({columns}) VALUES (?,?,?,?,?,?,?,?,?,?,?)", some)
        ids = [one for (one,) in old.execute("SELECT id FROM comments WHERE thread = 1 AND version = 7 ORDER BY id")]
        old.execute("UPDATE comments SET version = 3 WHERE id = ?", (ids[1],))
    old.close()
    async with Database.opened(path) as database:
        roots = await order(database, "oldest", key="old")
        first, back, last, late, second = ids
        # Set back, the clock of then has moved nothing.
        assert [one for one in roots if one in (*ids, 1)] == [first, second, 1, back, last, late]
        assert (await times(database, back))[1] == 10_500
        assert (await times(database, late))[1] == 12_000
        arrived = await database.read(
            lambda sql: dict(sql.execute("SELECT id, arrived FROM comments WHERE thread = 1").fetchall())
        )
        assert [arrived[one] for one in (1, 2, back, last)] == [1, 2, 3, 7]
        ((_, active), *_) = [
            one for one in await database.read(lambda sql: threads.last_active(sql, 10)) if one[0].key == "old"
        ]
        assert active == 12_000
