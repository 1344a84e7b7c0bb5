"""One thread goes under another: whatever leads to a comment or tells of one still does, also after a crash between."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from channels.tasks import Health
from server.actions import sites as actions
from server.actions.delete import delete_comment
from server.actions.post import Post, post_comment
from server.actions.sign_in import create_account
from server.background_jobs import Upkeep
from server.errors import Conflict, DomainError, NotFound
from server.importing.loading import Batch, load_batch
from server.importing.record import Record
from server.model import Account
from server.sites import Site
from server.storage import search
from server.storage import sites as stored
from server.storage.accounts import notifications, visits
from server.storage.comments import comments
from server.storage.engine.database import Database
from server.storage.threads import merging, paging, threads
from tests.static.histories import LIMITS, SETTINGS

BLOG = "https://blog.example"
_numbers = itertools.count(1)


async def person(database: Database, name: str) -> Account:
    made = await create_account(database, name, None, "reader")
    assert made is not None
    return made


async def say(
    database: Database, by: Account, thread: str, body: str, parent: int | None = None, nonce: str = ""
) -> int:
    wanted = Post(thread, body, nonce or f"nonce-{next(_numbers):016d}", parent, "")
    comment, _ = await post_comment(database, LIMITS, SETTINGS, by, wanted)
    return comment.id


async def ids(database: Database, key: str) -> list[int]:
    return [one.id for one in (await database.read(lambda sql: paging.page(sql, key, "", 200))).comments]


@pytest.fixture(autouse=True)
async def blog(database: Database) -> Site:
    return await actions.add_site(database, Site("blog.example", origins=(BLOG,)))


async def test_what_leads_to_a_thread_leads_to_the_one_that_it_went_into(database: Database, blog: Site) -> None:
    ana, bo = await person(database, "Ana"), await person(database, "Bo")
    old, new = (blog.key_of(f"{BLOG}/{page}") for page in ("old", "new"))
    first = await say(database, ana, old, "First", nonce="the-nonce-of-this-one")
    await database.write(lambda write: threads.introduce(write, threads.ensure(write, old), f"{BLOG}/old", "The old"))
    await actions.move_thread(database, f"{BLOG}/old", f"{BLOG}/older")
    second = await say(database, bo, new, "Second")
    await database.write(search.index_some)
    answer = await say(database, bo, old, f"> First\n>\n> — [Ana](/t/{old}/c/{first})\n\nIndeed", first)
    third = await say(database, ana, new, "Third")
    for by, key, version in ((ana, old, 900), (ana, new, 1), (bo, old, 2)):
        await database.write(
            lambda write, by=by, key=key, version=version: visits.remember(write, by.id, key, 1, version)  # type: ignore[misc]
        )

    # By an address of it, and by the key of the other.
    assert await actions.merge_threads(database, f"{BLOG}/old", new) == (old, new)
    await Upkeep(database, Health()).finish()
    # In the order of their times, whichever thread they came from.
    assert await ids(database, new) == await ids(database, old) == [first, answer, second, third]
    for page in ("old", "older", "new", "old?utm=1"):
        assert await database.read(lambda sql, page=page: stored.key_of_page(sql, blog, f"{BLOG}/{page}")) == new  # type: ignore[misc]
    assert await database.read(lambda sql: stored.key_named(sql, blog, "old")) == new
    assert await database.read(lambda sql: stored.counts(sql, [old, new])) == {old: 4, new: 4}
    assert [row[1] for row in await database.read(lambda sql: stored.listed(sql, "", 9))] == [new]
    assert [one.key for one, _ in await database.read(lambda sql: threads.last_active(sql, 9))] == [new]
    merged = await database.read(lambda sql: threads.by_key(sql, new))
    assert (merged.title, merged.comments, merged.site) == ("The old", 4, "blog.example")
    # The first was indexed before, the others are since.
    for key in (old, new):
        found = await database.read(lambda sql, key=key: search.find(sql, "first", thread=key, limit=9))  # type: ignore[misc]
        assert [one.comment.id for one in found] == [answer, first]

    # What is new in either of the two stays new.
    seen = await database.read(lambda sql: [visits.last(sql, one.id, new) for one in (ana, bo)])
    assert [one and one.version for one in seen] == [1, 2]
    (notice,) = await database.read(lambda sql: notifications.after(sql, ana, 0, 9))
    assert (notice.thread, notice.comment.id) == (new, answer)

    # Sent again under either key it is the same comment; and an answer by the old key stands in the new thread.
    for key in (old, new):
        assert await say(database, ana, key, "First", nonce="the-nonce-of-this-one") == first
    late = await say(database, ana, old, f"> Second\n>\n> — [Bo](/t/{old}/c/{second})", answer)
    assert (await database.read(lambda sql: comments.by_id(sql, late))).thread_key == new  # type: ignore[union-attr]
    # Whoever is quoted, by whichever key, takes their words along.
    for author, one in ((ana, first), (bo, second)):
        await delete_comment(database, author, one)
    await Upkeep(database, Health()).finish()
    texts = {
        one.id: str(one.html) for one in (await database.read(lambda sql: paging.page(sql, new, "", 200))).comments
    }
    assert "First" not in texts[answer]
    assert "Second" not in texts[late]


async def test_a_crash_in_between_loses_nothing_and_the_next_start_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "crash.db"
    async with Database.opened(path) as database:
        records = [
            Record(
                line=1, id=str(one), parent=str(one - 1) if one % 5 else None, created=one * 1000, body=f"text {one}"
            )
            for one in range(1, 2 * merging.ROWS_IN_ONE_WRITE + 50)
        ]
        for start in range(0, len(records), 100):
            await load_batch(database, Batch(thread="old", origin="jsonl", records=records[start : start + 100]))
        await load_batch(database, Batch(thread="new", origin="jsonl", records=records[:3]))
        await actions.merge_threads(database, "old", "new")
        # Nobody does the rest: the process is gone. A merge with one of the two waits for it.
        await load_batch(database, Batch(thread="third", origin="jsonl", records=records[:1]))
        with pytest.raises(Conflict):
            await actions.merge_threads(database, "new", "third")
        with pytest.raises(Conflict):
            await load_batch(database, Batch(thread="old", origin="jsonl", records=records[-1:]))
    async with Database.opened(path) as database:
        (left,) = await database.read(
            lambda sql: sql.execute(
                "SELECT count(*) FROM comments c JOIN threads t ON t.id = thread AND merged"
            ).fetchone()
        )
        assert left > 0
        await Upkeep(database, Health()).finish()
        page = await database.read(lambda sql: threads.by_key(sql, "new"))
        assert page.comments == len(records) + 3
        # The file can be imported once more, under either name.
        for key in ("old", "new"):
            await load_batch(database, Batch(thread=key, origin="jsonl", records=records[:100]))
        assert (await database.read(lambda sql: threads.by_key(sql, "old"))).comments == page.comments
        # And now it can go on.
        await actions.merge_threads(database, "new", "third")
        await Upkeep(database, Health()).finish()
        third = await database.read(lambda sql: threads.by_key(sql, "old"))
        assert (third.key, third.comments) == ("third", page.comments + 1)
        assert await database.read(threads.merged) == {"old": "third", "new": "third"}


async def test_what_cannot_be_merged_is_refused(database: Database, blog: Site) -> None:
    ana = await person(database, "Ana")
    under, own = blog.key_of(f"{BLOG}/a"), "of-our-own"
    await say(database, ana, under, "A")
    await say(database, ana, own, "B")
    refused: list[tuple[str, str, type[DomainError]]] = [
        (under, own, Conflict),
        (own, own, Conflict),
        ("nobody", own, NotFound),
        (own, "nobody", NotFound),
    ]
    for old, new, error in refused:
        with pytest.raises(error):
            await actions.merge_threads(database, old, new)
    assert len(await ids(database, under)) == len(await ids(database, own)) == 1
