"""What many ask at once is made once: answers about a thread, kept until the thread changes. Knows no answer's form."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeVar

Answer = TypeVar("Answer")
MAX_ANSWERS = 256


class Shared:
    """By (thread, question); those unused longest are dropped first.

    An answer that is being made while its thread changes goes to those who asked before, and to nobody after.
    """

    def __init__(self, tasks: asyncio.TaskGroup) -> None:
        self._tasks = tasks
        self._answers: OrderedDict[tuple[str, Hashable], asyncio.Future[Any]] = OrderedDict()
        self._questions: dict[str, set[Hashable]] = {}
        self.made = 0

    async def get(self, thread: str, question: Hashable, make: Callable[[], Awaitable[Answer]]) -> Answer:
        """Return what `make` returned for this question, or raise what it raised; a failure is not kept."""
        known = self._answers.get((thread, question))
        if known is None:
            known = asyncio.get_running_loop().create_future()
            self._answers[thread, question] = known
            self._questions.setdefault(thread, set()).add(question)
            # Not in the course of the request that asked first: it may be cancelled, and others wait.
            self._tasks.create_task(self._make(known, thread, question, make))
        else:
            self._answers.move_to_end((thread, question))
        answer: Answer = await asyncio.shield(known)
        return answer

    def forget(self, thread: str) -> None:
        """The thread has changed."""
        for question in self._questions.pop(thread, ()):
            self._answers.pop((thread, question), None)

    async def _make(
        self, future: asyncio.Future[Any], thread: str, question: Hashable, make: Callable[[], Awaitable[Any]]
    ) -> None:
        self.made += 1
        try:
            future.set_result(await make())
        except Exception as error:  # noqa: BLE001 — whoever asked is told
            future.set_exception(error)
            # Marked as seen: all who asked may be gone.
            future.exception()
            if self._answers.get((thread, question)) is future:
                self._drop(thread, question)
        while len(self._answers) > MAX_ANSWERS:
            self._drop(*next(iter(self._answers)))

    def _drop(self, thread: str, question: Hashable) -> None:
        self._answers.pop((thread, question), None)
        questions = self._questions.get(thread, set())
        questions.discard(question)
        if not questions:
            self._questions.pop(thread, None)
