"""Pages on which staff list, add, change and remove the sites that show threads of this server, and their keys."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, cast

from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from server import permissions, site_tokens, sites
from server.actions import single_sign_on
from server.actions import sites as actions
from server.errors import DomainError, Forbidden, Invalid, NotFound
from server.model import THEMES, Account, Theme
from server.sites import OWN, Site
from server.storage.engine.database import Database
from server.web.pages import page_templates
from server.web.requests import language, session
from server.web.requests.context import Visit


async def listed(visit: Visit) -> Response:
    await _require(visit)
    return await _list(visit)


async def _list(visit: Visit, given: Site | None = None, error: DomainError | None = None) -> Response:
    """Return all sites and the form that adds one, which still says what was `given`."""
    found = [site for site in await actions.listed(visit.state["context"].database) if site.id != OWN]
    return await page_templates.page(
        visit,
        "sites.html",
        title=language.texts_for(visit)("sites.title"),
        status=error.status if error else 200,
        sites=found,
        given=given or Site(""),
        error=language.sentence(visit, error),
    )


async def add(visit: Visit) -> Response:
    account, form = await _asked(visit)
    origins = tuple(str(form.get("origins", "")).split())
    wanted = Site("", str(form.get("name", "")), origins=origins)
    try:
        async with _reread(visit) as database:
            made = await actions.add_site(database, _of_origins(wanted), account)
    except DomainError as error:
        return await _list(visit, wanted, error)
    return RedirectResponse(f"/sites/{made.id}", 303)


def _of_origins(site: Site) -> Site:
    """Return the site with the id that its first origin gives. Raises Invalid."""
    if not site.origins:
        raise Invalid("error.site_origin", field="origins")
    try:
        return replace(site, id=sites.id_for(site.origins[0]))
    except ValueError as error:
        raise Invalid("error.bad_origin", field="origins", origin=site.origins[0], why=str(error)) from None


async def show(visit: Visit) -> Response:
    await _require(visit)
    return await _show(visit, await _site(visit))


async def _show(
    visit: Visit, site: Site, where: str = "", error: DomainError | None = None, secret: str = "", **more: Any
) -> Response:
    """Return the page of a site. `error` stands in the form `where`; `secret`: of a new key, shown this once."""
    context = visit.state["context"]
    return await page_templates.page(
        visit,
        "one_site.html",
        title=site.name or site.id,
        status=error.status if error else 200,
        one=site,
        ways=sites.LOGINS,
        themes=THEMES,
        languages=context.editions.offered.texts.values(),
        # A site may still name one that is no longer configured.
        providers={way: way for way in site.logins if way.startswith(sites.OIDC)}
        | {f"{sites.OIDC}{provider.name}": provider.label for provider in context.settings.oidc},
        keys=await single_sign_on.keys(context.database, site.id),
        algorithms=site_tokens.ALGORITHMS,
        address=context.settings.address,
        secret=secret,
        errors={where: language.sentence(visit, error)} if error else {},
        **({"key_id": "", "public_key": ""} | more),
    )


async def change(visit: Visit) -> Response:
    account, form = await _asked(visit)
    site = await _site(visit)
    wanted = _changed(site, form)
    changes = {
        name: getattr(wanted, name)
        for name in ("name", "origins", "keep_query", "logins", "moderates", "theme", "language")
    }
    try:
        async with _reread(visit) as database:
            await actions.change_site(database, site.id, changes, account)
    except DomainError as error:
        return await _show(visit, wanted, "site", error)
    return RedirectResponse(f"/sites/{site.id}", 303)


def _changed(site: Site, form: FormData) -> Site:
    return replace(
        site,
        name=str(form.get("name", "")),
        origins=tuple(str(form.get("origins", "")).split()),
        keep_query=tuple(str(form.get("keep_query", "")).split()),
        logins=tuple(map(str, form.getlist("logins"))),
        moderates=form.get("moderates") == "yes",
        # Checked with the rest.
        theme=cast("Theme", str(form.get("theme", site.theme))),
        language=str(form.get("language", site.language)),
    )


async def remove(visit: Visit) -> Response:
    account, form = await _asked(visit)
    site = await _site(visit)
    if form.get("sure") != "yes":
        return await _show(visit, site, "remove", Invalid("error.not_sure", field="sure"))
    async with _reread(visit) as database:
        await actions.remove_site(database, site.id, account)
    return RedirectResponse("/sites", 303)


async def add_key(visit: Visit) -> Response:
    account, form = await _asked(visit)
    site = await _site(visit)
    key_id, algorithm = str(form.get("key_id", "")).strip(), str(form.get("algorithm", ""))
    given = str(form.get("public_key", ""))
    try:
        is_fresh = algorithm == "HS256"
        key = site_tokens.fresh_secret(key_id) if is_fresh else site_tokens.given_key(key_id, algorithm, given)
        async with _reread(visit) as database:
            await single_sign_on.add_key(database, site.id, key, account)
    except DomainError as error:
        return await _show(visit, site, "key", error, key_id=key_id, public_key=given)
    if is_fresh:
        return await _show(visit, await _site(visit), secret=key.material, key_id=key_id)
    return RedirectResponse(f"/sites/{site.id}", 303)


async def remove_key(visit: Visit) -> Response:
    account, form = await _asked(visit)
    site = await _site(visit)
    database, key = visit.state["context"].database, str(form.get("key_id", ""))
    try:
        await single_sign_on.remove_key(database, site.id, key, account, is_leaked=form.get("leaked") == "yes")
    except DomainError as error:
        return await _show(visit, site, "keys", error)
    return RedirectResponse(f"/sites/{site.id}", 303)


async def _require(visit: Visit) -> Account:
    account = await session.require(visit)
    if not permissions.may_manage_sites(account):
        raise Forbidden("error.only_staff_sites")
    return account


async def _asked(visit: Visit) -> tuple[Account, FormData]:
    """Return who sends a form, and the form. Raises NotSignedIn, Forbidden, TooMany."""
    account, form = await _require(visit), await visit.form()
    context = visit.state["context"]
    context.limits.spend("moderate", account.id, context.settings.limit_moderations_account)
    return account, form


@contextlib.asynccontextmanager
async def _reread(visit: Visit) -> AsyncIterator[Database]:
    """Let what changes in the database count, also where the rest of the work fails."""
    try:
        yield visit.state["context"].database
    finally:
        await visit.state["context"].reread_sites()


async def _site(visit: Visit) -> Site:
    known = {site.id: site for site in await actions.listed(visit.state["context"].database) if site.id != OWN}
    found = known.get(visit.path_params["site"])
    if found is None:
        raise NotFound("error.no_site", code="unknown_site")
    return found


routes = [
    Route("/sites", listed),
    Route("/sites", add, methods=["POST"]),
    Route("/sites/{site}", show),
    Route("/sites/{site}", change, methods=["POST"]),
    Route("/sites/{site}/remove", remove, methods=["POST"]),
    Route("/sites/{site}/keys", add_key, methods=["POST"]),
    Route("/sites/{site}/keys/remove", remove_key, methods=["POST"]),
]
