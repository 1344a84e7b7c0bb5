"""What of a thread's page is an account's own: read by itself, since the rest of the page is everybody's."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, field

from server.model import Account
from server.storage.accounts import notifications, visits
from server.storage.comments import comments, votes
from server.storage.engine.database import Database, Sql
from server.storage.threads import threads
from server.web.pages.comment_fragments import Personal
from server.web.pages.shared_thread_page import Sheet

KEPT_MS = 1_000
MOST_KEPT = 1_000
LARGEST_KEPT = 200


@dataclass(frozen=True, slots=True)
class Own:
    """`votes` and `owed`, votes that are not in a score yet, by comment; `told`: how many notices are unread.

    `is_unread`: a visit of this thread is unknown, or something is new since.
    """

    votes: dict[int, int]
    owed: dict[int, int]
    since: visits.Since | None
    is_unread: bool
    told: int
    unseen: list[comments.Found] = field(default_factory=list)

    @property
    def size(self) -> int:
        """How many comments it tells something of; of those that its author alone sees it has the texts."""
        fresh = len(self.since.fresh) if self.since else 0
        return len(self.votes) + len(self.owed) + fresh + 100 * len(self.unseen)


class OwnMarks:
    """Reads them, once for all pages that an account opens while nothing is written."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: OrderedDict[tuple[int, str], _Kept] = OrderedDict()

    async def of(self, viewer: Account, key: str, now: int) -> Own:
        """Return the account's own of a thread at the time `now` (milliseconds)."""
        written = self._database.written
        known = self._kept.get((viewer.id, key))
        # What is new depends on the time as well.
        if known is not None and known.written == written and now - known.at < KEPT_MS:
            return known.own
        own = await self._database.read(lambda sql: read(sql, viewer, key, now))
        if own.size < LARGEST_KEPT:
            self._kept[viewer.id, key] = _Kept(own, written, now)
            self._kept.move_to_end((viewer.id, key))
            if len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return own


@dataclass(frozen=True, slots=True)
class _Kept:
    own: Own
    written: int
    at: int


def read(sql: Sql, viewer: Account, key: str, now: int) -> Own:
    thread = threads.by_key(sql, key)
    since = visits.since(sql, viewer.id, thread, now)
    cast, owed = votes.of_account(sql, viewer.id, thread)
    return Own(
        cast,
        owed,
        since,
        thread.comments > 0 and (since is not None or visits.last(sql, viewer.id, key) is None),
        notifications.unread(sql, viewer.id),
        comments.unseen(sql, viewer, thread=key),
    )


def personal(own: Own, viewer: Account, sheet: Sheet) -> dict[int, Personal]:
    """Return the comments of the page that look otherwise to the account than to others."""
    fresh: Collection[int] = own.since.fresh if own.since else ()
    mine = sheet.own.get(viewer.id, [])
    is_mine = frozenset(mine)
    concerned = {*own.votes, *own.owed, *fresh, *mine}
    # The smaller one is walked: an account may have voted on thousands of comments elsewhere in the thread.
    ids = [id_ for id_ in concerned if id_ in sheet.at] if len(concerned) < len(sheet.at) else [
        id_ for id_ in sheet.at if id_ in concerned
    ]  # fmt: skip
    return {
        id_: Personal(own.votes.get(id_, 0), sheet.scores[id_] + own.owed.get(id_, 0), id_ in is_mine, id_ in fresh)
        for id_ in ids
    }
