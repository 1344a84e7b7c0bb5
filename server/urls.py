"""Addresses: which ones our pages may link to, and where our own pages are. Pure.

A path is *inside* as routes and stored texts have it (`/t/KEY`), and *outside* as browsers see it: below the base, the
path of `LIVETHREAD_ORIGIN` ("" at the root of a host). Only here one becomes the other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

MAX_CHARACTERS = 2000
# The first segments of our own paths: a base must begin otherwise, so that every path can be told to be in or outside.
OWN_SEGMENTS = frozenset({
    "account", "api", "avatar", "c", "embed", "embed.js", "feed", "gallery", "health", "inbox", "internal", "live",
    "login", "logout", "metrics", "pending", "picture", "ready", "register", "search", "sites", "static", "t", "u",
})  # fmt: skip
_OF_THREADS = ("/t/", "/api/threads/")
# Labels of letters (any script's), digits, `-` and `_`; or an IPv6 address in brackets.
_HOST = re.compile(r"[\w-]+(?:\.[\w-]+)*\.?|\[[0-9A-Fa-f:.]+\]")


def outside(base: str, path: str) -> str:
    """Return a path of this server as browsers know it, whichever way it is given."""
    return path if inside(base, path) != path else base + path


def inside(base: str, path: str) -> str:
    """Return a path of this server as routes know it, whether or not a proxy has taken the base off."""
    if not base or not path.startswith(base) or path[len(base) : len(base) + 1] not in ("", "/", "?", "#"):
        return path
    rest = path[len(base) :]
    return rest if rest.startswith("/") else f"/{rest}"


def with_present_key(path: str, merged: Mapping[str, str]) -> str:
    """Return a path inside with the key of the thread that the one it names went into (`merged`).

    But who asks for changes of what went into another thread is told just that.
    """
    begin = next((one for one in _OF_THREADS if path.startswith(one)), None)
    if begin is None or not merged:
        return path
    key, slash, rest = path[len(begin) :].partition("/")
    return path if key not in merged or rest == "changes" else f"{begin}{merged[key]}{slash}{rest}"


def is_local(url: str) -> bool:
    """Say whether this is a path on this site for every browser: they read `\\` as `/`, and drop tabs and line ends."""
    return url.startswith("/") and not url.startswith("//") and _is_plain(url)


def is_page(url: str) -> bool:
    """Say whether this is a path on this site, or the http(s) address of a page, without user or password in it."""
    if is_local(url):
        return True
    if not _is_plain(url) or not re.match(r"https?://[^/]", url, re.IGNORECASE):
        return False
    try:
        parts = urlsplit(url)
        # Raises ValueError if it is not a valid port number.
        _ = parts.port
    except ValueError:
        return False
    host = parts.netloc.removesuffix(f":{parts.netloc.rpartition(':')[2]}") if _has_port(parts.netloc) else parts.netloc
    return _HOST.fullmatch(host) is not None


def _has_port(netloc: str) -> bool:
    return re.search(r":\d*\Z", netloc) is not None and not netloc.endswith("]")


def _is_plain(url: str) -> bool:
    """Say whether it has no character that some browser drops, turns into another, or shows as nothing."""
    return len(url) <= MAX_CHARACTERS and url.isprintable() and not re.search(r"[\\\s]", url)
