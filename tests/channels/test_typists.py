"""Who is writing is told while it is true, and no longer."""

from __future__ import annotations

from channels.messages import TYPING_NAMES, Typing
from channels.rooms.typists import MAX_PARENTS, TOLD_EVERY_SECONDS, TRUE_FOR_SECONDS, Typists


def typing(parent: int | None, *names: str) -> Typing:
    return Typing(thread="t", parent=parent, names=names)


def test_twenty_who_typed_once_are_not_told_of_when_it_is_no_longer_true() -> None:
    now = 100.0
    typists = Typists(clock=lambda: now)
    for parent in range(20):
        typists.hear(typing(parent, f"writer {parent}"))
    told = []
    for _ in range(30):
        told.append((now - 100, typists.next("t")))
        now += TOLD_EVERY_SECONDS
    last = max(at for at, what in told if what is not None)
    assert last < TRUE_FOR_SECONDS
    assert told[0][1] == typing(0, "writer 0")


def test_those_who_go_on_writing_are_told_of_again_each_answer_in_turn() -> None:
    now = 100.0
    typists = Typists(clock=lambda: now)
    told = []
    for _ in range(6):
        typists.hear(typing(1, "Ana"))
        typists.hear(typing(2, "Eva"))
        told.append(typists.next("t"))
        now += TOLD_EVERY_SECONDS
    assert [what.names for what in told if what] == [("Ana",), ("Eva",)] * 3


def test_of_many_names_those_heard_of_last_are_told() -> None:
    typists = Typists(clock=lambda: 1.0)
    for number in range(100):
        typists.hear(typing(None, f"writer {number}"))
    told = typists.next("t")
    assert told is not None
    assert told.names == tuple(f"writer {number}" for number in range(100 - TYPING_NAMES, 100))
    assert typists.next("t") is None


def test_of_any_number_of_answers_only_so_many_are_remembered() -> None:
    typists = Typists(clock=lambda: 1.0)
    for parent in range(1_000):
        typists.hear(typing(parent, "Ana"))
    told = 0
    while typists.next("t") is not None:
        told += 1
    assert told == MAX_PARENTS
