"""The sort orders of a thread, each walked lazily from any place, no further than is shown."""

from __future__ import annotations

import math
import sqlite3
import threading
import time
from array import array
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

from server.errors import Invalid
from server.model import Thread

_DRAWN = "shown AND (state = 'visible' OR below > 0)"
_CHILDREN = f"thread = ? AND parent = ? AND {_DRAWN}"
_ROOTS = f"thread = ? AND parent IS NULL AND {_DRAWN}"
_FLAT = "thread = ? AND state = 'visible'"
_STATE = f"SELECT placed, id, state, below FROM comments WHERE id = ? AND {_DRAWN}"
# A whole branch, depth first (the queue of a recursive SELECT is in the order that it names).
_BRANCH = f"""
WITH RECURSIVE branch (placed, id, state, below, level) AS (
    SELECT placed, id, state, below, 1 FROM comments WHERE thread = ?1 AND parent = ?2 AND {_DRAWN}
    UNION ALL
    SELECT c.placed, c.id, c.state, c.below, level + 1 FROM branch CROSS JOIN comments c
    WHERE branch.below > 0 AND c.thread = ?1 AND c.parent = branch.id AND c.shown
        AND (c.state = 'visible' OR c.below > 0)
    ORDER BY 5 DESC, 1, 2
)
SELECT placed, id, state, below FROM branch
"""
# A branch of more is walked step by step, no further than is shown.
SMALL_BRANCH = 100
_RANKED = f"SELECT id, base_up + up, base_down + down FROM comments WHERE {_ROOTS} ORDER BY placed, id"

RANKINGS_BYTES = 8 * 1024 * 1024
RANKING_SECONDS = 10
# What a comment is ordered by: the time that it was given once, in milliseconds, and between equals its id.
Key = tuple[int, int]
BEFORE_ALL: Key = (-1, 0)
BEYOND_ALL: Key = (2**53, 2**53)
# The keys from a root to a comment below it: compared, they are the order of reading.
Path = tuple[Key, ...]
# (placed, id, state, how many visible ones hang below it) of one comment.
Place = tuple[int, int, str, int]
Places = Iterator[Place]


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
    """A thread's roots from the best to the worst, as they stood at one moment: 8 bytes a root."""

    name: str
    roots: array[int]

    def place(self, root: int) -> int | None:
        """Return where `root` stands, from 0 on; None if it is not ranked."""
        try:
            return self.roots.index(root)
        except ValueError:
            return None

    @property
    def held_bytes(self) -> int:
        return 1_000 + len(self.roots) * self.roots.itemsize


@dataclass(slots=True)
class _Latest:
    """The ranking that a thread's first pages are made by: still right at `version`, and checked at `checked`."""

    ranking: Ranking
    version: int
    checked: float


class Rankings:
    """Rankings stay as they were made, so that a page can be continued; those unused longest are forgotten first.

    A ranking is named by its thread and the version that it was made at: while that is still the thread's version, a
    forgotten one is made again as it was. Used from several threads at once.
    """

    def __init__(self) -> None:
        self._made: OrderedDict[str, Ranking] = OrderedDict()
        self._latest: dict[int, _Latest] = {}
        self._lock = threading.Lock()
        self.held_bytes = 0

    def present(self, sql: sqlite3.Connection, thread: Thread) -> Ranking:
        """Return the thread's ranking, at most ten seconds older than what `sql` reads."""
        if thread.id is None:
            return Ranking("", array("q"))
        with self._lock:
            latest = self._latest.get(thread.id)
            if latest is not None:
                is_present = latest.version == thread.version
                if is_present or time.monotonic() - latest.checked < RANKING_SECONDS:
                    self._made.move_to_end(latest.ranking.name)
                    return latest.ranking
        return self._keep(thread.id, thread.version, _ranked(sql, thread.id))

    def named(self, sql: sqlite3.Connection, thread: Thread, name: str) -> Ranking:
        """Return the ranking that an earlier page of the thread was made by. Raises Invalid (field cursor)."""
        with self._lock:
            found = self._made.get(name) if name.startswith(f"{thread.id}-") else None
            if found is not None:
                self._made.move_to_end(name)
                return found
        if thread.id is not None and name == _name(thread.id, thread.version):
            return self._keep(thread.id, thread.version, _ranked(sql, thread.id))
        raise Invalid(
            "error.list_expired",
            field="cursor",
            code="ranking_forgotten",
        )

    def _keep(self, thread: int, version: int, ranked: array[int]) -> Ranking:
        made = Ranking(_name(thread, version), ranked)
        with self._lock:
            latest = self._latest.get(thread)
            if latest is not None and latest.ranking.roots == made.roots:
                # What moved is not the order of the roots: earlier pages go on by the same one.
                made = latest.ranking
            if made.name not in self._made:
                self._made[made.name] = made
                self.held_bytes += made.held_bytes
            self._made.move_to_end(made.name)
            self._latest[thread] = _Latest(self._made[made.name], version, time.monotonic())
            while self.held_bytes > RANKINGS_BYTES and len(self._made) > 1:
                self._forget_one()
        return made

    def _forget_one(self) -> None:
        name, forgotten = self._made.popitem(last=False)
        self.held_bytes -= forgotten.held_bytes
        thread = int(name.partition("-")[0])
        if thread in self._latest and self._latest[thread].ranking is forgotten:
            del self._latest[thread]


