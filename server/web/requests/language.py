"""In which language a request is answered.

The account's choice decides, then what the browser asks for, then the page under which the thread is (`lang`), then its
site, then the server's first language.
"""

from __future__ import annotations

from typing import Any, cast

from starlette.requests import Request

from server.errors import DomainError
from server.locales import Texts, texts
from server.locales.offered import Offered
from server.model import Account
from server.web.pages.editions import Edition, Editions
from server.web.requests import origins

_CHOSEN = "livethread.language"
# Of a language's tag.
MOST_CHARACTERS = 35


def prefer(request: Request[Any], account: Account) -> None:
    """Answer it as the account has chosen: known once it is known who asks."""
    request.scope[_CHOSEN] = account.language


def texts_for(request: Request[Any]) -> Texts:
    """Return the texts that answer this request, also where it was refused before anything is known of it."""
    live = request.scope.get("state", {}).get("live")
    if live is None:
        return texts()
    offered = cast("Offered", live.offered)
    return (
        offered.named(request.scope.get(_CHOSEN, ""))
        or offered.for_header(request.headers.get("accept-language", ""))
        or offered.matching(request.query_params.get("lang", "")[:MOST_CHARACTERS])
        or offered.matching(_of_site(request))
        or offered.default
    )


def _of_site(request: Request[Any]) -> str:
    live = request.scope["state"]["live"]
    site = origins.site_of(live.settings, live.sites, request.headers)
    return site.language if site else ""


def edition_for(request: Request[Any]) -> Edition:
    editions: Editions = request.scope["state"]["context"].editions
    return editions.of(texts_for(request))


def sentence(visit: Request[Any], error: DomainError | None) -> str:
    """Return what an error says to the reader, or "" if there is none."""
    return "" if error is None else error.sentence(texts_for(visit))
