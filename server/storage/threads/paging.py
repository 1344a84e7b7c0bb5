"""A thread as it stands: pages of it for readers."""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol

from channels.messages import Comment, Info
from server.errors import Invalid, NotFound
from server.model import Head, Thread
from server.storage.comments import comment_rows
from server.storage.threads import threads
from server.storage.threads.branches import Cut, Visited, fills_a_page, path_of, take, visit, visit_branch
from server.storage.threads.orders import BEYOND_ALL, Path, Ranking, Rankings, roots, walk
from server.visibility import info, is_drawn, view


class Listed(Protocol):
    @property
    def id(self) -> int: ...

    @property
    def state(self) -> object: ...


if TYPE_CHECKING:
    # Only this one has a default before Python 3.13.
    from typing_extensions import TypeVar

    One = TypeVar("One", bound=Listed, default=Comment)
else:
    from typing import TypeVar

    One = TypeVar("One", bound=Listed)
# What a page holds of its comments, by their ids in any order: whole ones, or what tells whether they have changed.
Read = Callable[[sqlite3.Connection, list[int]], dict[int, One]]


def public(sql: sqlite3.Connection, ids: list[int]) -> dict[int, Comment]:
    """Return the comments as everybody sees them."""
    return {one.id: seen for one in comment_rows.by_ids(sql, ids) if (seen := view(None, one)) is not None}


def heads(sql: sqlite3.Connection, ids: list[int]) -> dict[int, Head]:
    """Return what everybody sees of the comments but for their texts."""
    return {one.id: one for one in comment_rows.heads(sql, ids) if is_drawn(one)}


@dataclass(frozen=True, slots=True)
class Page(Generic[One]):
    """`comments` in the order of reading; `context` are their ancestors on earlier pages; `next` "" at the end.

    `start` is the path from the root to the comment that the page follows, empty on the first. `cuts` are the
    cut branches, by their roots.
    """

    thread: Thread
    epoch: str
    info: Info
    comments: tuple[One, ...]
    context: tuple[One, ...]
    start: Path
    next: str
    cuts: dict[int, Cut]

    @property
    def remaining(self) -> int:
        """How many visible comments the first page leaves for later ones."""
        shown = sum(comment.state == "visible" for comment in self.comments)
        return self.info.comments - shown - sum(cut.count for cut in self.cuts.values())


def page(
    sql: sqlite3.Connection,
    key: str,
    cursor: str,
    limit: int,
    sort: str = "oldest",
    rankings: Rankings | None = None,
    replies: int = 0,
    read: Read[One] = public,  # type: ignore[assignment]
) -> Page[One]:
    """Return up to `limit` comments of the thread after `cursor`, each root followed by its replies.

    A cursor is the id of the last comment visited, after the name of a ranking where the sort is top, and before a
    `~` where all that hangs below it counts as visited. Rows are never removed and never move, so it stays right while
    comments arrive. A page never ends on a tombstone: what makes one drawable is on the page with it, so a page may be
    a few comments shorter (or, for a page of nothing but tombstones, longer) than `limit`. With `replies`, no more than
    so many of each branch are there, and the page ends with a branch. Raises Invalid (field cursor).
    """
    thread = threads.by_key(sql, key)
    name, _, last = cursor.rpartition(".")
    ranking = None
    if sort == "top" and rankings is not None:
        ranking = rankings.named(sql, thread, name) if cursor else rankings.present(sql, thread)
    path = _path(sql, thread, last, sort) if cursor else ()
    return _built(sql, thread, path, _visit(sql, thread, path, limit, sort, ranking, replies), sort, ranking, read)


def page_holding(
    sql: sqlite3.Connection,
    key: str,
    comment: int,
    limit: int,
    replies: int = 0,
    read: Read[One] = public,  # type: ignore[assignment]
) -> Page[One]:
    """Return the page around a comment: the first where it stands there, else one that begins with its branch, or,
    deep inside of a long one, with the comment itself below its ancestors.

    Raises NotFound if the thread does not draw it.
    """
    thread = threads.by_key(sql, key)
    path = path_of(sql, thread, comment)
    for start in _starts(sql, thread, path, comment, limit, replies):
        visited = _visit(sql, thread, start, limit, "oldest", None, replies)
        if comment in visited.ids:
            return _built(sql, thread, start, visited, "oldest", None, read)
    raise NotFound("error.no_comment_here")


def _starts(
    sql: sqlite3.Connection, thread: Thread, path: Path, comment: int, limit: int, replies: int
) -> Iterator[Path]:
    """Yield where a page may begin that holds the comment at the end of `path`, the best first.

    What a cheap question rules out is not walked: a walk costs as much as all the rest of the page.
    """
    if not path:
        return
    beginning = Visited([path[0][1]])
    if len(path) > 1 and replies:
        visit_branch(sql, thread, path[:1], replies, beginning)
    if not replies or comment in beginning.ids:
        if not fills_a_page(sql, thread, path[0], limit, replies):
            yield ()
        yield _before(path[:1])
    yield _before(path)


