"""We as a client of one provider: where people are sent, and whom its answer names.

Its metadata are kept for a day at most. Its keys are fetched again for a statement that none of them has signed, once a
minute at most.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import importlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus, urlencode, urlsplit

import msgspec

from server.errors import Forbidden, Unavailable
from server.openid import fetching, id_token
from server.openid.fetching import Unreachable
from server.openid.id_token import Statement, UnknownKey, Untrue
from server.settings.providers import Provider, is_here, is_secure

if TYPE_CHECKING:
    import httpx2

log = logging.getLogger("livethread.openid")

METADATA_SECONDS = 24 * 3600
KEYS_AGAIN_SECONDS = 60
# After a failure, so that those who wait for the same answer do not each wait for another one.
FAILED_SECONDS = 3
SCOPE = "openid profile"
MAX_CODE_CHARACTERS = 8 * 1024
SHOWN_CHARACTERS = 80


class Metadata(msgspec.Struct):
    """What we read of OpenID Connect Discovery 1.0, and of RFC 9207."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    authorization_response_iss_parameter_supported: bool = False
    token_endpoint_auth_methods_supported: list[str] | None = None


@dataclass(frozen=True, slots=True)
class Known:
    metadata: Metadata
    keys: list[dict[str, Any]]
    until: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What a browser brings back from the provider; each is "" where it is missing."""

    code: str
    issuer: str
    error: str


@dataclass(frozen=True, slots=True)
class Proven:
    """A statement that holds, and what userinfo is asked with."""

    statement: Statement
    access_token: str


class Client:
    """`redirect_uri`: where browsers come back. `trouble`: why the provider could not be used the last time."""

    def __init__(
        self,
        provider: Provider,
        redirect_uri: str,
        asking: httpx2.AsyncClient,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.provider = provider
        self.redirect_uri = redirect_uri
        self.trouble = ""
        self._asking = asking
        self._clock = clock
        self._known: Known | None = None
        self._one_at_a_time = asyncio.Lock()
        self._failed_at = self._again_at = -float("inf")

    async def address(self, state: str, nonce: str, verifier: str) -> str:
        """Return where the browser goes. Raises Unavailable."""
        known = await self._present()
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        asked = {
            "response_type": "code", "client_id": self.provider.client_id, "redirect_uri": self.redirect_uri,
            "scope": SCOPE, "state": state, "nonce": nonce, "code_challenge": challenge,
            "code_challenge_method": "S256",
        }  # fmt: skip
        endpoint = known.metadata.authorization_endpoint
        return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{urlencode(asked)}"

    async def look(self) -> None:
        """Fetch what the provider says of itself. Raises Unavailable."""
        await self._present()

    async def prove(self, answer: Answer, nonce: str, verifier: str) -> Proven:
        """Return what the provider states to the answer. Raises Forbidden, Unavailable."""
        known = await self._present()
        is_promised = known.metadata.authorization_response_iss_parameter_supported
        if answer.issuer != self.provider.issuer and (is_promised or answer.issuer):
            raise self._refused("iss of the answer")
        if answer.error:
            if answer.error == "access_denied":
                raise Forbidden("error.oidc_denied", code="access_denied", provider=self.provider.label)
            raise self._refused(f"error {_shown(answer.error)}")
        if not 0 < len(answer.code) <= MAX_CODE_CHARACTERS:
            raise self._refused("no code")
        given = await self._exchanged(known.metadata, answer.code, verifier)
        token, access_token = given.get("id_token"), given.get("access_token")
        if not isinstance(token, str):
            raise self._refused("no id_token")
        statement = await self._read(token, known, nonce)
        return Proven(statement, access_token if isinstance(access_token, str) else "")

    async def names(self, proven: Proven) -> Sequence[str]:
        """Return what the person may be called, by the statement or else by userinfo. Raises Forbidden, Unavailable."""
        endpoint = (await self._present()).metadata.userinfo_endpoint
        if proven.statement.names or not endpoint or not proven.access_token.isascii() or not proven.access_token:
            return proven.statement.names
        bearer = {"Authorization": f"Bearer {proven.access_token}"}
        status, claims = await self._ask("GET", endpoint, headers=bearer)
        if status != 200:
            raise self._refused(f"userinfo answered {status}")
        if claims.get("sub") != proven.statement.subject:
            raise self._refused("sub of userinfo")
        return id_token.names(claims)

    async def _exchanged(self, metadata: Metadata, code: str, verifier: str) -> dict[str, Any]:
        form = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": self.redirect_uri,
            "code_verifier": verifier,
        }  # fmt: skip
        methods = metadata.token_endpoint_auth_methods_supported or ["client_secret_basic"]
        client_id, secret = self.provider.client_id, self.provider.secret
        headers = {}
        if secret and "client_secret_basic" in methods:
            # RFC 6749, 2.3.1: as in a form, then in base64.
            both = f"{quote_plus(client_id)}:{quote_plus(secret)}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(both).decode()}"
        else:
            form["client_id"] = client_id
            if secret:
                form["client_secret"] = secret
        status, given = await self._ask("POST", metadata.token_endpoint, data=form, headers=headers)
        if status != 200:
            raise self._refused(f"the code was answered with {status} {_shown(given.get('error'))}")
        return given

    async def _read(self, token: str, known: Known, nonce: str) -> Statement:
        try:
            try:
                return self._stated(token, known.keys, nonce)
            except UnknownKey:
                return self._stated(token, await self._keys_again(known), nonce)
        except Untrue as error:
            raise self._refused(str(error)) from None

    def _stated(self, token: str, keys: list[dict[str, Any]], nonce: str) -> Statement:
        return id_token.read(
            token,
            keys,
            issuer=self.provider.issuer,
            client_id=self.provider.client_id,
            nonce=nonce,
            now=time.time(),
        )

    async def _present(self) -> Known:
        """Return what is known of the provider. Raises Unavailable."""
        known = self._known
        if known is not None and known.until > self._clock():
            return known
        async with self._one_at_a_time:
            if self._known is not None and self._known.until > self._clock():
                return self._known
            if self._failed_at + FAILED_SECONDS > self._clock():
                raise Unavailable("error.oidc_down", code="provider_down", provider=self.provider.label)
            try:
                metadata = await self._metadata()
                self._known = Known(metadata, await self._keys(metadata), self._clock() + METADATA_SECONDS)
            except Unavailable:
                self._failed_at = self._clock()
                raise
            return self._known

    async def _metadata(self) -> Metadata:
        _, found = await self._ask("GET", f"{self.provider.issuer.rstrip('/')}/.well-known/openid-configuration")
        try:
            metadata = msgspec.convert(found, Metadata)
        except msgspec.ValidationError as error:
            raise self._down(f"its metadata cannot be used: {error}") from None
        if metadata.issuer != self.provider.issuer:
            raise self._down(f"its metadata are of another issuer, {_shown(metadata.issuer)}")
        is_loopback = is_here(self.provider.issuer)
        for endpoint in (
            metadata.authorization_endpoint, metadata.token_endpoint, metadata.jwks_uri,
            metadata.userinfo_endpoint or self.provider.issuer,
        ):  # fmt: skip
            if not is_secure(endpoint, is_loopback=is_loopback):
                raise self._down(f"its metadata have an address that is not secure, {_shown(endpoint)}")
        return metadata

    async def _keys(self, metadata: Metadata) -> list[dict[str, Any]]:
        _, found = await self._ask("GET", metadata.jwks_uri)
        keys = found.get("keys")
        if not isinstance(keys, list):
            raise self._down("its keys cannot be used")
        return [key for key in keys if isinstance(key, dict)]

    async def _keys_again(self, known: Known) -> list[dict[str, Any]]:
        """Return the provider's present keys. Raises Untrue if they were fetched again a moment ago."""
        async with self._one_at_a_time:
            if self._known is not None and self._known is not known:
                # Somebody else's statement brought them.
                return self._known.keys
            if self._again_at > self._clock():
                raise Untrue("signature")
            try:
                keys = await self._keys(known.metadata)
            except Unavailable:
                self._again_at = self._clock() + FAILED_SECONDS
                raise
            # Not before: who waits for the keys may leave, and the next one must not be refused for it.
            self._again_at = self._clock() + KEYS_AGAIN_SECONDS
            self._known = Known(known.metadata, keys, known.until)
            return keys

    async def _ask(self, method: str, url: str, **given: Any) -> tuple[int, dict[str, Any]]:
        try:
            return await fetching.ask(self._asking, method, url, **given)
        except Unreachable as error:
            raise self._down(f"{urlsplit(url).path}: {error}") from error

    def _down(self, why: str) -> Unavailable:
        self.trouble = why
        log.warning("OpenID provider %s cannot be used: %s", self.provider.name, why)
        return Unavailable("error.oidc_down", code="provider_down", provider=self.provider.label)

    def _refused(self, why: str) -> Forbidden:
        log.warning("a log-in by OpenID provider %s was refused: %s", self.provider.name, why)
        return Forbidden("error.oidc_refused", code="bad_statement", provider=self.provider.label)


@contextlib.asynccontextmanager
async def clients(providers: Sequence[Provider], address: str) -> AsyncIterator[dict[str, Client]]:
    """Return a client for each provider, by its name; `address`: of this server."""
    if providers:
        # A tenth of a second, which no request should wait for.
        await asyncio.to_thread(importlib.import_module, "joserfc.jws")
    async with contextlib.AsyncExitStack() as stack:
        yield {
            one.name: Client(
                one,
                f"{address}/login/{one.name}/callback",
                await stack.enter_async_context(fetching.client(is_here=is_here(one.issuer))),
            )
            for one in providers
        }


def _shown(said: object) -> str:
    """Return what a provider said as a line of the log may repeat it."""
    return ascii(str(said)[:SHOWN_CHARACTERS])
