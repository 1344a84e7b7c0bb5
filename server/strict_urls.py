"""Addresses in settings: an origin, a live server, a Redis. Each is read whole, and written as browsers do. Pure."""

from __future__ import annotations

import ipaddress
import os
import re
import socket
from urllib.parse import parse_qsl, quote, urlencode

import idna

from server import urls

_URL = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?:(?P<user>[^/?#]*)@)?(?P<host>\[[^\]/?#@]*\]|[^\[\]/?#@:]*)"
    r"(?::(?P<port>[0-9]*))?(?P<path>/[^?#]*)?(?:\?(?P<query>[^#]*))?(?:#(?P<fragment>.*))?",
    re.IGNORECASE,
)
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_PATH = re.compile(r"/[\w.~!$&'()*+=:@%/-]*", re.ASCII)
_BASE = re.compile(r"(?:/[A-Za-z0-9._~-]{1,60}){1,8}")
_USUAL_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_NO_HOST = "does not name a valid host"


def address(text: str) -> str:
    """Return the address of a whole site as browsers write it: an origin, and a path where it has no host of its own.

    Raises ValueError.
    """
    at = _URL.fullmatch(text)
    path = ((at and at["path"]) or "").rstrip("/")
    if not at or at["scheme"].lower() not in ("http", "https") or at["user"] is not None or re.search("[?#]", text):
        raise ValueError(
            "is not an address: give http(s)://host[:port], and a path if need be, without user, password, query and "
            "fragment"
        )
    if path and (not _BASE.fullmatch(path) or re.search(r"/\.\.?(/|\Z)", path)):
        raise ValueError("has a path that is not plain: give for example https://example.org/talk")
    if path and path.split("/")[1] in urls.OWN_SEGMENTS:
        raise ValueError(
            f"has a path that begins with /{path.split('/')[1]}, like pages of livethread itself: choose another"
        )
    return f"{at['scheme'].lower()}://{_authority(at)}{path}"


def app_address(text: str) -> str:
    """Return the address of an app, or `unix:` and the path of the socket that it listens on. Raises ValueError."""
    if not text.lower().startswith("unix:"):
        return address(text)
    path = text[5:].removeprefix("//")
    if not path.startswith("/") or re.search(r"[?#\s]", path):
        raise ValueError("is not the address of an app: give http(s)://host[:port], or unix:/path")
    return f"unix:{path}"


def origin(text: str) -> str:
    """Return the origin as browsers say it: in lower case, other scripts in Punycode, no port that goes without saying.

    Else it would equal none of theirs, and every write would be refused. Raises ValueError.
    """
    at = _URL.fullmatch(text)
    rest = at and (at["user"] is not None, at["path"] not in (None, "/"), at["query"], at["fragment"])
    if not at or at["scheme"].lower() not in ("http", "https") or any(rest or ()) or text.endswith(("?", "#")):
        raise ValueError("is not an origin: give http(s)://host[:port], without user, password, path, query, fragment")
    return f"{at['scheme'].lower()}://{_authority(at)}"


def live_url(text: str) -> str:
    """Return the address of a WebSocket, or "" where none is given. Raises ValueError."""
    at = _URL.fullmatch(text)
    if not text:
        return ""
    if not at or at["scheme"].lower() not in ("ws", "wss") or at["user"] is not None or "?" in text or "#" in text:
        raise ValueError("is not a WebSocket address: give ws(s)://host[:port]/live, without user and query")
    if not _PATH.fullmatch(at["path"] or "/"):
        raise ValueError("has a path with characters that must be written as %XX")
    return f"{at['scheme'].lower()}://{_authority(at)}{at['path'] or ''}"


def host(text: str) -> str:
    """Return a host as browsers write it; IPv6 in brackets. Raises ValueError."""
    if text.startswith("["):
        try:
            return f"[{ipaddress.IPv6Address(text[1:-1] if text.endswith(']') else text)}]"
        except ValueError:
            raise ValueError("has no IPv6 address between its brackets") from None
    if text.endswith("."):
        raise ValueError("has a dot at the end of its host, which browsers treat as another host: leave it out")
    try:
        name = text.lower() if text.isascii() else idna.encode(text, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        raise ValueError(_NO_HOST) from None
    labels = name.split(".")
    if len(name) > 253 or not all(_LABEL.fullmatch(label) and _is_punycode(label) for label in labels):
        raise ValueError(_NO_HOST)
    if re.fullmatch(r"[0-9]+|0x[0-9a-f]*", labels[-1]):
        # Browsers read 127.1 and 0x7f000001 as IPv4.
        try:
            return socket.inet_ntoa(socket.inet_aton(name))
        except OSError:
            raise ValueError(_NO_HOST) from None
    return name


def _is_punycode(label: str) -> bool:
    if not label.startswith("xn--"):
        return True
    try:
        return not label[4:].encode("ascii").decode("punycode").isascii()
    except UnicodeError:
        return False


def _authority(at: re.Match[str]) -> str:
    port = _port(at["port"])
    is_usual = port in (None, _USUAL_PORTS.get(at["scheme"].lower()))
    return host(at["host"]) + ("" if is_usual else f":{port}")


def _port(text: str | None) -> int | None:
    if not text:
        return None
    if not 1 <= int(text[:9]) <= 65535:
        raise ValueError("has an invalid port: give a number from 1 to 65535")
    return int(text[:9])


_TLS_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_TEXT = re.compile(".+")
_NUMBER = re.compile("[0-9]{1,6}")
_FILE = re.compile("/.+")
_DEMAND = re.compile("none|optional|required")
_YES_OR_NO = re.compile("(?i:true|false|yes|no|1|0)")
_TLS = {"ssl_cert_reqs": _DEMAND, "ssl_check_hostname": _YES_OR_NO, "ssl_password": _TEXT} | dict.fromkeys(
    (*_TLS_FILES, "ssl_ca_path"), _FILE
)
_ANY = {"db": _NUMBER, "username": _TEXT, "password": _TEXT}
_OF_SENTINELS = {"sentinel_username": _TEXT, "sentinel_password": _TEXT}
_SEVERAL = re.compile(
    r"(?P<tls>rediss?|valkeys?)\+(?P<kind>sentinel|cluster)://(?:(?P<user>[^/?#]*)@)?(?P<hosts>[^/?#@]+)"
    r"(?P<path>/[^?#]*)?(?:\?(?P<query>[^#]*))?",
    re.IGNORECASE,
)
_MASTER = re.compile(r"/[\w.-]{1,100}", re.ASCII)


def redis_urls(text: str) -> tuple[str, ...]:
    """Return addresses as redis-py takes them. Raises ValueError, in words that hold nothing of what was given."""
    return tuple(_redis_url(url) for url in text.split())


def _redis_url(text: str) -> str:
    if several := _SEVERAL.fullmatch(text):
        return _several(several)
    at = _URL.fullmatch(text)
    scheme = at["scheme"].lower().replace("valkey", "redis") if at else ""
    if not at or scheme not in ("redis", "rediss", "unix"):
        raise ValueError(
            "is not a Redis address: give redis[s]://[user:password@]host[:port][/number], unix:///path, "
            "redis[s]+sentinel://host[:port],host[:port]/service or redis[s]+cluster://host[:port],host[:port], and "
            "write / ? # % and spaces in a password as %XX"
        )
    if "#" in text:
        raise ValueError("contains a #: in a password write it as %23")
    options = _options(at["query"], _ANY if scheme != "rediss" else _ANY | _TLS)
    user = _user(at)
    if scheme == "unix":
        if at["host"] or at["port"] or not at["path"] or at["path"] == "/":
            raise ValueError("has no socket path: give unix:///path, with three slashes")
        place = at["path"]
    else:
        if "," in at["host"]:
            raise ValueError("has a comma: separate several Redis addresses by spaces")
        if not re.fullmatch("(/[0-9]{0,6})?", at["path"] or ""):
            raise ValueError(
                "has a database that is not a number: give the number after the slash, as in redis://host/1"
            )
        place = _place(at) + (at["path"] or "")
    return f"{scheme}://{user}{place}" + (f"?{options}" if options else "")


def _several(at: re.Match[str]) -> str:
    """Return the address of a master behind Sentinels, or of a cluster."""
    scheme, kind = at["tls"].lower().replace("valkey", "redis"), at["kind"].lower()
    path = at["path"] or ""
    if kind == "sentinel" and not _MASTER.fullmatch(path):
        raise ValueError(
            "does not name the Sentinels' service: give it as the path, as in redis+sentinel://host/mymaster"
        )
    if kind == "cluster" and path not in ("", "/"):
        raise ValueError("has a path, and a cluster has no databases: leave it out")
    known = (_ANY if kind == "sentinel" else {"username": _TEXT, "password": _TEXT}) | (
        _TLS if scheme == "rediss" else {}
    )
    options = _options(at["query"], known | _OF_SENTINELS if kind == "sentinel" else known)
    places = []
    for one in at["hosts"].split(","):
        part = _URL.fullmatch(f"redis://{one}")
        if part is None or not part["host"]:
            raise ValueError("has a host that cannot be read: give host[:port], several with commas between")
        places.append(_place(part))
    return f"{scheme}+{kind}://{_user(at)}{','.join(places)}{path.rstrip('/')}" + (f"?{options}" if options else "")


def _user(at: re.Match[str]) -> str:
    # As it is written, but for what urllib.parse would trip over.
    return "" if at["user"] is None else quote(at["user"], safe="%:!$&'()*+,;=") + "@"


def _place(at: re.Match[str]) -> str:
    port = _port(at["port"])
    # Inside a cluster a name is often written with the dot that ends it.
    name = at["host"].removesuffix(".")
    return host(name) + at["host"][len(name) :] + (f":{port}" if port else "")


def _options(query: str | None, known: dict[str, re.Pattern[str]]) -> str:
    try:
        given = parse_qsl(query or "", keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        raise ValueError("has a malformed query: give it as ?name=value&name=value") from None
    for name, value in given:
        if name not in known:
            raise ValueError(f"has an unknown option; known are {', '.join(known)}")
        if not known[name].fullmatch(value):
            raise ValueError(f"has a wrong value for the option {name}")
        if name in _TLS_FILES and not os.access(value, os.R_OK):
            raise ValueError(f"names a file for {name} that cannot be read")
    if len({name for name, _ in given}) < len(given):
        raise ValueError("has an option twice")
    return urlencode(given)
