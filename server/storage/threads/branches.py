"""Cutting long branches: how much of each a page shows, and how many comments remain."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field

from server.model import Thread
from server.storage.threads.orders import BEFORE_ALL, Key, Path, Place, Places, Ranking, branch, roots, within

# Fewer are not hidden: a link that shows three more is more work than three more.
SPARED = 5

_COUNT = "SELECT coalesce(sum(below + (state = 'visible')), 0) FROM comments WHERE thread = ?1 AND parent = ?2"
# As two questions, each of which finds its place in the index.
_BEHIND = f"SELECT ({_COUNT} AND placed = ?3 AND id > ?4) + ({_COUNT} AND placed > ?3)"


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
    path: Path,
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
    for root in roots(sql, thread, sort, last, ranking):
        if len(visited.ids) >= limit:
            visited.end = f"{last[1] if last else ''}~"
            break
        last = root[:2]
        visited.ids.append(root[1])
        if root[3]:
            _visit_places(sql, thread, (last,), branch(sql, thread, root), replies, visited)
    return visited


def visit_branch(sql: sqlite3.Connection, thread: Thread, path: Path, limit: int, visited: Visited) -> None:
    """Visit up to `limit` comments of the branch after the end of `path`: a few more where few would stay behind."""
    _visit_places(sql, thread, path, within(sql, thread, path), limit, visited)


def _visit_places(
    sql: sqlite3.Connection, thread: Thread, path: Path, following: Places, limit: int, visited: Visited
) -> None:
    places, is_last = take(following, limit)
    visited.ids += [place[1] for place in places]
    if is_last:
        return
    end = path_of(sql, thread, visited.ids[-1])
    _, root = path[0]
    (below,) = sql.execute("SELECT below FROM comments WHERE id = ?", (root,)).fetchone()
    shown = sum(place[2] == "visible" for place in places)
    count = below - shown if len(path) == 1 else _behind(sql, thread, end)
    if count < SPARED:
        visited.ids += [place[1] for place in within(sql, thread, end)]
    else:
        visited.cuts[root] = Cut(str(end[-1][1]), count, below)


def fills_a_page(sql: sqlite3.Connection, thread: Thread, root: Key, limit: int, replies: int) -> bool:
    """Say whether the branches before `root`, of which at most `replies` replies are shown, are `limit` comments.

    As far as the counts tell: tombstones at the end of a cut branch are not drawn, and make it a few less.
    """
    shown = f"1 + min(below, {replies})" if replies else "1 + below"
    before = sql.execute(
        f"SELECT {shown} FROM comments WHERE thread = ?1 AND parent IS NULL AND shown"
        " AND (state = 'visible' OR below > 0) AND placed <= ?2 AND (placed < ?2 OR id < ?3) ORDER BY placed, id",
        (thread.id, *root),
    )
    found = 0
    for (count,) in before:
        found += count
        if found >= limit:
            return True
    return False


def take(places: Places, limit: int) -> tuple[list[Place], bool]:
    """Return the next `limit` comments, and whether they are the last. They never end on a tombstone."""
    taken: list[Place] = []
    end = 0
    for place in places:
        if len(taken) >= limit and end:
            return taken[:end], False
        taken.append(place)
        if place[2] == "visible":
            end = len(taken)
    return taken, True


def path_of(sql: sqlite3.Connection, thread: Thread, id_: int) -> Path:
    """Return the keys from the root to the comment; none where the thread has never shown it."""
    path: list[Key] = []
    above: int | None = id_
    while above is not None:
        row = sql.execute(
            "SELECT placed, parent FROM comments WHERE id = ? AND thread = ? AND shown", (above, thread.id)
        ).fetchone()
        if row is None:
            break
        path.append((row[0], above))
        above = row[1]
    return tuple(reversed(path))


def _behind(sql: sqlite3.Connection, thread: Thread, path: Path) -> int:
    """Count the visible comments after the end of `path` in its branch."""
    counts = [
        sql.execute(_BEHIND, (thread.id, above, *last)).fetchone()[0]
        for (_, above), last in zip(path, (*path[1:], BEFORE_ALL), strict=False)
    ]
    return int(sum(counts))
