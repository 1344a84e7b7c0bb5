"""Questions to the source: identical ones are asked once, and many share one request."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from channels.changes_source import Question, Source, SourceUnavailable
from channels.messages import Answer
from channels.metrics import Tally
from channels.rooms.fair_queue import InTurn
from channels.tasks import Tasks

# With the longest keys a request is 20 KB.
BATCH = 64
BATCHES_AT_ONCE = 2
# Whose turn it is where a room asks for all of its readers.
ROOMS = ""


class Questions:
    """Askers (`who`, an address) take turns, so that many questions from one of them delay nobody else."""

    def __init__(self, source: Source, tasks: Tasks, tally: Tally) -> None:
        self._source = source
        self._tasks = tasks
        self._tally = tally
        self._asked: dict[Question, asyncio.Future[Answer]] = {}
        self._waiting: InTurn[Question] = InTurn()
        self._batches = 0
        self._sending: asyncio.Handle | None = None

    async def ask(self, question: Question, who: str = ROOMS) -> Answer:
        """Return the answer, which others who asked the same may have been given too. Raises SourceUnavailable."""
        future = self._asked.get(question)
        if future is None:
            self._tally.diffs += 1
            future = self._asked[question] = asyncio.get_running_loop().create_future()
            self._waiting.add(who, question)
            if self._sending is None:
                # Those who ask in the same moment share a request.
                self._sending = self._tasks.soon("asking the source", self._send, failed=self._fail_waiting)
        return await asyncio.shield(future)

    def _send(self) -> None:
        self._sending = None
        while self._waiting and self._batches < BATCHES_AT_ONCE:
            batch = [self._waiting.take() for _ in range(min(BATCH, len(self._waiting)))]
            self._batches += 1
            asking = self._tasks.start("source of diffs", self._source.changes(batch), expects=(SourceUnavailable,))
            asking.add_done_callback(partial(self._answered, batch))

    def _answered(self, batch: Sequence[Question], asking: asyncio.Task[list[Answer | None]]) -> None:
        """However the request ended, its askers get an answer."""
        self._batches -= 1
        failure = SourceUnavailable("the question was given up") if asking.cancelled() else asking.exception()
        answers = asking.result() if failure is None else []
        for place, question in enumerate(batch):
            answer = answers[place] if place < len(answers) else None
            if answer is not None:
                self._asked.pop(question).set_result(answer)
            elif failure is None:
                # There was no room for it in the answer.
                self._waiting.add(ROOMS, question)
            else:
                self._fail(question, failure)
        self._send()

    def _fail_waiting(self, failure: BaseException) -> None:
        """No request could be made: whoever waits for one may ask again."""
        self._sending = None
        while self._waiting:
            self._fail(self._waiting.take(), failure)

    def _fail(self, question: Question, failure: BaseException) -> None:
        is_known = isinstance(failure, SourceUnavailable)
        future = self._asked.pop(question)
        future.set_exception(failure if is_known else SourceUnavailable(f"no diff could be read: {failure!r}"))
        # Marked as seen: all who asked may be gone.
        future.exception()
