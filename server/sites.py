"""The sites whose pages show threads of this server: which origin is whose, and the key of an address there. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from server import strict_urls, thread_keys, urls
from server.errors import Invalid
from server.model import THEMES, Theme

OWN = "own"
# What a person can log in by: the account's password in the first-party window, a name alone, or what the site signs.
LOGINS = ("password", "guest", "sso")
# Or by an OpenID provider, `oidc:NAME`.
OIDC = "oidc:"
MAX_ID_CHARACTERS = 60
_ID = re.compile(rf"[a-z0-9][a-z0-9._-]{{0,{MAX_ID_CHARACTERS - 1}}}")
_OIDC_LOGIN = re.compile(rf"{OIDC}[a-z0-9][a-z0-9-]{{0,19}}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}")
_QUERY_NAME = re.compile(r"[A-Za-z0-9_.\[\]-]{1,60}")


@dataclass(frozen=True, slots=True)
class Site:
    """`host`: of the first origin, whose addresses have the shortest keys; it never changes. `keep_query`: the names
    in a query that tell one page from another. `moderates`: whether moderators may act as such from its pages.
    `language`: of its threads, where a reader's browser and the page ask for none that is offered."""

    id: str
    name: str = ""
    host: str = ""
    origins: tuple[str, ...] = ()
    keep_query: tuple[str, ...] = ()
    logins: tuple[str, ...] = ("password",)
    moderates: bool = False
    theme: Theme = "auto"
    language: str = ""
    is_setting: bool = False

    def normalised(self, page: str) -> str:
        return thread_keys.normalised(page, self.keep_query)

    def key_of(self, page: str, *, is_long: bool = False) -> str:
        """Return the key of the thread for this address, which is different for different pages of the site."""
        if self.id == OWN:
            return thread_keys.key_of(page, self.keep_query, is_long=is_long)
        is_elsewhere = self.normalised(page).partition("/")[0] != self.host
        return thread_keys.key_of(page, self.keep_query, is_long=is_elsewhere, prefix=f"{self.id}~")

    def key_named(self, key: str) -> str:
        """Return the thread's key for one that a page of the site names. Raises Invalid."""
        whole = key if self.id == OWN or key.startswith(f"{self.id}~") else f"{self.id}~{key}"
        if not thread_keys.is_key(whole):
            raise Invalid("error.thread_key", field="key", code="invalid_key", most=thread_keys.MAX_CHARACTERS)
        return whole

    def check_page(self, page: str) -> str:
        """Return the address, where it is one of the site's pages. Raises Invalid."""
        if not urls.is_page(page):
            raise Invalid("error.page_url", field="url")
        if self.id != OWN and not self.has_page(page):
            raise Invalid("error.not_a_page_of", field="url", code="other_site", site=self.name or self.id)
        return page

    def has_page(self, page: str) -> bool:
        return _origin_of(page) in self.origins

    def with_login(self, login: str) -> Site:
        return replace(self, logins=(*self.logins, login))

    @property
    def providers(self) -> tuple[str, ...]:
        """The names of the OpenID providers by which readers log in."""
        return tuple(one.removeprefix(OIDC) for one in self.logins if _OIDC_LOGIN.fullmatch(one))

    @property
    def has_guests(self) -> bool:
        return "guest" in self.logins


@dataclass(slots=True)
class Sites:
    """The sites as they are now, by id and by origin, and where merged threads are. Replaced when one changes."""

    _by_id: dict[str, Site] = field(default_factory=dict)
    _by_origin: dict[str, Site] = field(default_factory=dict)
    # The keys of threads that went into others, with the keys of those.
    merged: Mapping[str, str] = field(default_factory=dict)

    def replace(self, sites: Iterable[Site], merged: Mapping[str, str] | None = None) -> None:
        self.merged = merged or {}
        self._by_id = {site.id: site for site in sites}
        self._by_origin = {origin: site for site in self._by_id.values() for origin in site.origins}

    def by_id(self, id_: str) -> Site | None:
        return self._by_id.get(id_)

    def by_origin(self, origin: str) -> Site | None:
        return self._by_origin.get(origin)

    @property
    def providers(self) -> list[tuple[str, str]]:
        """The id of each site with each provider that it names."""
        return [(site.id, name) for site in self._by_id.values() for name in site.providers]

    @property
    def origins(self) -> list[str]:
        return sorted(self._by_origin)


def of_origin(origin: str) -> Site:
    """Return the site that an origin in LIVETHREAD_SITES is."""
    return Site(id_for(origin), id_for(origin), host_of(origin), (origin,), is_setting=True)


def id_for(origin: str) -> str:
    """Return the id of a site by its first origin: its host, and a port that does not go without saying."""
    return urlsplit(origin).netloc.replace(":", "-").strip("[]").replace("]", "")[:MAX_ID_CHARACTERS]


def host_of(origin: str) -> str:
    return thread_keys.normalised(origin).partition("/")[0]


def checked(site: Site) -> Site:
    """Return the site in its normal form. Raises Invalid with the field that is wrong."""
    # First: the id is made of the first of them, if none is given.
    origins = []
    for one in site.origins:
        try:
            origins.append(strict_urls.origin(one))
        except ValueError as error:
            raise Invalid("error.bad_origin", field="origin", origin=one, why=str(error)) from None
    if not origins:
        raise Invalid("error.site_origin", field="origin")
    if not _ID.fullmatch(site.id) or site.id == OWN:
        raise Invalid("error.site_id", field="id", most=MAX_ID_CHARACTERS, own=OWN, site=site.id)
    if unknown := [name for name in site.keep_query if not _QUERY_NAME.fullmatch(name)]:
        raise Invalid("error.query_parameter", field="keep_query", name=unknown[0])
    if unknown := [login for login in site.logins if login not in LOGINS and not _OIDC_LOGIN.fullmatch(login)]:
        raise Invalid("error.login_way", field="logins", names=", ".join((*LOGINS, "oidc:NAME")), name=unknown[0])
    if site.theme not in THEMES:
        raise Invalid("error.theme", field="theme", names=", ".join(THEMES))
    if site.language and not _LANGUAGE.fullmatch(site.language):
        raise Invalid("error.language_tag", field="language")
    return Site(
        site.id, site.name.strip()[:100] or site.id, site.host or host_of(origins[0]), tuple(dict.fromkeys(origins)),
        tuple(sorted({*site.keep_query})), _ordered(site.logins), site.moderates,
        site.theme, site.language, site.is_setting,
    )  # fmt: skip


def _ordered(logins: tuple[str, ...]) -> tuple[str, ...]:
    return (*(one for one in LOGINS if one in logins), *sorted({one for one in logins if one.startswith(OIDC)}))


def _origin_of(page: str) -> str:
    parts = urlsplit(page)
    try:
        return strict_urls.origin(f"{parts.scheme}://{parts.netloc}")
    except ValueError:
        return ""
