"""A thread as it stands: pages of it for readers, and the diff after a version."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from channels.change import MAX_ROWS, Answer, Change, Comment, Info, Reset
from server.errors import Invalid, NotFound
from server.model import Thread
from server.storage import rows, threads

ROOTS_AT_ONCE = 100
_BRANCHES = """
WITH RECURSIVE branch(id, parent, state) AS (
    SELECT * FROM (
        SELECT id, parent, state FROM comments
        WHERE thread = :thread AND parent IS NULL AND id >= :first AND shown ORDER BY id LIMIT :roots
    )
    UNION ALL
    SELECT c.id, c.parent, c.state FROM comments c JOIN branch ON c.thread = :thread AND c.parent = branch.id
    WHERE c.shown
)
SELECT id, parent, state FROM branch
"""


@dataclass(frozen=True, slots=True)
class Page:
    """`comments` in the order of reading; `context` are their ancestors on earlier pages; `next` "" at the end.

    `start` is the path of ids from the root to the comment that the page follows, empty on the first.
    """

    thread: Thread
    epoch: str
    info: Info
    comments: tuple[Comment, ...]
    context: tuple[Comment, ...]
    start: tuple[int, ...]
    next: str

    @property
    def remaining(self) -> int:
        """How many visible comments the first page leaves for later ones."""
        return self.info.comments - sum(comment.state == "visible" for comment in self.comments)

    def holds(self, id_: int) -> bool:
        return any(comment.id == id_ for comment in self.comments)


def page(sql: sqlite3.Connection, key: str, cursor: str, limit: int) -> Page:
    """Return up to `limit` comments of the thread after `cursor`, each root followed by its replies.

    A cursor is the id of the last comment visited. Rows are never removed and never move, so it stays right while
    comments arrive. A page never ends on a tombstone: what makes one drawable is on the page with it, so a page may
    be a few comments shorter (or, for a page of nothing but tombstones, longer) than `limit`.
    Raises Invalid (field cursor).
    """
    thread = threads.by_key(sql, key)
    epoch = rows.epoch(sql)
    path = _path(sql, thread, cursor) if cursor else ()
    ids, is_last = _visit(sql, thread, path, limit)
    context = path if ids and path and _parent(sql, ids[0]) is not None else ()
    shared = [id_ for id_ in context if _is_above(sql, id_, ids[0])]
    return Page(
        thread=thread,
        epoch=epoch,
        info=info(thread),
        comments=_comments(sql, ids),
        context=_comments(sql, shared),
        start=path,
        next="" if is_last else str(ids[-1]),
    )


def page_holding(sql: sqlite3.Connection, key: str, comment: int, limit: int) -> Page:
    """Return the page around a comment: the first where it stands there, else one that begins with its branch.

    Raises NotFound where the thread does not draw it.
    """
    found = page(sql, key, "", limit)
    if found.next and not found.holds(comment):
        found = page(sql, key, _before_branch(sql, found.thread, comment), limit)
    while found.next and not found.holds(comment):
        found = page(sql, key, found.next, limit)
    if not found.holds(comment):
        raise NotFound("There is no such comment in this thread.")
    return found


def _before_branch(sql: sqlite3.Connection, thread: Thread, comment: int) -> str:
    """Return the cursor of a page that begins with the comment's branch. Raises NotFound."""
    try:
        root = _path(sql, thread, str(comment))[0]
    except Invalid:
        raise NotFound("There is no such comment in this thread.") from None
    (before,) = sql.execute(
        "SELECT max(id) FROM comments WHERE thread = ? AND parent IS NULL AND id < ? AND shown", (thread.id, root)
    ).fetchone()
    return "" if before is None else str(_last_below(sql, thread, before))


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


def _visit(sql: sqlite3.Connection, thread: Thread, path: tuple[int, ...], limit: int) -> tuple[list[int], bool]:
    """Return the ids of the comments to draw after `path` in the order of reading, and whether they are the last."""
    visited: list[int] = []
    states: dict[int, str] = {}
    first = path[0] if path else 0
    while thread.id is not None:
        skeleton = sql.execute(_BRANCHES, {"thread": thread.id, "first": first, "roots": ROOTS_AT_ONCE}).fetchall()
        roots = [id_ for id_, parent, _ in skeleton if parent is None]
        for id_, trail, state in _drawn_in_order(skeleton):
            if trail > path:
                visited.append(id_)
                states[id_] = state
        if len(visited) > limit or len(roots) < ROOTS_AT_ONCE:
            break
        first = max(roots) + 1
    if len(visited) <= limit:
        return visited, True
    end = limit
    while end and states[visited[end - 1]] != "visible":
        end -= 1
    if not end:
        end = next(place for place, id_ in enumerate(visited, start=1) if states[id_] == "visible")
    return visited[:end], end == len(visited)


def _drawn_in_order(skeleton: list[tuple[int, int | None, str]]) -> list[tuple[int, tuple[int, ...], str]]:
    """Return (id, path from the root, state) of what may be drawn: a tombstone without visible descendants is not."""
    parents = {id_: parent for id_, parent, _ in skeleton}
    drawn: set[int] = set()
    for id_, _, state in skeleton:
        above: int | None = id_
        while state == "visible" and above is not None and above not in drawn:
            drawn.add(above)
            above = parents[above]
    trails: dict[int, tuple[int, ...]] = {}
    # A parent's id is always below its replies', so ids in order meet every parent first.
    for id_, parent, _ in sorted(skeleton):
        trails[id_] = (*trails[parent], id_) if parent is not None else (id_,)
    order = [(id_, trails[id_], state) for id_, _, state in skeleton if id_ in drawn]
    return sorted(order, key=lambda place: place[1])


def _path(sql: sqlite3.Connection, thread: Thread, cursor: str) -> tuple[int, ...]:
    path: list[int] = []
    above: int | None = int(cursor) if cursor.isascii() and cursor.isdigit() and len(cursor) < 19 else None
    while above is not None:
        row = sql.execute(
            "SELECT parent FROM comments WHERE id = ? AND thread = ? AND shown", (above, thread.id)
        ).fetchone()
        if row is None:
            break
        path.insert(0, above)
        (above,) = row
    if not path:
        raise Invalid("The cursor is not one that a page of this thread gave.", field="cursor")
    return tuple(path)


def _parent(sql: sqlite3.Connection, id_: int) -> int | None:
    (parent,) = sql.execute("SELECT parent FROM comments WHERE id = ?", (id_,)).fetchone()
    return int(parent) if parent is not None else None


def _is_above(sql: sqlite3.Connection, ancestor: int, id_: int) -> bool:
    above = _parent(sql, id_)
    while above is not None and above != ancestor:
        above = _parent(sql, above)
    return above is not None


def _last_below(sql: sqlite3.Connection, thread: Thread, root: int) -> int:
    """Return the last comment of the root's branch in the order of reading, drawn or not."""
    last = root
    while (
        below := sql.execute(
            "SELECT max(id) FROM comments WHERE thread = ? AND parent = ? AND shown", (thread.id, last)
        ).fetchone()[0]
    ) is not None:
        last = below
    return int(last)


def _comments(sql: sqlite3.Connection, ids: list[int] | tuple[int, ...]) -> tuple[Comment, ...]:
    found: dict[int, Comment] = {}
    for start in range(0, len(ids), 500):
        some = ids[start : start + 500]
        marks = ",".join("?" * len(some))
        for row in sql.execute(f"{rows.COMMENT} WHERE c.id IN ({marks})", some):
            found[row[0]] = rows.comment(row)
    return tuple(found[id_] for id_ in ids)