def _name(thread: int, version: int) -> str:
    return f"{thread}-{version}"


def _ranked(sql: sqlite3.Connection, thread: int) -> array[int]:
    """Return the roots from the best to the worst; of equals the earliest first."""
    by_votes: dict[tuple[int, int], array[int]] = {}
    for id_, up, down in sql.execute(_RANKED, (thread,)):
        votes = up, down
        if votes not in by_votes:
            by_votes[votes] = array("q")
        by_votes[votes].append(id_)
    ranked = array("q")
    for votes in sorted(by_votes, key=lambda votes: (-wilson(*votes), votes[1] - votes[0])):
        ranked += by_votes[votes]
    return ranked


def in_time(
    sql: sqlite3.Connection, which: str, given: tuple[object, ...], last: Key | None, *, newest_first: bool = False
) -> Places:
    """Yield what of the comments `which` comes after `last` by time, or before it, the newest first; None: all.

    Two questions, since SQLite seeks by both halves of a key only where one of them is given.
    """
    later, ending = ("<", " DESC") if newest_first else (">", "")
    select = f"SELECT placed, id, state, below FROM comments WHERE {which}"
    order = f"ORDER BY placed{ending}, id{ending}"
    if last is None:
        yield from sql.execute(f"{select} {order}", given)
        return
    yield from sql.execute(f"{select} AND placed = ? AND id {later} ? ORDER BY id{ending}", (*given, *last))
    yield from sql.execute(f"{select} AND placed {later} ? {order}", (*given, last[0]))


def walk(sql: sqlite3.Connection, thread: Thread, sort: str, path: Path, ranking: Ranking | None) -> Places:
    """Yield the comments shown after the one at the end of `path`, each parent before its replies."""
    if sort == "flat":
        yield from in_time(sql, _FLAT, (thread.id,), path[-1] if path else None)
        return
    yield from within(sql, thread, path)
    for root in roots(sql, thread, sort, path[0] if path else None, ranking):
        yield root
        yield from branch(sql, thread, root)


def within(sql: sqlite3.Connection, thread: Thread, path: Path) -> Places:
    """Yield the comments shown after the one at the end of `path` in its branch."""
    stack: list[Places] = []
    for (_, above), last in zip(path, (*path[1:], None), strict=False):
        stack.append(in_time(sql, _CHILDREN, (thread.id, above), last))
    while stack:
        place = next(stack[-1], None)
        if place is None:
            stack.pop()
            continue
        yield place
        if place[3]:
            # No question for a leaf: most comments are leaves.
            stack.append(in_time(sql, _CHILDREN, (thread.id, place[1]), None))


def branch(sql: sqlite3.Connection, thread: Thread, root: Place) -> Places:
    """Yield the comments shown below a root: of a small branch by one question."""
    if root[3] > SMALL_BRANCH:
        yield from within(sql, thread, (root[:2],))
    elif root[3]:
        yield from sql.execute(_BRANCH, (thread.id, root[1]))


def roots(sql: sqlite3.Connection, thread: Thread, sort: str, last: Key | None, ranking: Ranking | None) -> Places:
    """Yield the drawn roots after the root `last`; None: from the first."""
    if ranking is None:
        yield from in_time(sql, _ROOTS, (thread.id,), last, newest_first=sort == "newest")
        return
    place = None if last is None else ranking.place(last[1])
    begin = 0 if last is None else len(ranking.roots) if place is None else place + 1
    for at in range(begin, len(ranking.roots)):
        yield from sql.execute(_STATE, (ranking.roots[at],))
    # Comments written or restored after the ranking come after all ranked ones, in time order.
    ranked = set(ranking.roots)
    unranked = in_time(sql, _ROOTS, (thread.id,), None if place is not None else last)
    yield from (root for root in unranked if root[1] not in ranked)
