"""Adding, changing and removing sites, and moving threads between the addresses of their pages."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from server import sites, urls
from server.errors import Conflict, Invalid, NotFound
from server.model import Account
from server.sites import OWN, Site, Sites
from server.storage import sites as stored
from server.storage.accounts import accounts
from server.storage.engine.database import Database, Sql
from server.storage.engine.write import Write
from server.storage.jobs import batches
from server.storage.threads import merging, threads


async def listed(database: Database) -> list[Site]:
    """Return all sites as they are kept, `own` among them."""
    return await database.read(stored.all_of)


def confirm_staff(write: Write, account: Account | None) -> None:
    """Raises NotSignedIn if the account is not what it was when its request began; None is the operator."""
    if account is not None:
        accounts.confirm(write.sql, account)


async def add_site(database: Database, site: Site, by: Account | None = None) -> Site:
    """Return the site as it is kept, with the threads that are its. `by`: a member of staff; None: the operator.

    Raises Invalid, Conflict, NotSignedIn.
    """
    made = sites.checked(site)

    def work(write: Write) -> None:
        confirm_staff(write, by)
        if any(known.id == made.id for known in stored.all_of(write.sql)):
            raise Conflict("error.site_exists", field="id", site=made.id)
        stored.put(write, made)

    await database.write(work)
    await _adopt(database, made)
    return made


async def change_site(database: Database, id_: str, changes: dict[str, Any], by: Account | None = None) -> Site:
    """Return the site with what `changes` replaces. Raises NotFound, Invalid, Conflict, NotSignedIn."""

    def work(write: Write) -> Site:
        confirm_staff(write, by)
        changed = sites.checked(replace(_site(write.sql, id_), **changes, is_setting=False))
        stored.put(write, changed)
        return changed

    changed = await database.write(work)
    await _adopt(database, changed)
    return changed


async def remove_site(database: Database, id_: str, by: Account | None = None) -> None:
    """Forget the site: its sessions end, its threads stay on the server's own pages. Raises NotFound, NotSignedIn."""

    def work(write: Write) -> None:
        confirm_staff(write, by)
        _site(write.sql, id_)
        stored.remove(write, id_)

    await database.write(work)


async def follow_setting(database: Database, origins: Iterable[str]) -> None:
    """Make each origin of LIVETHREAD_SITES a site that does not belong to one, and close those that left it."""
    wanted = frozenset(origins)

    def work(write: Write) -> list[Site]:
        known = {site.id: site for site in stored.all_of(write.sql)}
        before = dict(known)
        for site in before.values():
            if site.is_setting:
                known[site.id] = replace(site, origins=tuple(one for one in site.origins if one in wanted))
        taken = {origin for site in known.values() for origin in site.origins}
        for origin in sorted(wanted - taken):
            fresh = sites.of_origin(origin)
            there = known.get(fresh.id)
            known[fresh.id] = replace(there, origins=(*there.origins, origin)) if there else fresh
        changed = [site for id_, site in known.items() if before.get(id_) != site]
        for site in changed:
            stored.put(write, site)
        return changed

    if await database.read(lambda sql: bool(wanted) or any(site.is_setting for site in stored.all_of(sql))):
        for site in await database.write(work):
            await _adopt(database, site)


async def reload(database: Database, registry: Sites) -> None:
    registry.replace(*await database.read(lambda sql: (stored.all_of(sql), threads.merged(sql))))


async def move_thread(database: Database, old: str, new: str) -> tuple[str, str]:
    """Give the thread under the address or key `old` the address `new`; the old address still leads to it.

    Return (key, site). Raises NotFound, Invalid, Conflict if the new address has a thread with comments.
    """
    if not urls.is_page(new):
        raise Invalid("error.page_address", field="new", address=new)

    def work(write: Write) -> tuple[str, str]:
        known = stored.all_of(write.sql)
        thread = threads.by_key(write.sql, _key(write.sql, known, old))
        if thread.id is None:
            raise NotFound("error.no_thread_under", field="old", address=old)
        target = _of_page(known, new)
        there = threads.by_key(write.sql, stored.key_of_page(write.sql, target, new))
        if there.id not in (None, thread.id) and there.comments:
            raise Conflict("error.page_has_thread", field="new", address=new, count=there.comments, key=there.key)
        if thread.url and target.id == thread.site:
            stored.alias(write, target, thread.url, thread.id)
        threads.describe(write, thread.id, {"url": new})
        stored.settle(write, target, new, thread.id)
        return thread.key, target.id

    return await database.write(work)


async def merge_threads(database: Database, old: str, new: str) -> tuple[str, str]:
    """Put the comments of the thread under the address or key `old` under `new`, where `old` leads from then on.

    Return their keys. The first comments move at once, the others by a job. Raises NotFound, Conflict.
    """

    def work(write: Write) -> tuple[str, str]:
        known = stored.all_of(write.sql)
        into = threads.by_key(write.sql, _key(write.sql, known, new))
        thread = threads.by_key(write.sql, _key(write.sql, known, old))
        for field, given, one in (("old", old, thread), ("new", new, into)):
            if one.id is None:
                raise NotFound("error.no_thread_under", field=field, address=given)
        assert thread.id is not None
        assert into.id is not None
        if thread.id == into.id:
            raise Conflict("error.same_thread", field="new", key=into.key)
        if thread.site != into.site:
            raise Conflict("error.other_sites_thread", field="new", one=thread.site, other=into.site)
        if merging.is_unfinished(write.sql, thread.id, into.id):
            raise Conflict("error.still_merging", field="old")
        merging.begin(write, thread, into)
        if thread.url:
            stored.alias(write, next(site for site in known if site.id == into.site), thread.url, into.id)
        batches.begin(write, "merge thread", thread.id)
        return thread.key, into.key

    return await database.write(work)


async def _adopt(database: Database, site: Site) -> None:
    """Give the site what is its, a hundred threads a write."""
    after = 0
    while after := await database.write(lambda write, after=after: stored.adopt(write, site, after)):  # type: ignore[misc]
        pass


def _site(sql: Sql, id_: str) -> Site:
    found = next((site for site in stored.all_of(sql) if site.id == id_ != OWN), None)
    if found is None:
        raise NotFound("error.no_site_named", field="id", site=id_)
    return found


def _of_page(known: list[Site], page: str) -> Site:
    own = next(site for site in known if site.id == OWN)
    return next((site for site in known if site.has_page(page)), own)


def _key(sql: Sql, known: list[Site], given: str) -> str:
    return stored.key_of_page(sql, _of_page(known, given), given) if "/" in given else given
