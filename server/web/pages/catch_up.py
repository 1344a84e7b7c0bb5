"""The line "Since …" of a thread page for an account, and the form "Mark as read"."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from server.actions.account import remember_visit
from server.locales import Texts
from server.storage.accounts import visits
from server.visibility import moment
from server.web.api import thread_api
from server.web.requests import schemas, session
from server.web.requests.context import Visit


def now() -> int:
    """Milliseconds since 1970, UTC."""
    return time.time_ns() // 1_000_000


def told(since: visits.Since | None, words: Texts) -> dict[str, Any] | None:
    """Return the line "Since 14:02: 18 new, 2 by the author, 1 to you, 3 removed" as the template draws it.

    The script says the same in the reader's own time.
    """
    if since is None:
        return None
    parts = [words("since.new", count=len(since.fresh))]
    parts += [words(what, count=count) for count, what in _counts(since) if count]
    return {
        "at": moment(since.at),
        "when": words.recent_moment(datetime.fromtimestamp(since.at / 1000, UTC), datetime.now(UTC)),
        "counts": words("since.separator").join(parts),
        "fresh": len(since.fresh),
    }


def _counts(since: visits.Since) -> list[tuple[int, str]]:
    return [(since.by_author, "since.by_author"), (since.to_account, "since.to_you"), (since.removed, "since.removed")]


def read_up_to(version: int, at: int) -> dict[str, int]:
    """Return what the form "Mark as read" sends from a page of this version that is read at the moment `at`."""
    return {"version": version, "at": at}


async def mark(visit: Visit) -> Response:
    """Move the visit up to what the form's page showed: later comments stay new."""
    account, key, form = await session.require(visit), schemas.key(visit.path_params["key"]), await visit.form()

    sent = {"version": form.get("version"), "at": form.get("at")}
    places = {
        field: schemas.whole(str(text or ""), field, least=0, most=thread_api.MAX_VERSION, default=0)
        for field, text in sent.items()
    }

    context = visit.state["context"]
    await remember_visit(context.database, context.limits, context.settings, account, key, 0, **places)
    return RedirectResponse(f"/t/{key}", 303)


routes = [Route("/t/{key}/visit", mark, methods=["POST"])]
