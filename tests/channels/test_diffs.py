"""What is kept of diffs: for those who ask the same, until the thread changes, and never more than so many bytes."""

from __future__ import annotations

from channels.change import Change, Comment
from channels.diffs import MAX_KEPT_BYTES, Diffs


def diff(thread: str, after: int, size: int = 10) -> Change:
    comment = Comment(id=1, version=after + 1, html="x" * size)
    return Change(thread=thread, epoch="e", after=after, version=after + 1, comments=(comment,))


def test_a_diff_is_there_for_the_same_question_until_its_thread_changes() -> None:
    diffs = Diffs()
    one, other = diff("one", 1), diff("other", 1)
    diffs.keep("one", ("e", 1), one)
    diffs.keep("other", ("e", 1), other)
    assert diffs.get("one", ("e", 1)) is one
    assert diffs.get("one", ("e", 2)) is None
    diffs.forget("one")
    assert diffs.get("one", ("e", 1)) is None
    assert diffs.get("other", ("e", 1)) is other


def test_whoever_asks_for_whatever_they_hold_no_more_than_so_many_bytes_and_the_latest_stay() -> None:
    diffs = Diffs()
    for after in range(400):
        diffs.keep(f"thread {after % 7}", ("e", after), diff("t", after, 200_000))
        diffs.keep("again", ("e", 0), diff("again", 0))
        assert diffs.kept_bytes <= MAX_KEPT_BYTES
    assert diffs.get("thread 0", ("e", 399)) is not None
    assert diffs.get("thread 0", ("e", 0)) is None
    assert diffs.get("again", ("e", 0)) is not None
    for thread in (*(f"thread {number}" for number in range(7)), "again"):
        diffs.forget(thread)
    assert diffs.kept_bytes == 0
