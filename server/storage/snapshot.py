"""A thread as it stands: pages of it for readers, and the diff after a version."""

from __future__ import annotations

import functools
import sqlite3
from dataclasses import dataclass

from channels.change import MAX_ROWS, Answer, Change, Comment, Info, Reset
from server.errors import Invalid, NotFound
from server.model import Thread
from server.storage import rows, threads
from server.storage.branches import Cut, Visited, path_of, take, visit, visit_branch
from server.storage.order import BEYOND_ALL, Ranking, Rankings, roots, walk


@dataclass(frozen=True, slots=True)
class Page:
    """`comments` in the order of reading; `context` are their ancestors on earlier pages; `next` "" at the end.

    `start` is the path of ids from the root to the comment that the page follows, empty on the first. `cuts` are the
    branches, by their roots, of which more is to be had.
    """

    thread: Thread
    epoch: str
    info: Info
    comments: tuple[Comment, ...]
    context: tuple[Comment, ...]
    start: tuple[int, ...]
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
) -> Page:
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
        ranking = rankings.named(name) if cursor else rankings.present(sql, thread)
    path = _path(sql, thread, last, sort) if cursor else ()
    return _built(sql, thread, path, _visit(sql, thread, path, limit, sort, ranking, replies), sort, ranking)


def page_holding(sql: sqlite3.Connection, key: str, comment: int, limit: int, replies: int = 0) -> Page:
    """Return the page around a comment: the first where it stands there, else one that begins with its branch, or,
    deep inside of a long one, with the comment itself below its ancestors.

    Raises NotFound where the thread does not draw it.
    """
    thread = threads.by_key(sql, key)
    path = path_of(sql, thread, comment)
    for start in ((), _before(path[:1]), _before(path)) if path else ():
        visited = _visit(sql, thread, start, limit, "oldest", None, replies)
        if comment in visited.ids:
            return _built(sql, thread, start, visited, "oldest", None)
    raise NotFound("There is no such comment in this thread.")


def page_of_branch(
    sql: sqlite3.Connection,
    key: str,
    root: int,
    cursor: str,
    limit: int,
    sort: str = "oldest",
    rankings: Rankings | None = None,
) -> Page:
    """Return the next `limit` comments of one branch, after the comment `cursor` of it ("": after the root).

    `next` leads to the other branches, after this one. Raises Invalid (fields branch, cursor).
    """
    thread = threads.by_key(sql, key)
    if sort == "flat":
        raise Invalid("The flat order has no branches.", field="branch")
    if len(path_of(sql, thread, root)) != 1:
        raise Invalid("branch is the id of a comment of this thread that answers no other.", field="branch")
    path = _path(sql, thread, cursor or str(root), sort)
    if path[0] != root:
        raise Invalid("The cursor is not one that a page of this branch gave.", field="cursor")
    ranking = rankings.present(sql, thread) if sort == "top" and rankings is not None else None
    visited = Visited()
    visit_branch(sql, thread, path, limit, visited)
    if next(roots(sql, thread, sort, root, ranking), None) is not None:
        visited.end = f"{root}~"
    return _built(sql, thread, path, visited, sort, ranking)


def page_of(sql: sqlite3.Connection, key: str, wanted: frozenset[int], cursor: str, limit: int) -> Page:
    """Return up to `limit` of the comments `wanted`, from the oldest branch on, each below all that it answers.

    `next` leads to what follows them. Raises Invalid (field cursor).
    """
    thread = threads.by_key(sql, key)
    above = functools.cache(lambda id_: _parent(sql, id_))

    def path(id_: int) -> tuple[int, ...]:
        parent = above(id_)
        return (id_,) if parent is None else (*path(parent), id_)

    start = _path(sql, thread, cursor, "oldest") if cursor else ()
    found = sorted(there for there in map(path, wanted) if there > start)
    shown = found[:limit]
    ids = list(dict.fromkeys(id_ for there in shown for id_ in there))
    visited = Visited(ids, end=str(shown[-1][-1]) if len(found) > limit else "")
    return _built(sql, thread, (), visited, "oldest", None)


