"""The settings: each is declared once, with its default, its meaning and how it is read. Frozen once they are read."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any, get_type_hints
from urllib.parse import urlsplit

from server import strict_urls
from server.errors import CannotStart
from server.settings import providers, values, variables
from server.settings.providers import Provider
from server.settings.values import Network, Rate
from server.settings.variables import PREFIX

log = logging.getLogger("livethread.settings")

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
# Read by run.py, before there are libraries.
NO_VENV = "NO_VENV"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. `default` is such a text as may be given, or returns the value from those read before.

    `shown` says the default in the table, where it does not speak for itself. A secret is never repeated in a
    message, and may also stand in the file that NAME_FILE names.
    """

    default: str | Callable[[Mapping[str, Any]], str]
    read: Callable[[str], Any]
    meaning: str
    shown: str = ""
    is_secret: bool = False
    name: str = ""


@dataclass(frozen=True, slots=True)
class Settings:
    """What an operator may set: a field is set by its name in capitals, after LIVETHREAD_."""

    host: Annotated[str, Setting("127.0.0.1", values.host, "the address or host name to listen on")]
    port: Annotated[int, Setting("8000", values.port, "the port to listen on; 0 takes any free one")]
    socket: Annotated[
        Path | None,
        Setting("", values.socket, "a Unix socket to listen on, instead of host and port", shown="none"),
    ]
    database: Annotated[Path, Setting("livethread.db", values.file, "the SQLite file")]
    redis_urls: Annotated[
        tuple[str, ...],
        Setting(
            "",
            strict_urls.redis_urls,
            "`redis://…`, `rediss://…`, `unix://…`, `redis+sentinel://…` or `redis+cluster://…`; several, separated by "
            "spaces, share the threads",
            shown="none",
            is_secret=True,
            name="REDIS_URL",
        ),
    ]
    redis_prefix: Annotated[str, Setting("livethread", values.prefix, "prefix of every channel name")]
    secret: Annotated[
        str,
        Setting(
            "",
            values.secret,
            "signs tickets, Redis messages and the gateways' polls; a gateway must be given it",
            shown="generated, and kept in `LIVETHREAD_DATABASE.secret`",
            is_secret=True,
        ),
    ]
    secret_previous: Annotated[
        str,
        Setting(
            "",
            values.secret,
            "a second secret that is accepted while you change the secret",
            shown="none",
            is_secret=True,
        ),
    ]
    address: Annotated[
        str,
        Setting(
            _own_address,
            strict_urls.address,
            "the public URL that browsers use; it may have a path",
            shown="from host and port",
            name="ORIGIN",
        ),
    ]
    app_url: Annotated[
        str,
        Setting(
            lambda read: str(read["address"]),
            strict_urls.app_address,
            "the address at which a gateway reaches the app, or `unix:/path`",
            shown="`LIVETHREAD_ORIGIN`",
        ),
    ]
    live_url: Annotated[
        str,
        Setting(
            "",
            strict_urls.live_url,
            "the WebSocket address that pages give to browsers",
            shown="`LIVETHREAD_ORIGIN`, `/live`",
        ),
    ]
    sites: Annotated[
        frozenset[str],
        Setting(
            "",
            values.origins,
            "other origins whose pages may show threads, separated by spaces: each is a site, like one that "
            "`site add` makes",
            shown="own origin only",
        ),
    ]
    oidc: Annotated[
        tuple[Provider, ...],
        Setting(
            "",
            providers.providers,
            "a TOML file with the OpenID providers by which people log in: see docs/embed.md",
            shown="none",
        ),
    ]
    languages: Annotated[
        tuple[str, ...],
        Setting(
            "",
            values.languages,
            "the languages of pages and errors, separated by spaces; the first is for who wants none of them",
            shown="all, English first",
        ),
    ]
    proxies: Annotated[
        tuple[Network, ...],
        Setting(
            "127.0.0.1 ::1",
            values.networks,
            "addresses and networks of trusted proxies, separated by spaces; `none` trusts no proxy",
        ),
    ]
    proxy_header: Annotated[
        str,
        Setting(
            values.PROXY_HEADERS[0],
            values.one_of(*values.PROXY_HEADERS),
            "the header with the visitor's address: this, `X-Real-IP` or `CF-Connecting-IP`",
        ),
    ]
    limits: Annotated[bool, Setting("on", values.switch, "`off` disables all rate limits, for benchmarks")]
    limit_posts_account: Annotated[
        Rate, Setting("120/60", values.rate, "posts and edits of an account, as COUNT/SECONDS")
    ]
    limit_posts_address: Annotated[Rate, Setting("3000/60", values.rate, "posts from one address")]
    limit_logins_account: Annotated[
        Rate,
        Setting(
            "10/300",
            values.rate,
            "wrong passwords for one account from one address, or from one browser that has logged in to "
            "it before; kept across restarts",
        ),
    ]
    limit_logins_everywhere: Annotated[
        Rate,
        Setting(
            "100/3600",
            values.rate,
            "wrong passwords for one account in all; a browser that has logged in to it before still gets in",
        ),
    ]
    limit_logins_address: Annotated[Rate, Setting("120/60", values.rate, "login attempts from one address")]
    limit_registrations_address: Annotated[Rate, Setting("120/3600", values.rate, "new accounts from one address")]
    limit_handshakes: Annotated[
        Rate,
        Setting(
            "500/1",
            values.rate,
            "handshakes that one process admits; the others retry with jitter",
        ),
    ]
    limit_sockets_address: Annotated[
        int,
        Setting(
            "5000",
            values.count,
            "open sockets from one address, per process",
        ),
    ]
    limit_connections_address: Annotated[
        int,
        Setting(
            "1000",
            values.count,
            "open HTTP connections from one address; above it the oldest idle one is closed. Trusted "
            "proxies are exempt",
        ),
    ]
    limit_votes_account: Annotated[Rate, Setting("120/60", values.rate, "votes of an account")]
    limit_searches_address: Annotated[Rate, Setting("300/60", values.rate, "searches from one address")]
    limit_pages_address: Annotated[
        int,
        Setting(
            "200",
            values.count,
            "pages waiting to be built for one account, or one address if not logged in; cached ones do not count",
        ),
    ]
    limit_marks_account: Annotated[
        Rate,
        Setting(
            "300/60",
            values.rate,
            "read marks of an account: visits and seen replies",
        ),
    ]
    limit_tickets_account: Annotated[Rate, Setting("300/60", values.rate, "socket tickets of an account")]
    limit_changes_account: Annotated[
        Rate,
        Setting(
            "30/3600",
            values.rate,
            "changes of an account's name and feed address, and of its picture",
        ),
    ]
    limit_deletions_account: Annotated[Rate, Setting("120/60", values.rate, "deletions of own comments by an account")]
    limit_moderations_account: Annotated[
        Rate,
        Setting(
            "600/60",
            values.rate,
            "actions of a moderator or staff account: states, locks, bans, descriptions",
        ),
    ]
    session_idle_seconds: Annotated[
        int, Setting("7776000", values.lifetime, "a session ends after this long without use (90 days)")
    ]
    session_seconds: Annotated[
        int, Setting("31536000", values.lifetime, "a session ends after this long in any case (one year)")
    ]
    votes: Annotated[str, Setting("both", values.one_of("both", "up", "off"), "`up`: upvotes only; `off`: no votes")]
    hold: Annotated[str, Setting("off", values.one_of("off", "all"), "`all`: every comment awaits approval")]
    pictures: Annotated[
        bool, Setting("on", values.switch, "people may give themselves a picture; `off`: none is taken or shown")
    ]
    edit_seconds: Annotated[int, Setting("900", values.seconds, "how long an author may edit a comment")]
    keep_alive_seconds: Annotated[
        int,
        Setting(
            "150",
            values.count,
            "how long an idle HTTP connection stays open; longer than the proxy's own timeout",
        ),
    ]
    metrics_token: Annotated[
        str,
        Setting(
            "",
            values.token,
            "a bearer token for `/metrics`; without one, only direct requests from this machine can read it",
            shown="none: loopback only",
            is_secret=True,
        ),
    ]
    log_failed_logins: Annotated[
        bool,
        Setting(
            "off", values.switch, "`on` logs the address of each failed login, which is personal data, for fail2ban"
        ),
    ]
    gallery: Annotated[
        bool,
        Setting("off", values.switch, "`on` serves `/gallery`: every part of the pages in every state, for designers"),
    ]
    is_origin_given: bool
    is_app_url_given: bool

    @property
    def own_address(self) -> str:
        """Where this process listens, whatever name the public knows it by."""
        return _address(self.host, self.port)

    @property
    def origin(self) -> str:
        """The public URL as browsers say it in the Origin header, without a path."""
        return _origin_of(self.address)

    @property
    def base(self) -> str:
        """The path of the public URL: "" at the root of its host, or for example "/talk"."""
        return self.address.removeprefix(self.origin)

    @property
    def secrets(self) -> tuple[str, ...]:
        """A signature by any of them is ours; we sign with the first."""
        return (self.secret, self.secret_previous) if self.secret_previous else (self.secret,)

    def provider(self, name: str) -> Provider | None:
        return next((one for one in self.oidc if one.name == name), None)

    @property
    def marks(self) -> tuple[str, ...]:
        """What stands in parentheses behind the names of those whose name was taken, by their provider."""
        return tuple(one.name for one in self.oidc)

    @property
    def is_https(self) -> bool:
        return self.origin.startswith("https:")

    def is_own_origin(self, origin: str) -> bool:
        """Say whether `origin` is the server's own: the only one whose pages may use a visitor's session."""
        return origin == self.origin or origin in self._presumed_origins

    @property
    def _presumed_origins(self) -> tuple[str, ...]:
        """Until a public origin is set: the app that a gateway serves, and on one's own machine every name of it."""
        if self.is_origin_given:
            return ()
        app = urlsplit(self.app_url)
        ports = {self.port, app.port} if app.hostname in ("127.0.0.1", "localhost", "::1") else {self.port}
        return (_origin_of(self.app_url), *(f"http://{name}:{port}" for name in LOOPBACK for port in ports))

    def listening_on(self, port: int) -> Settings:
        """Return the settings of a process whose port the kernel chose."""
        address = self.address if self.is_origin_given else _address(self.host, port)
        return replace(self, port=port, address=address, app_url=self.app_url if self.is_app_url_given else address)


