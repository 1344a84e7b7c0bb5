"""Whose page is made next: of each visitor one at a time, and first for those who have had the least made lately."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Any, TypeVar

from channels.tasks import Tasks
from server.errors import TooMany, Unavailable

Made = TypeVar("Made")
# Of all visitors together: a place to read the database stays free for sessions and diffs.
AT_ONCE = 2
MAX_REST_SECONDS = 1.0
RETRY_SECONDS = 2

# Who floods from many addresses must not make us keep a hundred thousand requests.
MOST_OF_ALL = 1_000
# What was made for a visitor counts half as much after so long.
HALF_LIFE_SECONDS = 30.0
MOST_REMEMBERED = 10_000


@dataclass(slots=True, eq=False)
class _Work:
    do: Callable[[], Awaitable[Any]]
    done: asyncio.Future[Any]
    waiting: int = 0
    is_begun: bool = False


class Turns:
    """A queue for each visitor. After each turn a visitor rests for as long as it took, and never fills a core. Of
    waiting visitors the one with the least time used goes first, so a flood does not delay a single visitor.

    `most`: how many may wait for one visitor; None: nobody waits for a turn. What nobody waits for any more, since all
    who asked have gone, is not begun.
    """

    def __init__(self, tasks: Tasks, most: int | None) -> None:
        self._tasks = tasks
        self._most = most
        self._places = _Places()
        self._queued = 0
        self._queues: dict[str, dict[Hashable, _Work]] = {}

    async def take(self, who: str, what: Hashable, work: Callable[[], Awaitable[Made]]) -> Made:
        """Return what `work` returned, or raise what it raised; for the same `what` of one visitor it is done once.

        Raises TooMany.
        """
        if self._most is None:
            return await work()
        queue = self._queues.get(who)
        if queue is None:
            queue = self._queues[who] = {}
            self._tasks.start("making pages in turns", self._serve(who, queue), failed=lambda _: self._give_up(who))
        if what not in queue:
            if len(queue) >= self._most:
                raise TooMany("error.many_requests", retry_after=RETRY_SECONDS, seconds=RETRY_SECONDS)
            if self._queued >= MOST_OF_ALL:
                raise Unavailable("error.busy", retry_after=RETRY_SECONDS, seconds=RETRY_SECONDS)
            queue[what] = _Work(work, asyncio.get_running_loop().create_future())
            self._queued += 1
        mine = queue[what]
        mine.waiting += 1
        try:
            made: Made = await asyncio.shield(mine.done)
            return made
        finally:
            mine.waiting -= 1
            if not mine.waiting and not mine.is_begun:
                self._drop(queue, what)

    async def _serve(self, who: str, queue: dict[Hashable, _Work]) -> None:
        clock = asyncio.get_running_loop().time
        while queue:
            async with self._places.taken_by(who):
                if not queue:
                    # The visitor has left meanwhile.
                    break
                what, work = next(iter(queue.items()))
                work.is_begun = True
                began = clock()
                try:
                    work.done.set_result(await work.do())
                except Exception as error:  # noqa: BLE001 — the caller gets the error
                    _fail(work.done, error)
                finally:
                    # The error knows this frame, and the future knows the error.
                    del work
            self._drop(queue, what)
            await asyncio.sleep(min(clock() - began, MAX_REST_SECONDS))
        del self._queues[who]

    def _drop(self, queue: dict[Hashable, _Work], what: Hashable) -> None:
        if queue.pop(what, None) is not None:
            self._queued -= 1

    def _give_up(self, who: str) -> None:
        """Where the serving has ended before its time, nobody waits for ever."""
        queue = self._queues.pop(who, {})
        for what in tuple(queue):
            _fail(queue[what].done, Unavailable("error.page_not_built", retry_after=1))
            self._drop(queue, what)


class _Places:
    """So many may be taken at once."""

    def __init__(self) -> None:
        self._free = AT_ONCE
        self._waiting: dict[str, asyncio.Future[None]] = {}
        # Seconds that were used, as they counted at a time.
        self._used: dict[str, tuple[float, float]] = {}

    @contextlib.asynccontextmanager
    async def taken_by(self, who: str) -> AsyncIterator[None]:
        clock = asyncio.get_running_loop().time
        if self._free:
            self._free -= 1
        else:
            mine = self._waiting[who] = asyncio.get_running_loop().create_future()
            try:
                await mine
            except asyncio.CancelledError:
                if mine.done() and not mine.cancelled():
                    self._pass_on()
                raise
            finally:
                self._waiting.pop(who, None)
        began = clock()
        try:
            yield
        finally:
            now = clock()
            used = self._used_by(who, now) + now - began
            self._used.pop(who, None)
            self._used[who] = used, now
            if len(self._used) > MOST_REMEMBERED:
                del self._used[next(iter(self._used))]
            self._pass_on()

    def _used_by(self, who: str, now: float) -> float:
        seconds, at = self._used.get(who, (0.0, now))
        return float(seconds * 0.5 ** ((now - at) / HALF_LIFE_SECONDS))

    def _pass_on(self) -> None:
        now = asyncio.get_running_loop().time()
        waiting = [who for who, future in self._waiting.items() if not future.done()]
        if waiting:
            self._waiting[min(waiting, key=lambda who: self._used_by(who, now))].set_result(None)
        else:
            self._free += 1


def _fail(future: asyncio.Future[Any], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
        # Marked as seen: all who asked may be gone.
        future.exception()
