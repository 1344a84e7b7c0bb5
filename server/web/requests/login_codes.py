"""Codes that end a log-in for another site: of one use, short-lived, and kept in memory alone."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from server.errors import Forbidden
from server.model import Account
from server.sites import Site

CODE_SECONDS = 60
MOST_KEPT = 20_000
# More than anybody has windows open; so one account cannot keep all others from logging in.
MOST_OF_ONE = 8


@dataclass(frozen=True, slots=True)
class Grant:
    """What a code gives: a session of `account` on `site`. `session`: hash of the token that it gave already.

    Without a challenge: a statement of the site gave that session, and the code gives a bearer in its place.
    """

    account: Account
    site: str
    challenge: str
    moderates: bool
    until: float
    session: bytes | None = None


class LoginCodes:
    """A code is claimed by the tab that holds the verifier of its challenge (RFC 7636, S256), once.

    Once more, and for a bearer, where the cookie of the first claim provably does not come back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, most: int = MOST_KEPT) -> None:
        self._clock = clock
        self._most = most
        # In the order in which they were issued, and so in which they end.
        self._grants: dict[bytes, Grant] = {}
        # By account, the oldest first.
        self._of: dict[int, list[bytes]] = {}
        self._by_session: dict[bytes, bytes] = {}
        # By site, the oldest first.
        self._on: dict[str, dict[bytes, None]] = {}

    def issue(self, account: Account, site: Site, challenge: str, *, moderates: bool) -> str:
        """Return a new code; of one account the latest few count. When there is no room, the site with most loses the
        oldest, which may be this one."""
        self._sweep()
        own = self._of.get(account.id, [])
        if len(own) >= MOST_OF_ONE:
            self._drop(own[0])
        if len(self._grants) >= self._most:
            most = max(self._on.values(), key=len)
            self._drop(next(iter(most)))
        code = secrets.token_urlsafe(32)
        self._keep(_hash(code), Grant(account, site.id, challenge, moderates, self._clock() + CODE_SECONDS))
        return code

    def claim(self, code: str, verifier: str, site: Site, *, is_again: bool) -> Grant:
        """Return what the code gives. A claim that is wrong in anything ends the code. Raises Forbidden."""
        self._sweep()
        grant = self._drop(_hash(code))
        if (
            grant is None
            or grant.until < self._clock()
            or grant.site != site.id
            or not hmac.compare_digest(challenge_of(verifier), grant.challenge)
            or (grant.session is not None and not is_again)
        ):
            raise Forbidden("error.bad_code", code="bad_code")
        return grant

    def claimed(self, code: str, grant: Grant, session: bytes) -> None:
        """The code gave this session by a cookie: until it comes back, the code gives a bearer instead."""
        hashed = _hash(code)
        self._keep(hashed, replace(grant, session=session))
        self._by_session[session] = hashed

    def hand_out(self, account: Account, site: Site, session: bytes) -> str:
        """Return a code that gives a bearer, once, until the cookie of this session comes back."""
        code = self.issue(account, site, "", moderates=False)
        self.claimed(code, self._taken(_hash(code)), session)
        return code

    def exchange(self, code: str, site: Site) -> Grant:
        """Return what a code that was handed out gives. Raises Forbidden."""
        self._sweep()
        grant = self._grants.get(_hash(code))
        if grant is None or grant.challenge or grant.site != site.id or grant.until < self._clock():
            raise Forbidden("error.bad_code", code="bad_code")
        return self._taken(_hash(code))

    def settle(self, session: bytes) -> None:
        """The cookie came back: its code is worth nothing any more."""
        if (code := self._by_session.get(session)) is not None:
            self._drop(code)

    def ended(self, account: int) -> None:
        """A session of the account ended, perhaps all: codes on their way end too."""
        for code in [*self._of.get(account, ())]:
            self._drop(code)

    def _sweep(self) -> None:
        # One that was claimed once stands behind later ones, and may stay until these end: a claim looks at the time.
        now = self._clock()
        while self._grants and self._grants[oldest := next(iter(self._grants))].until < now:
            self._drop(oldest)

    def _taken(self, code: bytes) -> Grant:
        grant = self._drop(code)
        assert grant is not None
        return grant

    def _keep(self, code: bytes, grant: Grant) -> None:
        self._grants[code] = grant
        self._of.setdefault(grant.account.id, []).append(code)
        self._on.setdefault(grant.site, {})[code] = None

    def _drop(self, code: bytes) -> Grant | None:
        grant = self._grants.pop(code, None)
        if grant is None:
            return None
        del self._on[grant.site][code]
        if not self._on[grant.site]:
            del self._on[grant.site]
        own = self._of[grant.account.id]
        own.remove(code)
        if not own:
            del self._of[grant.account.id]
        if grant.session is not None:
            self._by_session.pop(grant.session, None)
        return grant


def challenge_of(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode("utf-8", "surrogatepass")).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _hash(code: str) -> bytes:
    return hashlib.sha256(code.encode("utf-8", "surrogatepass")).digest()
