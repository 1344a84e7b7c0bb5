"""Pages for logging in, registering and logging out, which carry an unfinished comment along."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from server import urls
from server.errors import DomainError
from server.web.pages import page_templates, thread_pages
from server.web.requests import language, session
from server.web.requests.context import Visit
from server.web.requests.schemas import KEY

Mode = Literal["login", "register"]


async def form(visit: Visit) -> Response:
    mode: Mode = "register" if visit.url.path == "/register" else "login"
    return await show(visit, mode, back=local(visit, visit.query_params.get("next", "/")), draft=None)


async def log_in(visit: Visit) -> Response:
    return await _enter(visit, "login")


async def register(visit: Visit) -> Response:
    return await _enter(visit, "register")


async def _enter(visit: Visit, mode: Mode) -> Response:
    given = await visit.form()
    name, password = str(given.get("name", "")), str(given.get("password", ""))
    begun, back = draft(given), local(visit, str(given.get("next", "/")))
    try:
        account = await session.enter(visit, mode, name, password)
    except DomainError as error:
        return await show(visit, mode, back=back, draft=begun, error=error, name=name)
    if begun is None:
        response: Response = RedirectResponse(back, 303)
        await session.begin(visit, account, response)
        return response
    response = await thread_pages.compose(visit, begun["thread"], begun["parent"], begun["body"], None, viewer=account)
    await session.begin(visit, account, response)
    return response


async def log_out(visit: Visit) -> Response:
    response = RedirectResponse(local(visit, str((await visit.form()).get("next", "/"))), 303)
    await session.end(visit, response)
    return response


async def show(
    visit: Visit,
    mode: Mode,
    *,
    back: str,
    draft: Mapping[str, str] | None,
    error: DomainError | None = None,
    name: str = "",
    again: str = "",
) -> Response:
    """Return the page for logging in or registering; `again`: the provider by which it may be tried again."""
    await session.identify(visit)
    response = await page_templates.page(
        visit,
        "account.html",
        title=language.texts_for(visit)("action.log_in" if mode == "login" else "action.register"),
        status=error.status if error else 200,
        next=back,
        draft=draft,
        error={"code": error.code, "message": language.sentence(visit, error), "field": error.field} if error else None,
        name=name,
        mode=mode,
        providers=visit.state["context"].settings.oidc,
        again=again,
    )
    if error and error.retry_after:
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def draft(given: FormData) -> dict[str, str] | None:
    """Return the comment that was begun before logging in, or None."""
    found = {name: str(given.get(f"draft_{name}", "")) for name in ("thread", "parent", "body", "nonce")}
    return found if KEY.fullmatch(found["thread"]) and found["body"] else None


def local(visit: Visit, path: str) -> str:
    """Return `path` if it is one of this site, else the home page."""
    return urls.inside(visit.state["context"].settings.base, path) if urls.is_local(path) else "/"


routes = [
    Route("/login", form),
    Route("/login", log_in, methods=["POST"]),
    Route("/register", form),
    Route("/register", register, methods=["POST"]),
    Route("/logout", log_out, methods=["POST"]),
]
