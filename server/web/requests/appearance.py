"""How the pages that answer a request look: as the account has chosen, once it is known who asks."""

from __future__ import annotations

from typing import Any, cast

from starlette.requests import Request

from server.model import PLAIN, Account, Appearance

_CHOSEN = "livethread.appearance"


def prefer(request: Request[Any], account: Account) -> None:
    request.scope[_CHOSEN] = account.appearance


def chosen(request: Request[Any]) -> Appearance:
    return cast("Appearance", request.scope.get(_CHOSEN, PLAIN))
