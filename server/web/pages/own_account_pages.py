"""The page of one's own account, by plain forms: sessions, name, appearance, password, picture, feed, and its end."""

from __future__ import annotations

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from server.actions import account as own
from server.actions import close_account, openid, passwords, pictures, sessions
from server.errors import DomainError, Invalid
from server.model import DENSITIES, THEMES
from server.storage.accounts import accounts
from server.storage.accounts import pictures as stored_pictures
from server.web.api import own_account_api, thread_api
from server.web.pages import page_templates
from server.web.requests import language, schemas, session, uploads, user_agents
from server.web.requests.context import Visit


async def show(visit: Visit) -> Response:
    return await page(visit)


async def page(visit: Visit, form: str = "", error: DomainError | None = None) -> Response:
    """Return the page; `error` stands in the form of that name."""
    account = await session.require(visit)
    context, words = visit.state["context"], language.texts_for(visit)
    secret, picture = await context.database.read(
        lambda sql: (accounts.feed(sql, account.id), stored_pictures.shown(sql, account.id))
    )
    response = await page_templates.page(
        visit,
        "mine.html",
        title=words("mine.title"),
        status=error.status if error else 200,
        feed=f"{context.settings.address}/feed/mine/{secret}" if secret else None,
        shown=thread_api.public_account(account) | {"picture": picture},
        takes_pictures=context.settings.pictures,
        sessions=[
            one | {"browser": user_agents.said(one["browser"], words)}
            for one in await own_account_api.listed(visit, account)
        ],
        ways=await openid.ways(context.database, account),
        labels={one.issuer: one.label for one in context.settings.oidc},
        providers=context.settings.oidc,
        languages=context.editions.offered.texts.values(),
        chosen=account.language,
        appearance=account.appearance,
        errors={form: language.sentence(visit, error)} if error else {},
    )
    if error and error.retry_after:
        response.headers["Retry-After"] = str(error.retry_after)
    return response


async def renew_feed(visit: Visit) -> Response:
    await own_account_api.renew_feed(visit)
    return RedirectResponse("/account", 303)


async def end_sessions(visit: Visit) -> Response:
    """End the session of the number `id`, or all others."""
    account, id_ = await session.require(visit), str((await visit.form()).get("id", ""))
    database = visit.state["context"].database
    try:
        if id_ == "others":
            await sessions.end_other_sessions(database, account, session.token(visit) or "")
        else:
            number = schemas.whole(id_, "id", least=1, most=thread_api.MAX_VERSION, default=0)
            await sessions.end_own_session(database, account, number)
    except DomainError as error:
        return await page(visit, "sessions", error)
    return RedirectResponse("/account", 303)


async def remove_login(visit: Visit) -> Response:
    account, form = await session.require(visit), await visit.form()
    context = visit.state["context"]
    issuer, subject = str(form.get("issuer", "")), str(form.get("subject", ""))
    try:
        await passwords.check_fresh(context.database, account, session.token(visit) or "")
        await openid.unlink(context.database, context.settings, account, issuer, subject)
    except DomainError as error:
        return await page(visit, "logins", error)
    return RedirectResponse("/account", 303)


async def change_name(visit: Visit) -> Response:
    account, form = await session.require(visit), await visit.form()
    context = visit.state["context"]
    try:
        await own.change_name(context.database, context.limits, context.settings, account, str(form.get("name", "")))
    except DomainError as error:
        return await page(visit, "name", error)
    return RedirectResponse("/account", 303)


async def choose_language(visit: Visit) -> Response:
    account, form = await session.require(visit), await visit.form()
    context = visit.state["context"]
    try:
        await own.choose_language(
            context.database, context.limits, context.settings, account, str(form.get("language", ""))
        )
    except DomainError as error:
        return await page(visit, "language", error)
    return RedirectResponse("/account", 303)


async def change_appearance(visit: Visit) -> Response:
    account, form = await session.require(visit), await visit.form()
    density, theme = str(form.get("density", "")), str(form.get("theme", ""))
    try:
        if density not in DENSITIES:
            raise Invalid("error.density", field="density", names=", ".join(DENSITIES))
        if theme not in THEMES:
            raise Invalid("error.theme", field="theme", names=", ".join(THEMES))
        chosen = {"density": density, "theme": theme, "shortcuts": form.get("shortcuts") == "on"}
        await own_account_api.set_appearance(visit, account, chosen)
    except DomainError as error:
        return await page(visit, "appearance", error)
    return RedirectResponse("/account", 303)


async def change_password(visit: Visit) -> Response:
    account, form = await session.require(visit), await visit.form()
    try:
        await own_account_api.set_password(
            visit, account, str(form.get("password", "")), str(form.get("new_password", ""))
        )
    except DomainError as error:
        return await page(visit, "password", error)
    return RedirectResponse("/account", 303)


async def set_picture(visit: Visit) -> Response:
    account, context = await session.require(visit), visit.state["context"]
    try:
        own_account_api.admit_picture(visit, account)
        content = await uploads.from_form(visit)
        await pictures.set_picture(context.database, context.pictures, account, content)
    except DomainError as error:
        return await page(visit, "picture", error)
    return RedirectResponse("/account", 303)


async def remove_picture(visit: Visit) -> Response:
    account = await session.require(visit)
    await pictures.remove_picture(visit.state["context"].database, account)
    return RedirectResponse("/account", 303)


async def close(visit: Visit) -> Response:
    account, form = await session.require(visit), await visit.form()
    kept = str(form.get("comments", ""))
    context = visit.state["context"]
    try:
        if kept not in ("keep", "erase"):
            raise Invalid("error.choose_comments", field="comments")
        await close_account.close_account(
            context.database,
            context.settings,
            account,
            str(form.get("password", "")),
            "erase" if kept == "erase" else "keep",
            session.token(visit) or "",
        )
    except DomainError as error:
        return await page(visit, "close", error)
    response = RedirectResponse("/", 303)
    await session.end(visit, response)
    return response


routes = [
    Route("/account", show),
    Route("/account/feed", renew_feed, methods=["POST"]),
    Route("/account/sessions", end_sessions, methods=["POST"]),
    Route("/account/logins", remove_login, methods=["POST"]),
    Route("/account/appearance", change_appearance, methods=["POST"]),
    Route("/account/name", change_name, methods=["POST"]),
    Route("/account/language", choose_language, methods=["POST"]),
    Route("/account/password", change_password, methods=["POST"]),
    Route("/account/picture", set_picture, methods=["POST"], max_body_size=uploads.BOUNDED_HERE),
    Route("/account/picture/remove", remove_picture, methods=["POST"]),
    Route("/account/close", close, methods=["POST"]),
]
