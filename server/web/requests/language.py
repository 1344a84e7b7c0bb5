"""In which language a request is answered."""

from __future__ import annotations

from typing import Any, cast

from starlette.requests import Request

from server.errors import DomainError
from server.locales import Texts, texts


def texts_for(request: Request[Any]) -> Texts:
    """Return the texts that answer this request, also where it was refused before anything is known of it."""
    context = request.scope.get("state", {}).get("context")
    return texts() if context is None else cast("Texts", context.texts)


def sentence(visit: Request[Any], error: DomainError | None) -> str:
    """Return what an error says to the reader, or "" if there is none."""
    return "" if error is None else error.sentence(texts_for(visit))
