"""Sessions that were looked up before, so that a request of somebody known asks no database."""

from __future__ import annotations

from collections import OrderedDict

from server.model import Account
from server.storage import accounts
from server.storage.database import Database

SESSIONS_KEPT = 20_000


class KnownSessions:
    """Whose session a token is, kept in memory until a session of the account ends: most requests bring a known one."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: OrderedDict[bytes, Account] = OrderedDict()
        self._endings = 0

    async def account(self, token_hash: bytes) -> Account | None:
        known = self._known.get(token_hash)
        if known is not None:
            self._known.move_to_end(token_hash)
            return known
        endings = self._endings
        found = await self._database.read(lambda sql: accounts.by_session(sql, token_hash))
        # What was read before a session ended may be of that session.
        if found is not None and endings == self._endings:
            self._known[token_hash] = found
            if len(self._known) > SESSIONS_KEPT:
                self._known.popitem(last=False)
        return found

    def ended(self, account: int) -> None:
        """A session of `account` has ended, or its role or state has changed: nothing of it is known any more."""
        self._endings += 1
        for token_hash in [token_hash for token_hash, known in self._known.items() if known.id == account]:
            del self._known[token_hash]
