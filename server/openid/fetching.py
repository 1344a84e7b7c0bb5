"""Asking a provider: each answer is bounded in bytes and time, and no redirect is followed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    import httpx2

MAX_ANSWER_BYTES = 1024 * 1024
ANSWER_SECONDS = 10
MOST_AT_ONCE = 20
# What is packed could be a thousand times as large as what arrives.
_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity"}


class Unreachable(Exception):
    """No answer, or none that can be used; the text says which, for the log."""


@contextlib.asynccontextmanager
async def client(*, is_here: bool) -> AsyncIterator[httpx2.AsyncClient]:
    """Return what asks one provider; `is_here`: on this machine, past any proxy of the environment."""
    import httpx2  # noqa: PLC0415 — a tenth of the start, and most servers have no provider

    limits = httpx2.Limits(max_connections=MOST_AT_ONCE)
    async with httpx2.AsyncClient(
        # With SSL_CERT_FILE, also past a proxy.
        verify=httpx2.create_ssl_context(),
        trust_env=not is_here,
        follow_redirects=False,
        timeout=ANSWER_SECONDS,
        limits=limits,
        headers=_HEADERS,
    ) as asking:
        # Providers set cookies, which are nobody's here.
        asking.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=()))
        yield asking


async def ask(asking: httpx2.AsyncClient, method: str, url: str, **given: Any) -> tuple[int, dict[str, Any]]:
    """Return the status and the JSON object of an answer; an empty one where a refusal has none. Raises Unreachable."""
    import httpx2  # noqa: PLC0415

    content = bytearray()
    try:
        async with asyncio.timeout(ANSWER_SECONDS), asking.stream(method, url, **given) as answer:
            if answer.headers.get("content-encoding", "identity") != "identity":
                raise Unreachable("the answer is packed, though that was not asked for")
            async for part in answer.aiter_raw():
                content += part
                if len(content) > MAX_ANSWER_BYTES:
                    raise Unreachable(f"the answer has more than {MAX_ANSWER_BYTES} bytes")
    except TimeoutError:
        raise Unreachable(f"no whole answer within {ANSWER_SECONDS} s") from None
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError, OSError) as error:
        raise Unreachable(f"{type(error).__name__}: {error}") from error
    status = int(answer.status_code)
    if status >= 500 or 300 <= status < 400:
        raise Unreachable(f"status {status}")
    try:
        return status, msgspec.json.decode(content, type=dict[str, Any])
    except (ValueError, msgspec.DecodeError, RecursionError):
        if status >= 400:
            return status, {}
        raise Unreachable("the answer is not a JSON object") from None
