"""Work in several writes: 100 rows at a time with other writes in between, so that nobody waits.

The first step is taken with the write that begins it; the others are a job.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from server.storage.comments import comments, quotes
from server.storage.engine.write import Write
from server.storage.jobs import outbox
from server.storage.threads import merging

ROWS_IN_ONE_WRITE = 100

Kind = Literal["erase account", "stamp account", "stamp quotes", "merge thread"]
# Continues after the given row (0: the start); returns the last row reached, None when done.
Step = Callable[[Write, int, int], int | None]


def begin(write: Write, kind: Kind, subject: int) -> None:
    """Erase or stamp all comments of an account, stamp those that quote a comment, or move those of a merged thread."""
    reached = STEPS[kind](write, subject, 0)
    if reached is not None:
        outbox.add(write, kind, subject, reached)


def _erase_account(write: Write, account: int, _: int) -> int | None:
    some = comments.with_text_of(write.sql, account, limit=ROWS_IN_ONE_WRITE)
    for comment in some:
        comments.set_state(write, comment, "deleted")
    return some[-1].id if len(some) == ROWS_IN_ONE_WRITE else None


def _stamp_account(write: Write, account: int, reached: int) -> int | None:
    some = comments.visible_of(write.sql, account, after=reached, limit=ROWS_IN_ONE_WRITE)
    for thread, id_ in some:
        write.stamp(thread, [id_])
    return some[-1][1] if len(some) == ROWS_IN_ONE_WRITE else None


def _stamp_quotes(write: Write, comment: int, reached: int) -> int | None:
    return quotes.stamp(write, comment, after=reached)


STEPS: Mapping[str, Step] = {
    "erase account": _erase_account,
    "stamp account": _stamp_account,
    "stamp quotes": _stamp_quotes,
    "merge thread": merging.step,
}
