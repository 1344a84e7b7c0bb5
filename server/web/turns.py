"""Whose page is made next: of each visitor one at a time, so that who asks for hundreds delays nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeVar

from server.errors import TooMany

Made = TypeVar("Made")
# Of all visitors together: a place to read the database stays free for sessions and diffs.
AT_ONCE = 2
MAX_REST_SECONDS = 1.0
RETRY_SECONDS = 2

_Work = tuple["asyncio.Future[Any]", Callable[[], Awaitable[Any]]]


class Turns:
    """A queue for each visitor. After each turn a visitor rests for as long as it took, and never fills a core.

    `most`: how many may wait for one visitor; None: nobody waits for a turn.
    """

    def __init__(self, tasks: asyncio.TaskGroup, most: int | None) -> None:
        self._tasks = tasks
        self._most = most
        self._at_once = asyncio.Semaphore(AT_ONCE)
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
            self._tasks.create_task(self._serve(who, queue))
        if what not in queue:
            if len(queue) >= self._most:
                raise TooMany(
                    f"Too many pages are being made for you. Try again in {RETRY_SECONDS} s.",
                    retry_after=RETRY_SECONDS,
                )
            queue[what] = (asyncio.get_running_loop().create_future(), work)
        made: Made = await asyncio.shield(queue[what][0])
        return made

    async def _serve(self, who: str, queue: dict[Hashable, _Work]) -> None:
        clock = asyncio.get_running_loop().time
        while queue:
            what, (future, work) = next(iter(queue.items()))
            async with self._at_once:
                began = clock()
                try:
                    future.set_result(await work())
                except Exception as error:  # noqa: BLE001 — whoever asked is told
                    future.set_exception(error)
                    # Marked as seen: all who asked may be gone.
                    future.exception()
            del queue[what]
            await asyncio.sleep(min(clock() - began, MAX_REST_SECONDS))
        del self._queues[who]
