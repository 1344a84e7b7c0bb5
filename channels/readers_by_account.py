"""Authenticated readers of this process, by account. Knows neither tickets nor sessions."""

from __future__ import annotations

import msgspec

from channels.messages import AccountEvent
from channels.sockets.frames import text_frame
from channels.sockets.reader import SIGNED_OUT, Reader

ENDED_KEPT = 10_000


class You(msgspec.Struct, frozen=True, tag="you", tag_field="type"):
    version: int


class SignIns:
    """Authenticated readers by account, and recently ended sessions, whose older tickets are refused."""

    def __init__(self) -> None:
        self._readers: dict[int, set[Reader]] = {}
        self._ended: dict[int, int] = {}
        # What ended before this version was not heard here; None: nothing was heard yet.
        self._hears_after: int | None = None

    def hears_after(self, version: int) -> None:
        self._hears_after = version
        self._ended.clear()

    def enter(self, reader: Reader, account: int, name: str, version: int) -> bool:
        """Sign `reader` in by a ticket made at `version`; False if the ticket may be one of an ended session."""
        self.disconnect(reader)
        if self._hears_after is None or version < max(self._hears_after, self._ended.get(account, 0)):
            return False
        reader.account, reader.name = account, name
        self._readers.setdefault(account, set()).add(reader)
        return True

    def disconnect(self, reader: Reader) -> None:
        if reader.account is not None:
            readers = self._readers.get(reader.account, set())
            readers.discard(reader)
            if not readers:
                self._readers.pop(reader.account, None)
            reader.account, reader.name = None, ""

    def concern(self, concern: AccountEvent) -> None:
        """PollNow the account's bell on its sockets, or close them all."""
        readers = tuple(self._readers.get(concern.account, ()))
        if concern.is_end:
            self._ended.pop(concern.account, None)
            self._ended[concern.account] = concern.version
            if len(self._ended) > ENDED_KEPT:
                forgotten = next(iter(self._ended))
                self._hears_after = max(self._hears_after or 0, self._ended.pop(forgotten))
            for reader in readers:
                reader.end(SIGNED_OUT)
        else:
            for reader in readers:
                reader.offer(text_frame(msgspec.json.encode(You(concern.version))))
