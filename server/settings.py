"""The settings, read once from LIVETHREAD_* and frozen. Every error names its setting."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from server.errors import CannotStart

PREFIX = "LIVETHREAD_"
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
Parsed = TypeVar("Parsed")


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `count` in `seconds`, all of them at once if need be."""

    count: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Settings:
    """What an operator may set; README.md lists each with its default."""

    host: str
    port: int
    database: Path
    redis_urls: tuple[str, ...]
    redis_prefix: str
    secret: str
    metrics_token: str
    origin: str
    is_origin_given: bool
    app_url: str
    live_url: str
    sites: frozenset[str]
    limits: bool
    limit_posts_account: Rate
    limit_posts_address: Rate
    limit_logins_account: Rate
    limit_logins_address: Rate
    limit_registrations_address: Rate
    limit_handshakes: Rate
    limit_sockets_address: int
    limit_votes_account: Rate
    limit_searches_address: Rate
    limit_pages_address: int
    votes: str
    hold: str
    edit_seconds: int

    @property
    def own_address(self) -> str:
        """Where this process listens, whatever name the public knows it by."""
        return _address(self.host, self.port)

    @property
    def is_https(self) -> bool:
        return self.origin.startswith("https:")

    def accepts_origin(self, origin: str) -> bool:
        """Say whether a browser at `origin` may write here, or connect."""
        return origin == self.origin or origin in self.sites or origin in self._presumed_origins

    @property
    def _presumed_origins(self) -> tuple[str, ...]:
        """Until a public origin is set: the app that a gateway serves, and on one's own machine every name of it."""
        if self.is_origin_given:
            return ()
        app = urlsplit(self.app_url)
        ports = {self.port, app.port} if app.hostname in ("127.0.0.1", "localhost", "::1") else {self.port}
        return (self.app_url, *(f"http://{name}:{port}" for name in LOOPBACK for port in ports))


def read(environment: Mapping[str, str], *, port: int | None = None) -> Settings:
    """Return the settings; `port` is the one the kernel chose where LIVETHREAD_PORT is 0. Raises CannotStart."""

    def setting(name: str, default: str, parse: Callable[[str], Parsed]) -> Parsed:
        text = environment.get(PREFIX + name, "").strip() or default
        try:
            return parse(text)
        except ValueError as error:
            raise CannotStart(f"{PREFIX}{name}: {text!r} {error}.") from None

    host = setting("HOST", "127.0.0.1", str)
    listens_on = setting("PORT", "8000", _port) if port is None else port
    origin = setting("ORIGIN", _address(host, listens_on), _origin)
    return Settings(
        host=host,
        port=listens_on,
        database=setting("DATABASE", "livethread.db", _file),
        redis_urls=setting("REDIS_URL", "", _redis_urls),
        redis_prefix=setting("REDIS_PREFIX", "livethread", _prefix),
        secret=setting("SECRET", "", _secret),
        metrics_token=setting("METRICS_TOKEN", "", str),
        origin=origin,
        is_origin_given=bool(environment.get(PREFIX + "ORIGIN", "").strip()),
        app_url=setting("APP_URL", origin, _origin),
        live_url=setting("LIVE_URL", "", _live_url),
        sites=setting("SITES", "", lambda text: frozenset(_origin(site) for site in text.split())),
        limits=setting("LIMITS", "on", _switch),
        limit_posts_account=setting("LIMIT_POSTS_ACCOUNT", "120/60", _rate),
        limit_posts_address=setting("LIMIT_POSTS_ADDRESS", "3000/60", _rate),
        limit_logins_account=setting("LIMIT_LOGINS_ACCOUNT", "10/300", _rate),
        limit_logins_address=setting("LIMIT_LOGINS_ADDRESS", "120/60", _rate),
        limit_registrations_address=setting("LIMIT_REGISTRATIONS_ADDRESS", "120/3600", _rate),
        limit_handshakes=setting("LIMIT_HANDSHAKES", "500/1", _rate),
        limit_sockets_address=setting("LIMIT_SOCKETS_ADDRESS", "5000", _count),
        limit_votes_account=setting("LIMIT_VOTES_ACCOUNT", "120/60", _rate),
        limit_searches_address=setting("LIMIT_SEARCHES_ADDRESS", "300/60", _rate),
        limit_pages_address=setting("LIMIT_PAGES_ADDRESS", "200", _count),
        votes=setting("VOTES", "both", lambda text: _one_of(text, "both", "up", "off")),
        hold=setting("HOLD", "off", lambda text: _one_of(text, "off", "all")),
        edit_seconds=setting("EDIT_SECONDS", "900", _seconds),
    )


def _address(host: str, port: int) -> str:
    name = "localhost" if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}"


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > 65535:
        raise ValueError("is not a port: give a number from 0 to 65535 (0: any free one)")
    return int(text)


def _file(text: str) -> Path:
    path = Path(text)
    if path.is_dir():
        raise ValueError("is a folder: give the path of a file")
    return path


def _redis_urls(text: str) -> tuple[str, ...]:
    for url in text.split():
        if not re.match(r"(rediss?|unix)://.+", url):
            raise ValueError("is not an address of Redis: it begins with redis://, rediss:// or unix://")
    return tuple(text.split())


def _prefix(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", text):
        raise ValueError("is not a prefix: 1 to 64 of letters, digits and ._-")
    return text


def _secret(text: str) -> str:
    if text and len(text) < 16:
        # The value itself is never repeated in a message.
        raise CannotStart(f"{PREFIX}SECRET: is too short: give at least 16 characters.")
    return text


def _origin(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/") or parts.query:
        raise ValueError("is not an origin: give http(s)://host[:port] and no path")
    return f"{parts.scheme}://{parts.netloc}".lower()


def _live_url(text: str) -> str:
    if text and not re.match(r"wss?://[^/]+/?\S*$", text):
        raise ValueError("is not a WebSocket address: give ws(s)://host[:port]/live")
    return text


def _switch(text: str) -> bool:
    if text.lower() not in ("on", "off"):
        raise ValueError("is neither on nor off")
    return text.lower() == "on"


def _one_of(text: str, *choices: str) -> str:
    if text.lower() not in choices:
        raise ValueError(f"is none of {', '.join(choices)}")
    return text.lower()


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= 1_000_000:
        raise ValueError("is not a count: give a whole number from 1 to 1000000")
    return int(text)


def _seconds(text: str) -> int:
    if not re.fullmatch(r"\d{1,9}", text):
        raise ValueError("is no number of seconds")
    return int(text)


def _rate(text: str) -> Rate:
    match = re.fullmatch(r"(\d{1,7})/(\d{1,7})", text)
    if not match or "0" in match.groups():
        raise ValueError("is not a rate: give COUNT/SECONDS, for instance 120/60")
    return Rate(int(match[1]), float(match[2]))
