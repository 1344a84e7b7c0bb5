"""Who is asking: the session in a cookie or a bearer token, and the ticket that signs a socket in."""

from __future__ import annotations

import time

from starlette.responses import Response

from server.actions import sign_in
from server.errors import NotSignedIn
from server.model import Account
from server.settings import Settings
from server.storage import accounts
from server.web.context import Visit, is_signed, sign

SESSION_SECONDS = 90 * 24 * 3600
TICKET_SECONDS = 60


def cookie_name(settings: Settings) -> str:
    # __Host- is refused by browsers without Secure, and so without https.
    return "__Host-livethread" if settings.is_https else "livethread"


def token(visit: Visit) -> str | None:
    scheme, _, value = visit.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and value:
        return value.strip()
    return visit.cookies.get(cookie_name(visit.state["live"].settings)) or None


async def identify(visit: Visit) -> Account | None:
    """Return the account whose session this request carries, or None."""
    presented = token(visit)
    if presented is None:
        return None
    token_hash = sign_in.token_hash(presented)
    return await visit.state["context"].database.read(lambda sql: accounts.by_session(sql, token_hash))


async def require(visit: Visit) -> Account:
    """Return the account. Raises NotSignedIn."""
    account = await identify(visit)
    if account is None:
        raise NotSignedIn("Log in or register to do this.")
    return account


async def begin(visit: Visit, account: Account, response: Response) -> str:
    """Begin a session and put its cookie into `response`; a session that the visitor had before ends."""
    context = visit.state["context"]
    earlier = visit.cookies.get(cookie_name(context.settings))
    if earlier:
        await sign_in.end_session(context.database, earlier)
    fresh = await sign_in.begin_session(context.database, account)
    response.set_cookie(
        cookie_name(context.settings),
        fresh,
        max_age=SESSION_SECONDS,
        secure=context.settings.is_https,
        httponly=True,
        samesite="lax",
    )
    return fresh


async def end(visit: Visit, response: Response) -> None:
    context = visit.state["context"]
    presented = token(visit)
    if presented is not None:
        await sign_in.end_session(context.database, presented)
    response.delete_cookie(
        cookie_name(context.settings), secure=context.settings.is_https, httponly=True, samesite="lax"
    )


def ticket(settings: Settings, account: Account) -> tuple[str, int]:
    """Return a ticket and when it expires (unix seconds)."""
    expires = int(time.time()) + TICKET_SECONDS
    return f"{account.id}.{expires}.{sign(settings, 'ticket', str(account.id), str(expires))}", expires


def account_of_ticket(settings: Settings, presented: str) -> int | None:
    """Return the account's id where the ticket is ours and not expired; needs no database."""
    account, _, rest = presented.partition(".")
    expires, _, signature = rest.partition(".")
    if not is_signed(settings, signature, "ticket", account, expires) or int(expires) < time.time():
        return None
    return int(account)
