"""The rules of the writer and of the versions, against a real database."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from channels.messages import Change, Reset
from server.actions import operator_accounts, sign_in
from server.actions.delete import delete_comment
from server.actions.describe_thread import set_description
from server.actions.post import Post, post_comment
from server.errors import CannotStart, Conflict, Forbidden, Invalid, Unavailable
from server.model import MAX_DEPTH, Account
from server.rate_limits import Limits
from server.settings import read
from server.storage.comments import comments
from server.storage.engine.database import Database
from server.storage.engine.owner import Owner
from server.storage.engine.schema import MIGRATIONS
from server.storage.engine.write import Write
from server.storage.jobs import batches
from server.storage.threads import changes, paging, threads
from tests.upkept import finish

SETTINGS = read({"LIVETHREAD_SECRET": "a-secret-of-the-tests", "LIVETHREAD_LIMITS": "off"})
Poster = Callable[..., Any]


@pytest.fixture
async def ana(database: Database) -> Account:
    account = await sign_in.create_account(database, "Ana", None, "reader")
    assert account is not None
    return account


@pytest.fixture
def told(database: Database) -> list[Change]:
    committed: list[Change] = []
    database.on_commit = committed.append
    return committed


_nonces = iter(range(10**9))


async def post(database: Database, author: Account, parent: int | None = None, key: str = "t", **more: Any) -> Any:
    nonce = more.get("nonce") or f"nonce-{next(_nonces):016d}"
    wanted = Post(key, more.get("body", "a comment"), nonce, parent, "")
    comment, _ = await post_comment(database, Limits(is_on=False), SETTINGS, author, wanted)
    return comment


async def head(database: Database, key: str = "t") -> int:
    return (await database.read(lambda sql: threads.by_key(sql, key))).version


async def diff(database: Database, after: int, key: str = "t", epoch: str | None = None) -> Change | Reset:
    return await database.read(lambda sql: changes.diff(sql, key, after, epoch))


async def drawn(database: Database, limit: int = 200, key: str = "t") -> list[int]:
    ids: list[int] = []
    cursor = ""
    while True:
        page = await database.read(partial(paging.page, key=key, cursor=cursor, limit=limit))
        ids += [comment.id for comment in page.comments]
        if not page.next:
            return ids
        cursor = page.next


# The writer


async def test_each_write_of_a_group_takes_its_own_version_after_the_head_before_it(
    database: Database, ana: Account, told: list[Change]
) -> None:
    await asyncio.gather(*(post(database, ana) for _ in range(30)))
    assert [(change.after, change.version) for change in told] == [(n, n + 1) for n in range(30)]
    assert [len(change.comments) for change in told] == [1] * 30


async def test_a_change_is_told_only_after_it_can_be_read(database: Database, ana: Account) -> None:
    seen: list[tuple[int, int]] = []

    def look(change: Change) -> None:
        # Another connection than the writer's sees only what is committed.
        other = sqlite3.connect(database.path)
        (version,) = other.execute("SELECT version FROM threads WHERE key = 't'").fetchone()
        other.close()
        seen.append((change.version, version))

    database.on_commit = look
    await asyncio.gather(*(post(database, ana) for _ in range(5)))
    assert all(committed >= version for version, committed in seen)
    assert len(seen) == 5


async def test_a_write_that_fails_changes_nothing_and_the_rest_of_its_group_commits(
    database: Database, ana: Account, told: list[Change]
) -> None:
    def breaks(write: Write) -> None:
        threads.ensure(write, "broken")
        raise Invalid("error.empty_comment", field="body")

    outcomes = await asyncio.gather(
        post(database, ana), database.write(breaks), post(database, ana), return_exceptions=True
    )
    assert isinstance(outcomes[1], Invalid)
    assert len(told) == 2
    assert (await database.read(lambda sql: threads.by_key(sql, "broken"))).id is None


async def test_posts_of_one_group_are_written_together(database: Database, ana: Account) -> None:
    def calls() -> int:
        lines = Path("/proc/self/io").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("syscw"))

    await post(database, ana)
    before = calls()
    await asyncio.gather(*(post(database, ana, body=f"Number {number}") for number in range(60)))
    # What each savepoint would take back went to a file: thirty calls a post, more time than all else of it.
    assert calls() - before < 5 * 60


async def test_a_full_disk_inside_a_group_fails_it_whole_and_the_next_write_works(
    database: Database, ana: Account, told: list[Change]
) -> None:
    await post(database, ana)
    before = await head(database)
    pages = next(iter(await database._writer.execute_fetchall("PRAGMA page_count")))[0]
    await database._writer.execute_fetchall(f"PRAGMA max_page_count = {pages + 1}")
    outcomes = await asyncio.gather(*(post(database, ana, body="x" * 9000) for _ in range(20)), return_exceptions=True)
    refused = [one for one in outcomes if isinstance(one, Unavailable)]
    assert refused
    acknowledged = 20 - len(refused)
    assert len(await drawn(database)) == 1 + acknowledged == len(told)
    await database._writer.execute_fetchall("PRAGMA max_page_count = 1000000")
    await post(database, ana)
    assert await head(database) > before
    check = await database.read(lambda sql: sql.execute("PRAGMA integrity_check").fetchall())
    assert check == [("ok",)]


async def test_a_cancelled_request_does_not_stop_its_write(
    database: Database, ana: Account, told: list[Change]
) -> None:
    posting = asyncio.create_task(
        database.write(lambda write: comments.insert(write, comments.NewComment(
            thread=threads.ensure(write, "t"), parent=None, depth=0, author=ana.id, body="x", html="x", created=1,
        )))
    )  # fmt: skip
    await asyncio.sleep(0)
    posting.cancel()
    await post(database, ana)
    assert len(told) == 2


async def test_the_database_is_opened_as_promised(database: Database) -> None:
    def pragmas(sql: sqlite3.Connection) -> list[Any]:
        return [sql.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous", "query_only")]

    assert await database.read(pragmas) == ["wal", 2, 1]
    assert next(iter(await database._writer.execute_fetchall("PRAGMA synchronous")))[0] == 2


async def test_a_second_owner_is_refused_with_what_to_start_instead(database: Database) -> None:
    with pytest.raises(CannotStart, match=r"run\.py gateway"):
        Owner(database.path)


async def test_a_database_that_is_newer_than_the_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "newer.db"
    newer = sqlite3.connect(path)
    newer.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    newer.close()
    with pytest.raises(CannotStart, match="newer livethread"):
        async with Database.opened(path):
            pass


async def test_a_read_that_takes_too_long_is_interrupted(database: Database) -> None:
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"
    with pytest.raises(Unavailable):
        await database.read(lambda sql: sql.execute(endless).fetchone())
    assert await head(database) == 0


async def test_acknowledged_comments_are_there_after_the_database_was_closed(tmp_path: Path) -> None:
    async with Database.opened(tmp_path / "again.db") as database:
        account = await sign_in.create_account(database, "Ana", None, "reader")
        assert account is not None
        epoch = await database.read(threads.epoch)
        await post(database, account)
    async with Database.opened(tmp_path / "again.db") as database:
        assert len(await drawn(database)) == 1
        assert await database.read(threads.epoch) == epoch


# Versions


async def test_a_reply_stamps_its_parent_and_the_tombstones_that_it_makes_drawable(
    database: Database, ana: Account
) -> None:
    root = await post(database, ana)
    middle = await post(database, ana, root.id)
    leaf = await post(database, ana, middle.id)
    await delete_comment(database, ana, middle.id)
    await delete_comment(database, ana, root.id)
    before = await head(database)
    below = await post(database, ana, leaf.id)
    changed = await diff(database, before)
    assert isinstance(changed, Change)
    assert {comment.id for comment in changed.comments} == {root.id, middle.id, leaf.id, below.id}
    assert {one.id: one.replies for one in changed.comments}[leaf.id] == 1


async def test_a_tombstone_is_drawn_only_while_something_visible_hangs_below_it(
    database: Database, ana: Account
) -> None:
    root = await post(database, ana)
    child = await post(database, ana, root.id)
    deleted = await delete_comment(database, ana, root.id)
    assert (deleted.state, deleted.html, deleted.author) == ("deleted", "", None)
    assert await drawn(database) == [root.id, child.id]
    await delete_comment(database, ana, child.id)
    assert await drawn(database) == []
    kept = await database.read(lambda sql: sql.execute("SELECT body, html FROM comments").fetchall())
    assert kept == [("", "")] * 2


async def test_a_diff_holds_every_changed_comment_once_in_its_present_state(database: Database, ana: Account) -> None:
    first = await post(database, ana)
    await delete_comment(database, ana, first.id)
    changed = await diff(database, 0)
    assert isinstance(changed, Change)
    assert [(one.id, one.state) for one in changed.comments] == [(first.id, "deleted")]
    assert (changed.after, changed.version) == (0, await head(database))


async def test_what_has_no_diff_is_reset(database: Database, ana: Account) -> None:
    await post(database, ana)
    assert isinstance(await diff(database, 0, epoch="another"), Reset)
    assert isinstance(await diff(database, 99), Reset)
    assert isinstance(await diff(database, 1, key="never used"), Reset)
    assert isinstance(await diff(database, 0, key="never used"), Change)
    await asyncio.gather(*(post(database, ana) for _ in range(500)))
    assert isinstance(await diff(database, 0), Reset)
    assert isinstance(await diff(database, 1), Change)


async def test_an_undrawable_row_never_enters_an_answer(database: Database, ana: Account) -> None:
    first = await post(database, ana)
    await database.write(lambda write: write.sql.execute("UPDATE comments SET shown = 0").close())
    changed = await diff(database, 0)
    assert isinstance(changed, Change)
    assert changed.comments == ()
    assert await drawn(database) == []
    with pytest.raises(Invalid):
        await database.read(lambda sql: paging.page(sql, "t", str(first.id), 10))


async def test_a_changed_badge_stamps_every_comment_in_writes_of_at_most_100(
    database: Database, ana: Account, told: list[Change]
) -> None:
    await asyncio.gather(*(post(database, ana) for _ in range(250)))
    told.clear()
    await operator_accounts.set_role(database, "Ana", "staff")
    await finish(database)
    assert [len(change.comments) for change in told] == [100, 100, 50]
    assert batches.ROWS_IN_ONE_WRITE == 100
    assert {one.author and one.author.badge for change in told for one in change.comments} == {"staff"}
    told.clear()
    await set_description(database, "t", author="Ana")
    await finish(database)
    assert {one.author and one.author.badge for change in told[1:] for one in change.comments} == {"author"}


async def test_a_read_without_an_end_is_interrupted_and_the_next_is_answered(
    database: Database, ana: Account, caplog: pytest.LogCaptureFixture
) -> None:
    endless = "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n"
    first = await post(database, ana)
    # The bound is for broken code: half a second is what it should take.
    async with asyncio.timeout(20):
        with pytest.raises(Unavailable):
            await database.read(lambda sql: sql.execute(endless).fetchall())
    assert "interrupted" in caplog.text
    assert await drawn(database) == [first.id]


# Posting


async def test_the_same_request_again_is_the_same_comment_and_another_is_a_conflict(
    database: Database, ana: Account
) -> None:
    first = await post(database, ana, body="once", nonce="n" * 20)
    again = await asyncio.gather(*(post(database, ana, body="once", nonce="n" * 20) for _ in range(5)))
    assert {one.id for one in again} == {first.id}
    for other in ({"body": "twice"}, {"body": "once", "key": "another"}, {"body": "once", "parent": first.id}):
        with pytest.raises(Conflict):
            await post(database, ana, nonce="n" * 20, **other)
    await delete_comment(database, ana, first.id)
    assert (await post(database, ana, body="once", nonce="n" * 20)).state == "deleted"


async def test_a_nonce_is_looked_up_before_the_lock_of_the_thread(database: Database, ana: Account) -> None:
    first = await post(database, ana, body="once", nonce="n" * 20)
    await set_description(database, "t", locked=True)
    assert (await post(database, ana, body="once", nonce="n" * 20)).id == first.id
    with pytest.raises(Forbidden):
        await post(database, ana)


async def test_a_branch_ends_at_its_deepest(database: Database, ana: Account) -> None:
    parent = None
    for _ in range(MAX_DEPTH):
        parent = (await post(database, ana, parent)).id
    with pytest.raises(Invalid, match="32 deep"):
        await post(database, ana, parent)
    assert len(await drawn(database, limit=5)) == MAX_DEPTH


@pytest.mark.parametrize("limit", [1, 2, 7, 50])
async def test_a_walk_visits_every_comment_once_while_more_arrive(database: Database, ana: Account, limit: int) -> None:
    ids: list[int] = []
    for number in range(60):
        parent = ids[number * 7 % len(ids)] if ids and number % 3 else None
        ids.append((await post(database, ana, parent)).id)
    for gone in ids[::9]:
        await delete_comment(database, ana, gone)
    expected = set(await drawn(database))
    visited: list[int] = []
    cursor = ""
    while True:
        page = await database.read(partial(paging.page, key="t", cursor=cursor, limit=limit))
        assert page.comments[-1].state == "visible"
        visited += [comment.id for comment in page.comments]
        await post(database, ana, ids[5] if len(visited) % 2 else None)
        if not page.next or set(visited) >= expected:
            break
        cursor = page.next
    assert len(visited) == len(set(visited))
    assert set(visited) >= expected
