"""The orders in which a thread can be read, each lazily from any place: no branch is walked further than is drawn."""

from __future__ import annotations

import math
import secrets
import sqlite3
import time
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

from server.errors import Invalid
from server.model import Thread

_DRAWN = "shown AND (state = 'visible' OR below > 0)"
_CHILDREN = f"SELECT id, state FROM comments WHERE thread = ? AND parent = ? AND id > ? AND {_DRAWN} ORDER BY id"
_ROOTS = f"SELECT id, state FROM comments WHERE thread = ? AND parent IS NULL AND id > ? AND {_DRAWN} ORDER BY id"
_NEWEST = f"SELECT id, state FROM comments WHERE thread = ? AND parent IS NULL AND id < ? AND {_DRAWN} ORDER BY id DESC"
_FLAT = "SELECT id, state FROM comments WHERE thread = ? AND id > ? AND state = 'visible' ORDER BY id"
_STATE = f"SELECT id, state FROM comments WHERE id = ? AND {_DRAWN}"
_RANKED = f"SELECT id, base_up + up, base_down + down FROM comments WHERE thread = ? AND parent IS NULL AND {_DRAWN}"

RANKINGS_KEPT = 512
RANKING_SECONDS = 10
BEYOND_ALL = 2**53
Places = Iterator[tuple[int, str]]


def wilson(up: int, down: int) -> float:
    """Return the lower bound of the share of those who like it, at 95 % confidence (Wilson 1927; Miller 2009)."""
    votes = up + down
    if not votes:
        return 0.0
    share, z = up / votes, 1.96
    spread = z * math.sqrt((share * (1 - share) + z * z / (4 * votes)) / votes)
    return (share + z * z / (2 * votes) - spread) / (1 + z * z / votes)


@dataclass(frozen=True, slots=True)
class Ranking:
    """A thread's roots from the best to the worst, as they stood at one moment."""

    name: str
    roots: tuple[int, ...]
    places: dict[int, int]


class Rankings:
    """Rankings stay as they were made, so that a page can be continued; those unused longest are forgotten."""

    def __init__(self) -> None:
        self._made: OrderedDict[str, Ranking] = OrderedDict()
        # Those of the process before were others.
        self._own = secrets.token_hex(3)

    def present(self, sql: sqlite3.Connection, thread: Thread) -> Ranking:
        """Return the thread's ranking of the last ten seconds."""
        name = f"{self._own}-{thread.id}-{int(time.monotonic() // RANKING_SECONDS)}"
        if name not in self._made:
            rows = sql.execute(_RANKED, (thread.id,)).fetchall()
            ranked = sorted(rows, key=lambda row: (-wilson(row[1], row[2]), row[2] - row[1], row[0]))
            roots = tuple(row[0] for row in ranked)
            places = {root: place for place, root in enumerate(roots)}
            self._made[name] = Ranking(name, roots, places)
            while len(self._made) > RANKINGS_KEPT:
                self._made.popitem(last=False)
        return self._made[name]

    def named(self, name: str) -> Ranking:
        """Return the ranking that an earlier page was made by. Raises Invalid (field cursor)."""
        found = self._made.get(name)
        if found is None:
            raise Invalid(
                "This order is too old to be continued: it begins anew.",
                field="cursor",
                code="ranking_forgotten",
            )
        return found


def walk(sql: sqlite3.Connection, thread: Thread, sort: str, path: tuple[int, ...], ranking: Ranking | None) -> Places:
    """Yield (id, state) of what is drawn after the comment at the end of `path`, each parent before its replies."""
    if sort == "flat":
        yield from sql.execute(_FLAT, (thread.id, path[-1] if path else 0))
        return
    yield from within(sql, thread, path)
    for root in roots(sql, thread, sort, path[0] if path else None, ranking):
        yield root
        yield from within(sql, thread, (root[0],))


def within(sql: sqlite3.Connection, thread: Thread, path: tuple[int, ...]) -> Places:
    """Yield (id, state) of what is drawn after the comment at the end of `path` in the branch that it is of."""
    stack: list[Places] = []
    for above, last in zip(path, (*path[1:], 0), strict=False):
        stack.append(sql.execute(_CHILDREN, (thread.id, above, last)))
    while stack:
        place = next(stack[-1], None)
        if place is None:
            stack.pop()
            continue
        yield place
        stack.append(sql.execute(_CHILDREN, (thread.id, place[0], 0)))


def roots(sql: sqlite3.Connection, thread: Thread, sort: str, last: int | None, ranking: Ranking | None) -> Places:
    """Yield (id, state) of the drawn roots after the root `last`; None: from the first."""
    if sort == "newest":
        yield from sql.execute(_NEWEST, (thread.id, BEYOND_ALL if last is None else last))
        return
    if ranking is None:
        yield from sql.execute(_ROOTS, (thread.id, last or 0))
        return
    begin = 0 if last is None else ranking.places.get(last, len(ranking.roots)) + 1
    for root in ranking.roots[begin:]:
        yield from sql.execute(_STATE, (root,))
    # What was written, or came back, after the ranking was made comes after all that is ranked, in time order.
    unranked = sql.execute(_ROOTS, (thread.id, 0 if last is None or last in ranking.places else last))
    yield from (root for root in unranked if root[0] not in ranking.places)
