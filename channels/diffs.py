"""Diffs up to the present of their threads, kept for those who will ask the same: one storm, one question."""

from __future__ import annotations

from collections import OrderedDict

from channels.change import Change

# (epoch, after) as a reader asks.
Question = tuple[str | None, int | None]
MAX_KEPT_BYTES = 16 * 1024 * 1024


class Diffs:
    """By thread and question; at most 16 MiB in all, those unused longest are dropped first."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, Question], Change] = OrderedDict()
        self._questions: dict[str, set[Question]] = {}
        self.kept_bytes = 0

    def get(self, thread: str, question: Question) -> Change | None:
        diff = self._kept.get((thread, question))
        if diff is not None:
            self._kept.move_to_end((thread, question))
        return diff

    def keep(self, thread: str, question: Question, diff: Change) -> None:
        self._drop(thread, question)
        self._kept[thread, question] = diff
        self._questions.setdefault(thread, set()).add(question)
        self.kept_bytes += _size(diff)
        while self.kept_bytes > MAX_KEPT_BYTES:
            self._drop(*next(iter(self._kept)))

    def forget(self, thread: str) -> None:
        """The thread has changed, or nobody here reads it any more."""
        for question in tuple(self._questions.get(thread, ())):
            self._drop(thread, question)

    def _drop(self, thread: str, question: Question) -> None:
        diff = self._kept.pop((thread, question), None)
        if diff is None:
            return
        self.kept_bytes -= _size(diff)
        questions = self._questions[thread]
        questions.discard(question)
        if not questions:
            del self._questions[thread]


def _size(diff: Change) -> int:
    """Return about how many bytes it holds: its objects, its encoding and the frames that are made of it."""
    return 1_000 + 4 * len(diff.frame)
