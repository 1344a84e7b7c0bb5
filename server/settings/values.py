"""What a setting may hold: each function reads a text whole, or raises ValueError with the rest of a sentence. Pure."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from server import locales, strict_urls
from server.locales.pseudo import PSEUDO
from server.private_files import MIN_SECRET

PROXY_HEADERS = ("X-Forwarded-For", "X-Real-IP", "CF-Connecting-IP")
# The kernels take 103 to 107.
MAX_SOCKET_BYTES = 100
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `count` in `seconds`, all of them at once if need be."""

    count: int
    seconds: float


def host(text: str) -> str:
    """Return where to listen: a name or an address, IPv6 without brackets."""
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    address, _, zone = bare.partition("%")
    try:
        return str(ipaddress.ip_address(address)) + (f"%{zone}" if zone else "")
    except ValueError:
        pass
    if "%" in text or "[" in text:
        raise ValueError("is not an address to listen on: give for example 127.0.0.1, ::1 or 0.0.0.0")
    return strict_urls.host(text)


def port(text: str) -> int:
    if not re.fullmatch("[0-9]{1,5}", text) or int(text) > 65535:
        raise ValueError("is not a port: give a number from 0 to 65535 (0: any free one)")
    return int(text)


def file(text: str) -> Path:
    if re.match(r"[a-z][a-z0-9+.-]+:", text, re.IGNORECASE) or text == ":memory:":
        raise ValueError("is not the path of a file: livethread keeps everything in one SQLite file")
    path = Path(text)
    # Path.is_dir fails where one may not look: a gateway has no database, and may be another user.
    if os.path.isdir(path) or text.endswith("/"):  # noqa: PTH112
        raise ValueError("is a folder: give the path of a file")
    return path


def socket(text: str) -> Path | None:
    """Return the path of a Unix socket; None where none is given."""
    if not text:
        return None
    path = Path(text.removeprefix("unix:"))
    if not path.is_absolute():
        raise ValueError("is not the path of a socket: give a whole one, for example /run/livethread/http.sock")
    if len(bytes(path)) > MAX_SOCKET_BYTES:
        raise ValueError(f"is too long: a socket's path has at most {MAX_SOCKET_BYTES} bytes")
    return path


def prefix(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", text):
        raise ValueError("is not a prefix: give 1 to 64 letters, digits, dots, underscores or hyphens")
    return text


def secret(text: str) -> str:
    if text and len(text) < MIN_SECRET:
        raise ValueError(f"is too short: give at least {MIN_SECRET} characters")
    return text


def token(text: str) -> str:
    if not re.fullmatch("[!-~]*", text):
        raise ValueError("cannot be sent as a bearer token: give ASCII letters, digits and punctuation, without spaces")
    return text


def origins(text: str) -> frozenset[str]:
    try:
        return frozenset(map(strict_urls.origin, text.split()))
    except ValueError as error:
        raise ValueError(f"is a list of origins separated by spaces, and one of them {error}") from None


def languages(text: str) -> tuple[str, ...]:
    """Return the languages that are named, or all real ones."""
    known = {language.lower(): language for language in (*locales.real(), *PSEUDO)}
    named = text.lower().split()
    if unknown := [language for language in named if language not in known]:
        raise ValueError(f"names {unknown[0]!a}, and there are: {' '.join(locales.real())}")
    return tuple(dict.fromkeys(known[language] for language in named)) or locales.real()


def networks(text: str) -> tuple[Network, ...]:
    try:
        return tuple(_network(part) for part in ([] if text.lower() == "none" else text.split()))
    except ValueError:
        raise ValueError(
            "is not a list of addresses and networks: give for example 127.0.0.1 10.0.0.0/8, or none"
        ) from None


def _network(text: str) -> Network:
    one = ipaddress.ip_network(text, strict=False)
    if isinstance(one, ipaddress.IPv6Network) and one.prefixlen >= 96 and (v4 := one.network_address.ipv4_mapped):
        return ipaddress.IPv4Network((v4, one.prefixlen - 96), strict=False)
    return one


def switch(text: str) -> bool:
    if text.lower() not in ("on", "off"):
        raise ValueError("must be on or off")
    return text.lower() == "on"


def one_of(*choices: str) -> Callable[[str], str]:
    """Return what reads one of these words, however it is cased."""

    def read(text: str) -> str:
        for choice in choices:
            if text.lower() == choice.lower():
                return choice
        raise ValueError(f"must be one of {', '.join(choices)}")

    return read


def count(text: str) -> int:
    if not re.fullmatch("[0-9]{1,7}", text) or not 1 <= int(text) <= 1_000_000:
        raise ValueError("is not a count: give a whole number from 1 to 1000000")
    return int(text)


def seconds(text: str) -> int:
    if not re.fullmatch("[0-9]{1,9}", text):
        raise ValueError("is not a number of seconds")
    return int(text)


def lifetime(text: str) -> int:
    if seconds(text) < 60:
        raise ValueError("is too short: give 60 seconds or more")
    return int(text)


def rate(text: str) -> Rate:
    match = re.fullmatch("([0-9]{1,7})/([0-9]{1,7})", text)
    if not match or not int(match[1]) or not int(match[2]):
        raise ValueError("is not a rate: give COUNT/SECONDS, for example 120/60")
    return Rate(int(match[1]), float(match[2]))
