"""Which answers are queued, and under which owner: an account, or else an address."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from functools import wraps
from typing import TypeVar

from starlette.responses import Response

from server.web.requests import session
from server.web.requests.context import Visit, address

Made = TypeVar("Made")
Endpoint = Callable[[Visit], Awaitable[Response]]


async def own_in_turn(visit: Visit, make: Callable[[], Awaitable[Made]]) -> Made:
    """Return what `make` returns once it is the visitor's turn. Raises TooMany."""
    return await visit.state["context"].turns.take(await _who(visit), object(), make)


async def shared_in_turn(
    visit: Visit, thread: str, question: Hashable, make: Callable[[], Awaitable[Made]], bytes_of: Callable[[Made], int]
) -> Made:
    """Return the answer that is shared by all, by `Shared.get`; only if it is to be made, once it is our turn.

    Raises TooMany.
    """
    context = visit.state["context"]

    def get() -> Awaitable[Made]:
        return context.shared.get(thread, question, make, bytes_of)

    if context.shared.knows(thread, question):
        return await get()
    return await context.turns.take(await _who(visit), (thread, question), get)


def in_turn(endpoint: Endpoint) -> Endpoint:
    """Queue an endpoint without a cached answer until its visitor's turn, once the body has arrived."""

    @wraps(endpoint)
    async def waiting(visit: Visit) -> Response:
        await visit.body()
        return await own_in_turn(visit, lambda: endpoint(visit))

    return waiting


async def _who(visit: Visit) -> str:
    account = await session.identify(visit)
    return f"account {account.id}" if account else address(visit)
