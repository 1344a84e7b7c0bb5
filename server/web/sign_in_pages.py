"""The pages for logging in, registering and logging out, which carry a comment that was begun before."""

from __future__ import annotations

from typing import Literal

from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from server.actions import sign_in
from server.errors import DomainError
from server.web import pages, session
from server.web.context import Visit, address
from server.web.requests import KEY

Mode = Literal["login", "register"]


async def form(visit: Visit) -> Response:
    mode: Mode = "register" if visit.url.path == "/register" else "login"
    return await _form(visit, mode, back=_local(visit.query_params.get("next", "/")), draft=None)


async def log_in(visit: Visit) -> Response:
    return await _enter(visit, "login")


async def register(visit: Visit) -> Response:
    return await _enter(visit, "register")


async def _enter(visit: Visit, mode: Mode) -> Response:
    context = visit.state["context"]
    given = await visit.form()
    name, password = str(given.get("name", "")), str(given.get("password", ""))
    draft, back = _draft(given), _local(str(given.get("next", "/")))
    act = sign_in.log_in if mode == "login" else sign_in.register
    try:
        account = await act(context.database, context.limits, context.settings, name, password, address(visit))
    except DomainError as error:
        return await _form(visit, mode, back=back, draft=draft, error=error, name=name)
    if draft is None:
        response: Response = RedirectResponse(back, 303)
        await session.begin(visit, account, response)
        return response
    response = await pages.compose(visit, draft["thread"], draft["parent"], draft["body"], None, viewer=account)
    await session.begin(visit, account, response)
    return response


async def log_out(visit: Visit) -> Response:
    response = RedirectResponse(_local(str((await visit.form()).get("next", "/"))), 303)
    await session.end(visit, response)
    return response


async def _form(
    visit: Visit,
    mode: Mode,
    *,
    back: str,
    draft: dict[str, str] | None,
    error: DomainError | None = None,
    name: str = "",
) -> Response:
    return await pages.page(
        visit,
        "account.html",
        title="Log in" if mode == "login" else "Register",
        status=error.status if error else 200,
        next=back,
        draft=draft,
        error={"code": error.code, "message": error.message, "field": error.field} if error else None,
        name=name,
        mode=mode,
    )


def _draft(given: FormData) -> dict[str, str] | None:
    """Return the comment that was begun before logging in, or None."""
    draft = {name: str(given.get(f"draft_{name}", "")) for name in ("thread", "parent", "body", "nonce")}
    return draft if KEY.fullmatch(draft["thread"]) and draft["body"] else None


def _local(path: str) -> str:
    """Return `path` where it is one of this site, else the home page."""
    is_local = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() and "\\" not in path
    return path if is_local else "/"


routes = [
    Route("/login", form),
    Route("/login", log_in, methods=["POST"]),
    Route("/register", form),
    Route("/register", register, methods=["POST"]),
    Route("/logout", log_out, methods=["POST"]),
]
