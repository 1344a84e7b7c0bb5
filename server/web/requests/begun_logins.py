"""Log-ins that go by another server and have not come back: each bound to one browser, and kept in memory alone."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

ATTEMPT_SECONDS = 600
# Of all together, with the drafts that they carry along.
MAX_BYTES = 16 * 1024 * 1024
# A header with more cookies would be too large for some proxy.
MOST_OF_ONE_BROWSER = 8
# What an attempt takes besides its texts.
_OWN_BYTES = 1024
_ID = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a log-in is for. `draft`: the comment that was begun; `ask`: what a page of another site asked (site,
    challenge, back); `account`: to whom the person is linked, who is logged in already."""

    back: str = "/"
    draft: Mapping[str, str] | None = None
    ask: tuple[str, str, str] | None = None
    account: int | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """`id`: names the cookie; `state` and `cookie` are hashes, `until` by the clock."""

    id: str
    provider: str
    wanted: Wanted
    nonce: str
    verifier: str
    address: str
    state: bytes
    cookie: bytes
    until: float
    bytes: int


@dataclass(frozen=True, slots=True)
class Begun:
    attempt: Attempt
    state: str
    cookie: str


class BegunLogins:
    """An attempt is taken once, by the browser that began it. Who holds most loses the oldest when there is no room."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, most: int = MAX_BYTES) -> None:
        self._clock = clock
        self._most = most
        # In the order in which they were begun, and so in which they end.
        self._attempts: dict[str, Attempt] = {}
        self._bytes_of: dict[str, int] = {}
        self._bytes = 0

    def begin(self, provider: str, wanted: Wanted, address: str) -> Begun:
        """`address`: from which wider network, as a keyed hash: nobody makes much room with addresses of their own."""
        state, cookie = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        texts = [wanted.back, *(wanted.draft or {}).values(), *(wanted.ask or ())]
        size = _OWN_BYTES + sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
        attempt = Attempt(
            id_of(state), provider, wanted, secrets.token_urlsafe(32), secrets.token_urlsafe(48), address, _hash(state),
            _hash(cookie), self._clock() + ATTEMPT_SECONDS, size,
        )  # fmt: skip
        self._sweep()
        while self._attempts and self._bytes + attempt.bytes > self._most:
            self._make_room()
        self._drop(attempt.id)
        self._attempts[attempt.id] = attempt
        self._bytes += attempt.bytes
        self._bytes_of[address] = self._bytes_of.get(address, 0) + attempt.bytes
        return Begun(attempt, state, cookie)

    def take(self, state: str, cookie: str) -> Attempt | None:
        """Return the attempt of this state, once, to the browser with its cookie."""
        self._sweep()
        attempt = self._attempts.get(id_of(state))
        if (
            attempt is None
            or not hmac.compare_digest(attempt.state, _hash(state))
            or not hmac.compare_digest(attempt.cookie, _hash(cookie))
        ):
            return None
        return self._drop(attempt.id)

    def surplus(self, ids: list[str]) -> list[str]:
        """Return which of a browser's attempts it should forget before it begins another: all but the latest."""
        self._sweep()
        # A browser may send any names.
        given = {id_ for id_ in ids if _ID.fullmatch(id_)}
        alive = [id_ for id_ in self._attempts if id_ in given] if given else []
        kept = set(alive[-(MOST_OF_ONE_BROWSER - 1) :])
        return [id_ for id_ in ids if id_ in given and id_ not in kept]

    def _sweep(self) -> None:
        now = self._clock()
        while self._attempts and self._attempts[oldest := next(iter(self._attempts))].until < now:
            self._drop(oldest)

    def _make_room(self) -> None:
        most = max(self._bytes_of, key=self._bytes_of.__getitem__)
        self._drop(next(id_ for id_, one in self._attempts.items() if one.address == most))

    def _drop(self, id_: str) -> Attempt | None:
        attempt = self._attempts.pop(id_, None)
        if attempt is None:
            return None
        self._bytes -= attempt.bytes
        self._bytes_of[attempt.address] -= attempt.bytes
        if not self._bytes_of[attempt.address]:
            del self._bytes_of[attempt.address]
        return attempt


def id_of(state: str) -> str:
    return _hash(state).hex()[:16]


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
