"""What a gateway asks of the app once a second: heads that moved and readers elsewhere. Signed by the secret."""

from __future__ import annotations

import time

import msgspec
from starlette.responses import Response
from starlette.routing import Route

from channels.change import Concern
from server.errors import Forbidden
from server.settings import Settings
from server.storage import accounts, threads
from server.web import failures, requests
from server.web.context import Visit, is_signed, sign

SIGNATURE_HEADER = "livethread-signature"
SIGNATURE_SECONDS = 60
# In a refusal: the time here, for a gateway whose clock is another.
TIME_HEADER = "livethread-time"


class Poll(msgspec.Struct, forbid_unknown_fields=True):
    """`clock`: the version of the last answer (null: none yet); `readers`: per room, rooms without any included."""

    gateway: str
    clock: requests.Version | None
    readers: dict[str, int]


class PollAnswer(msgspec.Struct):
    """`heads` of the rooms asked for, above `clock` (all of them under another epoch); `readers` in other processes.

    `concerns`: bells that rang and sessions that ended after `clock`; none at the first poll.
    """

    epoch: str
    clock: int
    heads: dict[str, int]
    readers: dict[str, int]
    concerns: list[Concern]


def signature(settings: Settings, body: bytes, skew_seconds: float = 0) -> str:
    """Sign `body` with the present moment; `skew_seconds` is how far the app's clock is ahead of this host's."""
    now = str(int(time.time() + skew_seconds))
    return f"{now}.{sign(settings, 'poll', now, body.hex())}"


async def poll(visit: Visit) -> Response:
    context = visit.state["context"]
    body = await visit.body()
    at, _, signed = visit.headers.get(SIGNATURE_HEADER, "").partition(".")
    is_fresh = at.isdigit() and len(at) < 12 and abs(time.time() - int(at)) < SIGNATURE_SECONDS
    if not is_fresh or not is_signed(context.settings, signed, "poll", at, body.hex()):
        refusal = Forbidden("The poll is for gateways that know the secret (and the time).", code="bad_signature")
        refused = failures.respond(visit, refusal)
        refused.headers[TIME_HEADER] = str(int(time.time()))
        return refused
    asked = requests.parse(body, Poll)
    presence = context.hub.presence
    presence.heard(asked.gateway, asked.readers)
    (clock, epoch), heads, concerns = await context.database.read(
        lambda sql: (
            threads.clock(sql),
            threads.heads(sql, list(asked.readers), asked.clock or 0),
            accounts.concerns(sql, asked.clock) if asked.clock is not None else [],
        )
    )
    elsewhere = {
        thread: presence.count(thread) - own for thread, own in asked.readers.items() if presence.count(thread) > own
    }
    return Response(
        msgspec.json.encode(PollAnswer(epoch, clock, heads, elsewhere, concerns)), media_type="application/json"
    )


routes = [Route("/internal/poll", poll, methods=["POST"], max_body_size=4 * 1024 * 1024)]
