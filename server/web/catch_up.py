"""What a page says to an account of what came since its last visit, and the form that moves that visit."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from server.model import Thread
from server.storage import accounts, rows, visits
from server.storage.database import Sql
from server.storage.write import Write
from server.web import api, requests, session
from server.web.context import Visit

# What is being committed while a page is read is not on it, and was created before.
COMMIT_MS = 1_000


def now() -> int:
    """Milliseconds since 1970, UTC."""
    return time.time_ns() // 1_000_000


def told(since: visits.Since | None) -> dict[str, Any] | None:
    """Return the line "Since 14:02: 18 new, 2 by the author, 1 to you, 3 removed" as the template draws it.

    The script says the same in the reader's own time.
    """
    if since is None:
        return None
    parts = [f"{len(since.fresh)} new"]
    parts += [f"{count} {what}" for count, what in _counts(since) if count]
    return {"at": rows.moment(since.at), "when": when(since.at), "counts": ", ".join(parts), "fresh": len(since.fresh)}


def _counts(since: visits.Since) -> list[tuple[int, str]]:
    return [(since.by_author, "by the author"), (since.to_account, "to you"), (since.removed, "removed")]


def when(milliseconds: int) -> str:
    """Return "14:02 UTC" of today, else with the day."""
    at = datetime.fromtimestamp(milliseconds / 1000, UTC)
    day = "" if at.date() == datetime.now(UTC).date() else f"{at.day} {at:%b}, "
    return f"{day}{at:%H:%M} UTC"


def read_up_to(sql: Sql, thread: Thread, at: int) -> dict[str, int]:
    """Return what the form "Mark as read" of a page sends that is read from `sql` at the moment `at`."""
    return {"comment": visits.newest(sql, thread), "version": thread.version, "at": at - COMMIT_MS}


async def mark(visit: Visit) -> Response:
    """Move the visit up to what the page showed that the form stands on: what came later stays new."""
    account, key, form = await session.require(visit), requests.key(visit.path_params["key"]), await visit.form()

    sent = {"comment": form.get("comment"), "version": form.get("version"), "at": form.get("at")}
    places = {
        field: requests.whole(str(text or ""), field, least=0, most=api.MAX_VERSION, default=0)
        for field, text in sent.items()
    }

    def work(write: Write) -> None:
        accounts.confirm(write.sql, account)
        visits.remember(write, account.id, key, places["comment"], places["version"], places["at"])

    await visit.state["context"].database.write(work)
    return RedirectResponse(f"/t/{key}", 303)


routes = [Route("/t/{key}/visit", mark, methods=["POST"])]
