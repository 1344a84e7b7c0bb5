"""What changed between two texts, word by word and with bounded effort. Pure."""

from __future__ import annotations

import re
from itertools import groupby
from typing import Literal

Part = tuple[Literal["same", "gone", "new"], str]
_WORD = re.compile(r"\s+|\w+|[^\w\s]")


class Effort:
    """How many steps may still be taken, by all comparisons together: hostile texts want billions."""

    def __init__(self, steps: int = 200_000) -> None:
        self.left = steps


def changed_parts(before: str, after: str, effort: Effort) -> list[Part]:
    """Return `after` in parts, with what is gone from `before` in between.

    Where the effort does not suffice, all between the first and the last change counts as changed.
    """
    old, new = _WORD.findall(before), _WORD.findall(after)
    first = _shared(old, new)
    last = _shared(old[first:][::-1], new[first:][::-1])
    until, to = len(old) - last, len(new) - last
    between = _compared(old[first:until], new[first:to], effort)
    parts: list[Part] = [("same", word) for word in new[:first]]
    for _, run in groupby(between, lambda part: part[0] == "same"):
        # What is gone stands before what came for it.
        parts += sorted(run, key=lambda part: part[0] == "new")
    parts += [("same", word) for word in new[to:]]
    return [(what, "".join(word for _, word in run)) for what, run in groupby(parts, lambda part: part[0])]


def _shared(one: list[str], other: list[str]) -> int:
    """Count the words with which both begin."""
    return next(
        (place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )


def _compared(old: list[str], new: list[str], effort: Effort) -> list[Part]:
    """Return the words of the shortest edit (Myers 1986, the greedy algorithm), or all of both as changed."""
    furthest = {1: 0}
    trace: list[dict[int, int]] = []
    while effort.left > 0:
        trace.append(furthest.copy())
        edits = len(trace) - 1
        for diagonal in range(-edits, edits + 1, 2):
            _, x = _entry(furthest, diagonal, edits)
            began = x
            while x < len(old) and x - diagonal < len(new) and old[x] == new[x - diagonal]:
                x += 1
            effort.left -= 1 + x - began
            furthest[diagonal] = x
            if x >= len(old) and x - diagonal >= len(new):
                return _traced(old, new, trace)
    return [*(("gone", word) for word in old), *(("new", word) for word in new)]


def _entry(furthest: dict[int, int], diagonal: int, edits: int) -> tuple[bool, int]:
    """Return whether the diagonal is entered by a new word (else by one that is gone), and at which old word."""
    is_new = diagonal == -edits or (diagonal != edits and furthest[diagonal - 1] < furthest[diagonal + 1])
    return is_new, furthest[diagonal + 1] if is_new else furthest[diagonal - 1] + 1


def _traced(old: list[str], new: list[str], trace: list[dict[int, int]]) -> list[Part]:
    parts: list[Part] = []
    x, y = len(old), len(new)
    for edits in range(len(trace) - 1, -1, -1):
        is_new, start = _entry(trace[edits], x - y, edits)
        parts += [("same", word) for word in old[start:x][::-1]]
        x, y = start, y - (x - start)
        if not edits:
            break
        if is_new:
            y -= 1
            parts.append(("new", new[y]))
        else:
            x -= 1
            parts.append(("gone", old[x]))
    return parts[::-1]