def page_of_branch(
    sql: sqlite3.Connection,
    key: str,
    root: int,
    cursor: str,
    limit: int,
    sort: str = "oldest",
    rankings: Rankings | None = None,
    read: Read[One] = public,  # type: ignore[assignment]
) -> Page[One]:
    """Return the next `limit` comments of one branch, after the comment `cursor` of it ("": after the root).

    `next` leads to the other branches, after this one. Raises Invalid (fields branch, cursor).
    """
    thread = threads.by_key(sql, key)
    if sort == "flat":
        raise Invalid("error.no_branches", field="branch")
    if len(path_of(sql, thread, root)) != 1:
        raise Invalid("error.bad_branch", field="branch")
    path = _path(sql, thread, cursor or str(root), sort)
    if path[0][1] != root:
        raise Invalid("error.cursor_of_branch", field="cursor")
    ranking = rankings.present(sql, thread) if sort == "top" and rankings is not None else None
    visited = Visited()
    visit_branch(sql, thread, path, limit, visited)
    if next(roots(sql, thread, sort, path[0], ranking), None) is not None:
        visited.end = f"{root}~"
    return _built(sql, thread, path, visited, sort, ranking, read)


def page_of(
    sql: sqlite3.Connection,
    key: str,
    wanted: frozenset[int],
    cursor: str,
    limit: int,
    read: Read[One] = public,  # type: ignore[assignment]
) -> Page[One]:
    """Return up to `limit` of the comments `wanted`, from the oldest branch on, each below all that it answers.

    `next` leads to what follows them. Raises Invalid (field cursor).
    """
    thread = threads.by_key(sql, key)

    @functools.cache
    def path(id_: int) -> Path:
        placed, parent = sql.execute("SELECT placed, parent FROM comments WHERE id = ?", (id_,)).fetchone()
        return (*(() if parent is None else path(parent)), (placed, id_))

    start = _path(sql, thread, cursor, "oldest") if cursor else ()
    found = sorted(there for there in map(path, wanted) if there > start)
    shown = found[:limit]
    ids = list(dict.fromkeys(id_ for there in shown for _, id_ in there))
    visited = Visited(ids, end=str(shown[-1][-1][1]) if len(found) > limit else "")
    return _built(sql, thread, (), visited, "oldest", None, read)


def _before(path: Path) -> Path:
    """Return a place after everything that is read before the comment at the end of `path`."""
    placed, id_ = path[-1]
    return (*path[:-1], (placed, id_ - 1), BEYOND_ALL)


def _visit(
    sql: sqlite3.Connection,
    thread: Thread,
    path: Path,
    limit: int,
    sort: str,
    ranking: Ranking | None,
    replies: int,
) -> Visited:
    if replies and sort != "flat":
        return visit(sql, thread, sort, path, ranking, limit, replies)
    places, is_last = take(walk(sql, thread, sort, path, ranking), limit)
    ids = [place[1] for place in places]
    return Visited(ids, end="" if is_last else str(ids[-1]))


def _built(
    sql: sqlite3.Connection,
    thread: Thread,
    path: Path,
    visited: Visited,
    sort: str,
    ranking: Ranking | None,
    read: Read[One],
) -> Page[One]:
    ids, end = visited.ids, visited.end
    shared = [] if sort == "flat" or not ids else [id_ for _, id_ in path if _is_above(sql, id_, ids[0])]
    return Page(
        thread=thread,
        epoch=threads.epoch(sql),
        info=info(thread),
        comments=_in_order(read(sql, ids), ids),
        context=_in_order(read(sql, shared), shared),
        start=path,
        next=f"{ranking.name}.{end}" if ranking is not None and end else end,
        cuts=visited.cuts,
    )


def _path(sql: sqlite3.Connection, thread: Thread, cursor: str, sort: str) -> Path:
    """Return the place that the cursor names. Raises Invalid (field cursor)."""
    is_whole = cursor.endswith("~") and sort != "flat"
    id_ = cursor.removesuffix("~") if is_whole else cursor
    path = path_of(sql, thread, int(id_)) if id_.isascii() and id_.isdigit() and len(id_) < 19 else ()
    if not path:
        raise Invalid("error.cursor_of_thread", field="cursor")
    return (*path, BEYOND_ALL) if is_whole else path


def _parent(sql: sqlite3.Connection, id_: int) -> int | None:
    (parent,) = sql.execute("SELECT parent FROM comments WHERE id = ?", (id_,)).fetchone()
    return int(parent) if parent is not None else None


def _is_above(sql: sqlite3.Connection, ancestor: int, id_: int) -> bool:
    above = _parent(sql, id_)
    while above is not None and above != ancestor:
        above = _parent(sql, above)
    return above is not None


def _in_order(found: dict[int, One], ids: list[int]) -> tuple[One, ...]:
    return tuple(found[id_] for id_ in ids if id_ in found)
