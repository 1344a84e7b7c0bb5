"""Long branches, cut: how much of each a page shows, and how many comments wait behind."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field

from server.model import Thread
from server.storage.order import Places, Ranking, roots, within

# Fewer are not hidden: a link that shows three more is more work than three more.
SPARED = 5

_BEHIND = """
SELECT coalesce(sum(below + (state = 'visible')), 0) FROM comments WHERE thread = ? AND parent = ? AND id > ?
"""


@dataclass(frozen=True, slots=True)
class Cut:
    """Where a branch was cut: `cursor`, the last comment shown; `count` visible ones come after it, and `below` visible
    ones hang below the root in all."""

    cursor: str
    count: int
    below: int


@dataclass(slots=True)
class Visited:
    """Ids in the order of reading, and the cuts by root. `end`: the cursor behind them all, "" at the end."""

    ids: list[int] = field(default_factory=list)
    cuts: dict[int, Cut] = field(default_factory=dict)
    end: str = ""


def visit(
    sql: sqlite3.Connection,
    thread: Thread,
    sort: str,
    path: tuple[int, ...],
    ranking: Ranking | None,
    limit: int,
    replies: int,
) -> Visited:
    """Return the branches after the comment at the end of `path`, at most `replies` replies of each.

    They end with the first branch at whose end `limit` comments are reached. The cursor behind them is the last root,
    marked (`~`) as visited with all that hangs below it.
    """
    visited = Visited()
    last = path[0] if path else None
    if path:
        visit_branch(sql, thread, path, replies, visited)
    for root, _ in roots(sql, thread, sort, last, ranking):
        if len(visited.ids) >= limit:
            visited.end = f"{last}~"
            break
        visited.ids.append(root)
        visit_branch(sql, thread, (root,), replies, visited)
        last = root
    return visited


def visit_branch(sql: sqlite3.Connection, thread: Thread, path: tuple[int, ...], limit: int, visited: Visited) -> None:
    """Visit up to `limit` comments of the branch after the end of `path`: a few more where few would stay behind."""
    places, is_last = take(within(sql, thread, path), limit)
    visited.ids += [id_ for id_, _ in places]
    if is_last:
        return
    end = path_of(sql, thread, visited.ids[-1])
    (below,) = sql.execute("SELECT below FROM comments WHERE id = ?", (path[0],)).fetchone()
    shown = sum(state == "visible" for _, state in places)
    count = below - shown if len(path) == 1 else _behind(sql, thread, end)
    if count < SPARED:
        visited.ids += [id_ for id_, _ in within(sql, thread, end)]
    else:
        visited.cuts[path[0]] = Cut(str(end[-1]), count, below)


def take(places: Places, limit: int) -> tuple[list[tuple[int, str]], bool]:
    """Return the next `limit` comments, and whether they are the last. They never end on a tombstone."""
    taken: list[tuple[int, str]] = []
    end = 0
    for place in places:
        if len(taken) >= limit and end:
            return taken[:end], False
        taken.append(place)
        if place[1] == "visible":
            end = len(taken)
    return taken, True


def path_of(sql: sqlite3.Connection, thread: Thread, id_: int) -> tuple[int, ...]:
    """Return the ids from the root to the comment; none where the thread has never shown it."""
    path: list[int] = []
    above: int | None = id_
    while above is not None:
        row = sql.execute(
            "SELECT parent FROM comments WHERE id = ? AND thread = ? AND shown", (above, thread.id)
        ).fetchone()
        if row is None:
            break
        path.insert(0, above)
        (above,) = row
    return tuple(path)


def _behind(sql: sqlite3.Connection, thread: Thread, path: tuple[int, ...]) -> int:
    """Count what is visible after the end of `path` in its branch."""
    counts = [
        sql.execute(_BEHIND, (thread.id, above, last)).fetchone()[0]
        for above, last in zip(path, (*path[1:], 0), strict=False)
    ]
    return int(sum(counts))
