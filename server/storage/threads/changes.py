"""Changes of a thread after a version: those of one write, and the diff for returning readers."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence

from msgspec import UNSET

from channels.messages import MAX_ROWS, Answer, Change, Comment, Reset
from server.storage.comments import comment_rows
from server.storage.threads import threads
from server.visibility import info, view

# What is read at once for many who ask: less than a read may take, and less than two of the largest diffs above it.
MANY_SECONDS = 0.1
MANY_BYTES = 1024 * 1024
_BRANCHES = """
WITH RECURSIVE up(id, parent) AS (
    SELECT id, parent FROM comments WHERE thread = ? AND version > ? AND shown AND parent IS NOT NULL
    UNION SELECT c.id, c.parent FROM comments c JOIN up ON c.id = up.parent
)
SELECT c.id, c.below FROM up JOIN comments c ON c.id = up.id WHERE up.parent IS NULL
"""


def change(
    sql: sqlite3.Connection,
    thread: int,
    after: int,
    version: int,
    limit: int = -1,
    scores: frozenset[int] | set[int] = frozenset(),
    known: Comment | None = None,
) -> Change:
    """Return what `thread` shows differently after the version `after`, in its present state.

    Of the comments in `scores` only the score: nothing else of them moved. `known` is one of those that changed, and
    is not made again.
    """
    described = threads.by_id(sql, thread)
    # Who reads what went into another thread is led there.
    limit = 0 if described.moved else limit
    condition = "c.thread = ? AND c.version > ? AND c.shown AND c.id IS NOT ? ORDER BY c.version, c.id LIMIT ?"
    found = [
        seen
        for one in comment_rows.where(sql, condition, (thread, after, known and known.id, limit))
        if (seen := view(None, one)) is not None
    ]
    # What is too long to be sent needs no counts.
    is_whole = len(found) != limit and not described.moved
    if known is not None:
        found = sorted([*found, known], key=lambda one: (one.version, one.id))
    # A count moves only with a reply that is stamped.
    has_replies = is_whole and any(one.parent is not None and one.id not in scores for one in found)
    return Change(
        thread=described.key,
        epoch=threads.epoch(sql),
        after=after,
        version=version,
        comments=tuple(
            Comment(id=one.id, version=one.version, score=one.score) if one.id in scores else one for one in found
        ),
        info=info(described),
        branches=dict(sql.execute(_BRANCHES, (thread, after)).fetchall()) if has_replies else UNSET,
    )


def diff(sql: sqlite3.Connection, key: str, after: int | None, epoch: str | None) -> Answer:
    """Return every comment of the thread whose public form changed after `after`, in its present state.

    Without `after`: an empty change at the head. Reset where the epoch is another, `after` is ahead of the head, or
    the diff is above 500 rows or 256 KiB.
    """
    present = threads.epoch(sql)
    thread = threads.under_key(sql, key)
    if (epoch is not None and epoch != present) or (after is not None and after > thread.version):
        return Reset(thread=key, epoch=present, version=thread.version)
    start = thread.version if after is None else after
    if thread.id is None:
        return Change(thread=key, epoch=present, after=0, version=0)
    found = change(sql, thread.id, start, thread.version, limit=MAX_ROWS + 1)
    if found.is_too_large:
        return Reset(thread=key, epoch=present, version=thread.version)
    return found


def many_diffs(sql: sqlite3.Connection, asked: Sequence[tuple[str, int | None, str | None]]) -> list[Answer | None]:
    """Return what `diff` returns for each (key, after, epoch), None if no time or room was left for it."""
    answers: list[Answer | None] = []
    until, left = time.monotonic() + MANY_SECONDS, MANY_BYTES
    for key, after, epoch in asked:
        if answers and (left <= 0 or time.monotonic() > until):
            answers.append(None)
            continue
        answer = diff(sql, key, after, epoch)
        left -= len(answer.frame) if isinstance(answer, Change) else 0
        answers.append(answer)
    return answers
