"""What many ask at once is made once."""

from __future__ import annotations

import asyncio
import weakref

import httpx2
import pytest

from channels.cache import MAX_BYTES, Shared
from channels.tasks import Health, Tasks
from tests.processes import Server, eventually


def few(_: object) -> int:
    return 1


async def test_ten_thousand_who_ask_at_once_cost_one_answer() -> None:
    async with Tasks(Health()) as tasks:
        shared = Shared(tasks)

        async def make() -> int:
            await asyncio.sleep(0.01)
            return shared.made

        assert await asyncio.gather(*(shared.get("t", "q", make, few) for _ in range(10_000))) == [1] * 10_000
        assert await shared.get("t", "other", make, few) == 2


async def test_an_answer_that_was_begun_before_a_change_goes_to_nobody_who_asks_after_it() -> None:
    async with Tasks(Health()) as tasks:
        shared = Shared(tasks)
        present = "before"

        async def make() -> str:
            read = present
            await asyncio.sleep(0.01)
            return read

        early = asyncio.create_task(shared.get("t", "q", make, few))
        await asyncio.sleep(0.002)
        present = "after"
        shared.forget("t")
        assert await shared.get("t", "q", make, few) == "after"
        assert await early == "before"
        assert await shared.get("t", "q", make, few) == "after"


class Large:
    pass


async def test_an_answer_that_was_dropped_is_held_no_longer() -> None:
    async with Tasks(Health()) as tasks:
        shared = Shared(tasks)
        made = list[weakref.ref[Large]]()

        async def make() -> Large:
            large = Large()
            made.append(weakref.ref(large))
            return large

        for _ in range(5):
            await shared.get("changing", "q", make, few)
            shared.forget("changing")
        await shared.get("too large", "q", make, lambda _: MAX_BYTES)
        await shared.get("another", "q", make, few)
        await eventually(lambda: [one() is None for one in made] == [True] * 6 + [False])


async def test_a_failure_is_told_and_not_kept_and_who_leaves_takes_nothing_from_the_others() -> None:
    async with Tasks(Health()) as tasks:
        shared = Shared(tasks)

        async def fail() -> str:
            raise ValueError("no")

        async def succeed() -> str:
            await asyncio.sleep(0.01)
            return "yes"

        with pytest.raises(ValueError, match="no"):
            await shared.get("t", "q", fail, few)
        impatient = asyncio.create_task(shared.get("t", "q", succeed, few))
        await asyncio.sleep(0)
        patient = asyncio.create_task(shared.get("t", "q", succeed, few))
        await asyncio.sleep(0)
        impatient.cancel()
        assert await patient == "yes"
        for number in range(512):
            await shared.get(f"t{number}", "q", succeed, few) if number % 64 == 0 else None
        assert shared.made < 20


async def test_what_is_kept_is_bounded_in_bytes_and_counted_until_it_goes() -> None:
    async with Tasks(Health()) as tasks:
        shared = Shared(tasks)

        async def make() -> bytes:
            return bytes(MAX_BYTES // 10)

        for number in range(30):
            await shared.get(f"t{number % 3}", number, make, len)
            assert shared.held_bytes <= MAX_BYTES
        assert shared.held_bytes > MAX_BYTES * 0.8
        await shared.get("t2", 29, make, len)
        assert shared.made == 30
        for thread in ("t0", "t1", "t2"):
            shared.forget(thread)
        assert shared.held_bytes == 0
        await shared.get("t0", "too large", make, lambda _: MAX_BYTES + 1)
        assert shared.held_bytes == 0


async def test_what_all_ask_for_outlives_a_flood_of_what_is_asked_a_few_times() -> None:
    async with Tasks(Health()) as tasks:
        shared = Shared(tasks)

        async def make() -> bytes:
            return bytes(MAX_BYTES // 16)

        for _ in range(50):
            await shared.get("t", "first page", make, len)
        for number in range(400):
            for _ in range(number % 10):
                await shared.get("t", number // 2, make, len)
            if number % 50 == 49:
                # More was made since it was asked for than there is room for.
                assert shared.peek("t", "first page") is not None
        made = shared.made
        # It is kept for those who ask, not for ever.
        for number in range(3_000):
            shared.keep("t", ("other", number), b"", MAX_BYTES // 16)
        assert not shared.knows("t", "first page")
        assert shared.made == made
        for number in range(10_000):
            shared.keep("t", "again", b"", number)
            shared.forget("t")
        assert len(shared._places) < 3_000
        assert shared.held_bytes == 0


def test_a_page_that_has_not_changed_is_answered_by_304_until_it_changes(app: Server, key: str, name: str) -> None:
    with httpx2.Client(base_url=app.origin, trust_env=False) as reader, app.commenter(name) as writer:
        first = reader.get(f"/t/{key}")
        again = reader.get(f"/t/{key}", headers={"if-none-match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        writer.post(f"/api/threads/{key}/comments", json={"body": "New", "nonce": "n" * 20})
        changed = reader.get(f"/t/{key}", headers={"if-none-match": first.headers["etag"]})
        assert changed.status_code == 200
        assert "<p>New</p>" in changed.text
        own = writer.get(f"/t/{key}")
        assert own.headers["cache-control"] == "private, no-cache"
        assert "etag" not in own.headers
