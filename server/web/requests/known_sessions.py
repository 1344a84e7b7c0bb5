"""A cache of sessions, so that a request with a known session needs no database."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import replace

from server.errors import Unavailable
from server.model import Account
from server.sites import OWN
from server.storage.accounts import sessions
from server.storage.accounts.sessions import Lifetime, Session
from server.storage.engine.database import Database

SESSIONS_KEPT = 20_000
# How exactly it is kept when a session was last used, where it lasts long.
USED_MS = 3_600_000


class KnownSessions:
    """Whose session a token is, kept in memory until a session of the account ends: most requests bring a known one.

    That a session is used is written down at most once an hour, or ten times in its idle time if that is short.
    """

    def __init__(self, database: Database, lifetime: Lifetime) -> None:
        self._database = database
        self._lifetime = lifetime
        self._used_ms = min(USED_MS, lifetime.idle // 10)
        self._known: OrderedDict[bytes, Session] = OrderedDict()
        self._endings = 0

    async def account(self, token_hash: bytes, site: str = OWN) -> Account | None:
        """Return the session's account; None if there is none, it has expired, or it is of another site."""
        session = self._known.get(token_hash) or await self._read(token_hash)
        if session is None or session.site != site:
            return None
        now = time.time_ns() // 1_000_000
        if self._lifetime.is_over(session.created, session.seen, now):
            self._known.pop(token_hash, None)
            return None
        if now - session.seen >= self._used_ms:
            await self._use(token_hash, session, now)
        if token_hash in self._known:
            self._known.move_to_end(token_hash)
        return session.account

    def ended(self, account: int) -> None:
        """A session of `account` has ended, or its name, role or state has changed: nothing of it is known any more."""
        self._endings += 1
        for token_hash in [token_hash for token_hash, known in self._known.items() if known.account.id == account]:
            del self._known[token_hash]

    def forget_all(self) -> None:
        """What sessions may do has changed, with what a site allows."""
        self._endings += 1
        self._known.clear()

    async def _read(self, token_hash: bytes) -> Session | None:
        endings = self._endings
        found = await self._database.read(lambda sql: sessions.by_token(sql, token_hash))
        # Data read before a session ended may belong to that session.
        if found is not None and endings == self._endings:
            self._known[token_hash] = found
            if len(self._known) > SESSIONS_KEPT:
                self._known.popitem(last=False)
        return found

    async def _use(self, token_hash: bytes, session: Session, now: int) -> None:
        if token_hash in self._known:
            # Others who ask meanwhile do not write the same.
            self._known[token_hash] = replace(session, seen=now)
        try:
            await self._database.write(lambda write: sessions.used(write, token_hash))
        except Unavailable:
            # Reading goes on if nothing can be written; the next request tries again.
            self._known.pop(token_hash, None)
