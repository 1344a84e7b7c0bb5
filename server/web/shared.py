"""What many ask at once is made once: answers about a thread, kept until the thread changes. Knows no answer's form."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeVar

Answer = TypeVar("Answer")
MAX_ANSWERS = 256
# Whoever asks for a hundred places of a long thread must not make us keep a hundred long pages.
MAX_BYTES = 16 * 1024 * 1024


class Shared:
    """By (thread, question); those unused longest are dropped first, where there are too many or too much is in them.

    An answer that is being made while its thread changes goes to those who asked before, and to nobody after.
    """

    def __init__(self, tasks: asyncio.TaskGroup) -> None:
        self._tasks = tasks
        self._answers: OrderedDict[tuple[str, Hashable], asyncio.Future[Any]] = OrderedDict()
        self._questions: dict[str, set[Hashable]] = {}
        self._sizes: dict[tuple[str, Hashable], int] = {}
        self.held_bytes = 0
        self.made = 0

    async def get(
        self, thread: str, question: Hashable, make: Callable[[], Awaitable[Answer]], bytes_of: Callable[[Answer], int]
    ) -> Answer:
        """Return what `make` returned for this question, or raise what it raised; a failure is not kept.

        `bytes_of` says about how much memory an answer holds.
        """
        known = self._answers.get((thread, question))
        if known is None:
            known = asyncio.get_running_loop().create_future()
            self._answers[thread, question] = known
            self._questions.setdefault(thread, set()).add(question)
            # Not in the course of the request that asked first: it may be cancelled, and others wait.
            self._tasks.create_task(self._make(known, thread, question, make, bytes_of))
        else:
            self._answers.move_to_end((thread, question))
        answer: Answer = await asyncio.shield(known)
        return answer

    def knows(self, thread: str, question: Hashable) -> bool:
        """Say whether the answer is there, or being made."""
        return (thread, question) in self._answers

    def forget(self, thread: str) -> None:
        """The thread has changed."""
        for question in tuple(self._questions.get(thread, ())):
            self._drop(thread, question)

    async def _make(
        self,
        future: asyncio.Future[Any],
        thread: str,
        question: Hashable,
        make: Callable[[], Awaitable[Any]],
        bytes_of: Callable[[Any], int],
    ) -> None:
        self.made += 1
        try:
            answer = await make()
            future.set_result(answer)
            if self._answers.get((thread, question)) is future:
                self._sizes[thread, question] = bytes_of(answer)
                self.held_bytes += self._sizes[thread, question]
        except Exception as error:  # noqa: BLE001 — whoever asked is told
            future.set_exception(error)
            # Marked as seen: all who asked may be gone.
            future.exception()
            if self._answers.get((thread, question)) is future:
                self._drop(thread, question)
        while len(self._answers) > MAX_ANSWERS or self.held_bytes > MAX_BYTES:
            self._drop(*next(iter(self._answers)))

    def _drop(self, thread: str, question: Hashable) -> None:
        self._answers.pop((thread, question), None)
        self.held_bytes -= self._sizes.pop((thread, question), 0)
        questions = self._questions.get(thread, set())
        questions.discard(question)
        if not questions:
            self._questions.pop(thread, None)
