"""The gateways' requests: the poll once a second, and the diffs of their rooms. Signed with the secret."""

from __future__ import annotations

import asyncio
import re
import time

import msgspec
from msgspec import Struct
from starlette.responses import Response
from starlette.routing import Route

from channels.changes_source import Question, SourceUnavailable
from channels.messages import AccountEvent, Change
from server.errors import Forbidden, Unavailable
from server.settings import Settings
from server.storage.accounts import accounts
from server.storage.threads import threads
from server.web.requests import error_answers, schemas
from server.web.requests.context import Visit, is_signed, sign

SIGNATURE_HEADER = "livethread-signature"
SIGNATURE_SECONDS = 60
# In a refusal: the time here, for a gateway with a different clock.
TIME_HEADER = "livethread-time"
# What a gateway sends in one request stays below this; one of the version before sends all its rooms in one.
MAX_BODY_BYTES = 64 * 1024
MAX_BODY_BYTES_BEFORE = 4 * 1024 * 1024
# A gateway gives up after 2.5 s.
LARGE_BODY_SECONDS = 3.0
_SIGNATURE = re.compile(r"([0-9]{1,11})\.[0-9a-f]{64}")
MAX_QUESTIONS = 64
MAX_HEADS = 1_000
MAX_CONCERNS = 5_000


class Poll(Struct, forbid_unknown_fields=True):
    """`clock`: the version of the last answer (null: none yet).

    `readers`: how many readers some rooms have, 0 for those that are gone. `heads_after`: the heads that moved after
    this version are wanted, of whatever threads. Without it, as by gateways of the version before: `readers` are all
    rooms there are, and the heads of these are wanted.
    """

    gateway: str
    clock: schemas.Version | None
    readers: dict[str, int]
    heads_after: schemas.Version | None = None


class PollAnswer(Struct):
    """`heads` that moved, up to the version `heads_to` (null from an app of the version before: of rooms asked for).

    `readers` in other processes, of the threads that were asked about; none is left out. `concerns`: bells that rang
    and sessions that ended after `clock`, up to `concerns_to` (null: all); none at the first poll. `origins`: of the
    sites whose pages may connect (null from an app of the version before).
    """

    epoch: str
    clock: int
    heads: dict[str, int]
    readers: dict[str, int]
    concerns: list[AccountEvent]
    heads_to: int | None = None
    origins: list[str] | None = None
    concerns_to: int | None = None


def signature(settings: Settings, purpose: str, body: bytes, skew_seconds: float = 0) -> str:
    """Sign `body` with the present moment; `skew_seconds` is how far the app's clock is ahead of this host's."""
    now = str(int(time.time() + skew_seconds))
    return f"{now}.{sign(settings, purpose, now, body.hex())}"


async def poll(visit: Visit) -> Response:
    context = visit.state["context"]
    if refused := _early_refusal(visit):
        return refused
    body = await _poll_body(visit)
    if refused := _refusal(visit, "poll", body):
        return refused
    asked = schemas.parse(body, Poll)
    presence = context.hub.presence
    if asked.heads_after is None:
        presence.heard(asked.gateway, asked.readers)
    else:
        presence.heard_some(asked.gateway, asked.readers)
    after, keys = asked.heads_after, list(asked.readers)
    (clock, epoch), heads, (concerns, concerns_to) = await context.database.read(
        lambda sql: (
            threads.clock(sql),
            threads.heads(sql, keys, asked.clock or 0) if after is None else threads.moved(sql, after, MAX_HEADS),
            accounts.concerns(sql, asked.clock, MAX_CONCERNS) if asked.clock is not None else ([], None),
        )
    )
    heads_to = clock if after is None or len(heads) < MAX_HEADS else max(heads.values())
    elsewhere = {thread: max(0, presence.count(thread) - own) for thread, own in asked.readers.items()}
    origins = context.sites.origins
    answer = PollAnswer(epoch, clock, heads, elsewhere, concerns, heads_to, origins, concerns_to)
    return Response(msgspec.json.encode(answer), media_type="application/json")


async def changes(visit: Visit) -> Response:
    """Answer many questions at once: for each a diff, a reset, or null if it is to be asked again."""
    if refused := _early_refusal(visit):
        return refused
    body = await visit.body()
    if refused := _refusal(visit, "changes", body):
        return refused
    asked = schemas.parse(body, list[Question])[:MAX_QUESTIONS]
    try:
        answers = await visit.state["context"].source.changes(asked)
    except SourceUnavailable as error:
        raise Unavailable("error.cannot_read", retry_after=1) from error
    frames = (one.frame if isinstance(one, Change) else msgspec.json.encode(one) for one in answers)
    return Response(b"[%s]" % b",".join(frames), media_type="application/json", headers={"Cache-Control": "no-store"})


async def _poll_body(visit: Visit) -> bytes:
    """Read a body; a large one, as only gateways of the version before send it, while no other large one is read.

    What it is signed for is known only when it is here. Raises Unavailable.
    """
    length = visit.headers.get("content-length", "")
    if length.isdigit() and int(length) <= MAX_BODY_BYTES:
        return await visit.body()
    turn = visit.state["context"].large_polls
    if turn.locked():
        raise Unavailable("error.other_gateway", retry_after=1)
    async with turn:
        try:
            async with asyncio.timeout(LARGE_BODY_SECONDS):
                return await visit.body()
        except TimeoutError:
            raise Unavailable("error.late_body", retry_after=1) from None


def _early_refusal(visit: Visit) -> Response | None:
    """Refuse an unsigned or outdated request before its body is read."""
    found = _SIGNATURE.fullmatch(visit.headers.get(SIGNATURE_HEADER, ""))
    return None if found and abs(time.time() - int(found[1])) < SIGNATURE_SECONDS else _refused(visit)


def _refusal(visit: Visit, purpose: str, body: bytes) -> Response | None:
    at, _, signed = visit.headers.get(SIGNATURE_HEADER, "").partition(".")
    is_known = is_signed(visit.state["context"].settings, signed, purpose, at, body.hex())
    return None if is_known else _refused(visit)


def _refused(visit: Visit) -> Response:
    refusal = Forbidden("error.only_gateways", code="bad_signature")
    refused = error_answers.respond(visit, refusal)
    refused.headers[TIME_HEADER] = str(int(time.time()))
    return refused


routes = [
    Route("/internal/poll", poll, methods=["POST"], max_body_size=MAX_BODY_BYTES_BEFORE),
    Route("/internal/changes", changes, methods=["POST"], max_body_size=MAX_BODY_BYTES),
]
