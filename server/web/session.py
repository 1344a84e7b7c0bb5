"""Who is asking: the session in a cookie or a bearer token, and the ticket that signs a socket in."""

from __future__ import annotations

import base64
import time

import msgspec
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
    return await visit.state["context"].sessions.account(sign_in.token_hash(presented))


async def require(visit: Visit) -> Account:
    """Return the account. Raises NotSignedIn."""
    account = await identify(visit)
    if account is not None:
        return account
    if presented := token(visit):
        hashed = sign_in.token_hash(presented)
        if await visit.state["context"].database.read(lambda sql: accounts.is_of_banned(sql, hashed)):
            raise NotSignedIn(accounts.BANNED, code="banned")
    raise NotSignedIn("Log in or register to do this.")


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


class Ticket(msgspec.Struct, frozen=True, array_like=True):
    """Who it signs in, made when the database stood at `version`; `expires` in unix seconds."""

    account: int
    name: str
    version: int
    expires: int


def ticket(settings: Settings, account: Account, version: int) -> tuple[str, int]:
    """Return a signed ticket and when it expires (unix seconds)."""
    made = Ticket(account.id, account.name, version, int(time.time()) + TICKET_SECONDS)
    content = base64.urlsafe_b64encode(msgspec.json.encode(made)).decode()
    return f"{content}.{sign(settings, 'ticket', content)}", made.expires


def read_ticket(settings: Settings, presented: str) -> Ticket | None:
    """Return the ticket where it is ours and not expired; needs no database."""
    content, _, signature = presented.partition(".")
    if not is_signed(settings, signature, "ticket", content):
        return None
    found = msgspec.json.decode(base64.urlsafe_b64decode(content), type=Ticket)
    return found if found.expires >= time.time() else None
