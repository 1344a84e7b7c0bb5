"""A cache of shared answers about a thread, each built once and kept until the thread changes. Knows no format."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from channels.changes_source import SourceUnavailable
from channels.messages import Change
from channels.tasks import Tasks

Answer = TypeVar("Answer")
# One visitor who asks for a hundred places of a long thread must not make us cache a hundred long pages.
MAX_BYTES = 12 * 1024 * 1024
# What any answer costs beside its content.
ANSWER_BYTES = 1_000
_COUNTERS = 1024
# Asked more often than that an answer is worth no more: it goes when it is not asked for any longer.
MOST_HITS = 100
Key = tuple[str, Hashable]


@dataclass(slots=True, eq=False)
class _Kept:
    """An answer, or one that is being made: then its size is 0."""

    future: asyncio.Future[Any]
    size: int = 0
    hits: int = 1
    worth: float = 0.0
    number: int = 0


@dataclass(slots=True, order=True)
class _Place:
    """Where the answer of this number stands among those that may go; its worth may have risen since.

    It does not hold the answer, which may be long gone.
    """

    worth: float
    number: int
    key: Key = field(compare=False)


class Shared:
    """By (thread, question). Where too much is in them those go first that are large, asked seldom, and not lately
    (Greedy-Dual-Size-Frequency, Cherkasova 1998): whoever asks for each page once pushes out none that all ask for.

    An answer that is being made while its thread changes goes to those who asked before, and to nobody after.
    `failure` makes the error for an answer that was given up.
    """

    def __init__(self, tasks: Tasks, failure: Callable[[], Exception] = lambda: SourceUnavailable("given up")) -> None:
        self._tasks = tasks
        self._failure = failure
        self._answers: dict[Key, _Kept] = {}
        self._questions: dict[str, set[Hashable]] = {}
        self._places: list[_Place] = []
        self._numbers = itertools.count()
        # The worth of what went last: whatever is kept or asked for now is worth more.
        self._age = 0.0
        self._moved = [0] * _COUNTERS
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
            known = self._begin(thread, question, make, bytes_of)
        else:
            self._hit(known)
        try:
            answer: Answer = known.future.result() if known.future.done() else await asyncio.shield(known.future)
        finally:
            # An error knows this frame, and the future knows the error.
            del known
        return answer

    def peek(self, thread: str, question: Hashable) -> Any | None:
        """Return the answer if it is there."""
        known = self._answers.get((thread, question))
        if known is None or not known.future.done() or known.future.exception() is not None:
            return None
        self._hit(known)
        return known.future.result()

    def keep(self, thread: str, question: Hashable, answer: object, size: int, moved: int | None = None) -> None:
        """Keep an answer that was made elsewhere, unless the thread has changed since `moved`."""
        known = self._answers.get((thread, question))
        if moved in (None, self.moved(thread)) and (known is None or known.future.done()):
            self._drop(thread, question)
            self._enter(thread, question).future.set_result(answer)
            self._weigh(thread, question, size)

    def knows(self, thread: str, question: Hashable) -> bool:
        """Say whether the answer is there, or being made."""
        return (thread, question) in self._answers

    def moved(self, thread: str) -> int:
        """Return a number that is another one after the thread has changed (and sometimes if it has not)."""
        return self._moved[hash(thread) % _COUNTERS]

    def forget(self, thread: str) -> None:
        """The thread has changed, or nobody here reads it any more."""
        self._moved[hash(thread) % _COUNTERS] += 1
        for question in tuple(self._questions.get(thread, ())):
            self._drop(thread, question)

    def _enter(self, thread: str, question: Hashable) -> _Kept:
        kept = self._answers[thread, question] = _Kept(asyncio.get_running_loop().create_future())
        self._questions.setdefault(thread, set()).add(question)
        return kept

    def _begin(
        self, thread: str, question: Hashable, make: Callable[[], Awaitable[Any]], bytes_of: Callable[[Any], int]
    ) -> _Kept:
        kept = self._enter(thread, question)
        future = kept.future
        # Not within the first request: it may be cancelled while others wait.
        self._tasks.start(
            "making an answer",
            self._make(future, thread, question, make, bytes_of),
            failed=lambda _: self._fail(future, thread, question, self._failure()),
        )
        return kept

    def _hit(self, kept: _Kept) -> None:
        kept.hits = min(kept.hits + 1, MOST_HITS)
        if kept.size:
            kept.worth = self._age + kept.hits / kept.size

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
            if self._is_kept(future, thread, question):
                self._weigh(thread, question, bytes_of(answer))
        except Exception as error:  # noqa: BLE001 — the caller gets the error
            self._fail(future, thread, question, error)
        finally:
            del future

    def _fail(self, future: asyncio.Future[Any], thread: str, question: Hashable, error: Exception) -> None:
        """Building ended without an answer, for any reason: nobody waits for ever."""
        if future.done():
            return
        future.set_exception(error)
        # Marked as seen: all who asked may be gone.
        future.exception()
        if self._is_kept(future, thread, question):
            self._drop(thread, question)

    def _is_kept(self, future: asyncio.Future[Any], thread: str, question: Hashable) -> bool:
        kept = self._answers.get((thread, question))
        return kept is not None and kept.future is future

    def _weigh(self, thread: str, question: Hashable, size: int) -> None:
        key = thread, question
        kept = self._answers[key]
        kept.size = ANSWER_BYTES + size
        kept.worth = self._age + kept.hits / kept.size
        kept.number = next(self._numbers)
        self.held_bytes += kept.size
        heapq.heappush(self._places, _Place(kept.worth, kept.number, key))
        while self.held_bytes > MAX_BYTES:
            self._drop_least()
        if len(self._places) > 2 * len(self._answers) + _COUNTERS:
            self._places = [place for place in self._places if self._at(place)]
            heapq.heapify(self._places)

    def _drop_least(self) -> None:
        place = heapq.heappop(self._places)
        kept = self._at(place)
        if kept is None:
            return
        if kept.worth > place.worth:
            place.worth = kept.worth
            heapq.heappush(self._places, place)
            return
        self._age = place.worth
        self._drop(*place.key)

    def _at(self, place: _Place) -> _Kept | None:
        """Return the answer of a place; None if it has gone."""
        kept = self._answers.get(place.key)
        return kept if kept is not None and kept.number == place.number else None

    def _drop(self, thread: str, question: Hashable) -> None:
        kept = self._answers.pop((thread, question), None)
        self.held_bytes -= kept.size if kept else 0
        questions = self._questions.get(thread, set())
        questions.discard(question)
        if not questions:
            self._questions.pop(thread, None)


def bytes_of(answer: object) -> int:
    """Return about how much memory a diff holds: its objects, its encoding and the frames that are made of it."""
    return 4 * len(answer.frame) if isinstance(answer, Change) else 0