@cache
def declared() -> tuple[tuple[str, str, Setting], ...]:
    """Return the field of every setting, its name after LIVETHREAD_, and its declaration."""
    return tuple(
        (of, setting.name or of.upper(), setting)
        for of, hint in get_type_hints(Settings, include_extras=True).items()
        for setting in getattr(hint, "__metadata__", ())
    )


def read(environment: Mapping[str, str]) -> Settings:
    """Return the settings. Raises CannotStart with one sentence that names the setting and shows no secret."""
    parsed: dict[str, Any] = {}
    for of, name, one in declared():
        text = variables.given(environment, name, is_secret=one.is_secret)
        if not text and not isinstance(one.default, str):
            parsed[of] = one.default(parsed)
            continue
        text = text or str(one.default)
        try:
            # An environment can contain bytes that are not text.
            text.encode()
            parsed[of] = one.read(text)
        except UnicodeEncodeError:
            raise CannotStart(f"{PREFIX}{name}: the value is not UTF-8.") from None
        except (ValueError, OSError) as error:
            why = f"cannot be read: {error.strerror}" if isinstance(error, OSError) else error
            shown = "the value" if one.is_secret else variables.shown(text)
            raise CannotStart(f"{PREFIX}{name}: {shown} {why}.") from None
    return Settings(
        **parsed,
        is_origin_given=bool(variables.given(environment, "ORIGIN")),
        is_app_url_given=bool(variables.given(environment, "APP_URL")),
    )


def from_environment() -> Settings:
    """Return this process's settings, and say in the log what is ignored. Raises CannotStart."""
    for line in ignored(os.environ):
        log.warning("%s", line)
    return read(os.environ)


def ignored(environment: Mapping[str, str]) -> list[str]:
    """Return a sentence for each LIVETHREAD_… that is none of ours: another version may know it, so it ends nothing."""
    known = {PREFIX + NO_VENV}
    for _, name, one in declared():
        known |= {PREFIX + name, f"{PREFIX}{name}_FILE"} if one.is_secret else {PREFIX + name}
    return variables.ignored(environment, known)


def _own_address(parsed: Mapping[str, Any]) -> str:
    return _address(parsed["host"], parsed["port"])


def _origin_of(address: str) -> str:
    return "/".join(address.split("/")[:3])


def _address(host: str, port: int) -> str:
    name = "localhost" if host in ("0.0.0.0", "::") else f"[{host.partition('%')[0]}]" if ":" in host else host
    return f"http://{name}:{port}"