def _before(path: tuple[int, ...]) -> tuple[int, ...]:
    """Return a place after everything that is read before the comment at the end of `path`."""
    return (*path[:-1], path[-1] - 1, BEYOND_ALL)


def _visit(
    sql: sqlite3.Connection,
    thread: Thread,
    path: tuple[int, ...],
    limit: int,
    sort: str,
    ranking: Ranking | None,
    replies: int,
) -> Visited:
    if replies and sort != "flat":
        return visit(sql, thread, sort, path, ranking, limit, replies)
    places, is_last = take(walk(sql, thread, sort, path, ranking), limit)
    ids = [id_ for id_, _ in places]
    return Visited(ids, end="" if is_last else str(ids[-1]))


def _built(
    sql: sqlite3.Connection,
    thread: Thread,
    path: tuple[int, ...],
    visited: Visited,
    sort: str,
    ranking: Ranking | None,
) -> Page:
    ids, end = visited.ids, visited.end
    shared = [] if sort == "flat" or not ids else [id_ for id_ in path if _is_above(sql, id_, ids[0])]
    return Page(
        thread=thread,
        epoch=rows.epoch(sql),
        info=info(thread),
        comments=_comments(sql, ids),
        context=_comments(sql, shared),
        start=path,
        next=f"{ranking.name}.{end}" if ranking is not None and end else end,
        cuts=visited.cuts,
    )


def info(thread: Thread) -> Info:
    return Info(
        title=thread.title,
        url=thread.url,
        summary=thread.summary,
        author=thread.author_name,
        locked=thread.locked,
        comments=thread.comments,
    )


def changes(sql: sqlite3.Connection, key: str, after: int | None, epoch: str | None) -> Answer:
    """Return every comment of the thread whose public form changed after `after`, in its present state.

    Without `after`: an empty change at the head. Reset where the epoch is another, `after` is ahead of the head, or
    the diff is above 500 rows or 256 KiB.
    """
    present = rows.epoch(sql)
    thread = threads.by_key(sql, key)
    if (epoch is not None and epoch != present) or (after is not None and after > thread.version):
        return Reset(thread=key, epoch=present, version=thread.version)
    start = thread.version if after is None else after
    if thread.id is None:
        return Change(thread=key, epoch=present, after=0, version=0)
    diff = rows.change(sql, thread.id, start, thread.version, limit=MAX_ROWS + 1)
    if diff.is_too_large:
        return Reset(thread=key, epoch=present, version=thread.version)
    return diff


def _path(sql: sqlite3.Connection, thread: Thread, cursor: str, sort: str) -> tuple[int, ...]:
    """Return the place that the cursor names. Raises Invalid (field cursor)."""
    is_whole = cursor.endswith("~") and sort != "flat"
    id_ = cursor.removesuffix("~") if is_whole else cursor
    path = path_of(sql, thread, int(id_)) if id_.isascii() and id_.isdigit() and len(id_) < 19 else ()
    if not path:
        raise Invalid("The cursor is not one that a page of this thread gave.", field="cursor")
    return (*path, BEYOND_ALL) if is_whole else path


def _parent(sql: sqlite3.Connection, id_: int) -> int | None:
    (parent,) = sql.execute("SELECT parent FROM comments WHERE id = ?", (id_,)).fetchone()
    return int(parent) if parent is not None else None


def _is_above(sql: sqlite3.Connection, ancestor: int, id_: int) -> bool:
    above = _parent(sql, id_)
    while above is not None and above != ancestor:
        above = _parent(sql, above)
    return above is not None


def _comments(sql: sqlite3.Connection, ids: list[int] | tuple[int, ...]) -> tuple[Comment, ...]:
    found: dict[int, Comment] = {}
    for start in range(0, len(ids), 500):
        some = ids[start : start + 500]
        marks = ",".join("?" * len(some))
        for row in sql.execute(f"{rows.COMMENT} WHERE c.id IN ({marks})", some):
            found[row[0]] = rows.comment(row)
    return tuple(found[id_] for id_ in ids)
