"""Going on with what takes more than one write: 100 rows at a time with other writes between, so that nobody waits."""

from __future__ import annotations

from server.storage import comments, quotes, unfinished
from server.storage.write import Write

ROWS_IN_ONE_WRITE = 100


def go_on(write: Write, id_: int) -> list[int]:
    """Take one step, and return what is to be gone on with after it."""
    known = unfinished.by_id(write.sql, id_)
    if known is None:
        return []
    what, subject, after = known
    if what == "erasure":
        reached = _erase(write, subject)
    elif what == "comments":
        reached = _stamp(write, subject, after)
    else:
        reached = quotes.stamp(write, subject, after=after)
    unfinished.reach(write, id_, reached)
    return [*write.unfinished, *([] if reached is None else [id_])]


def _erase(write: Write, account: int) -> int | None:
    some = comments.with_text_of(write.sql, account, limit=ROWS_IN_ONE_WRITE)
    for comment in some:
        comments.set_state(write, comment, "deleted")
    return some[-1].id if some else None


def _stamp(write: Write, account: int, after: int) -> int | None:
    some = comments.visible_of(write.sql, account, after=after, limit=ROWS_IN_ONE_WRITE)
    for thread, id_ in some:
        write.stamp(thread, [id_])
    return some[-1][1] if some else None
