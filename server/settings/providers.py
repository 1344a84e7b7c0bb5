"""The file of LIVETHREAD_OIDC: the providers by which people log in, each a table in TOML. Knows no network."""

from __future__ import annotations

import ipaddress
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

MOST_PROVIDERS = 20
MAX_FILE_BYTES = 64 * 1024
MAX_LABEL_CHARACTERS = 40
MAX_CHARACTERS = 500
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,19}")
_KEYS = ("issuer", "client_id", "client_secret", "client_secret_file", "label")


@dataclass(frozen=True, slots=True)
class Provider:
    """An OpenID provider. `name`: in addresses here; `label`: on buttons; without a secret we are a public client."""

    name: str
    issuer: str
    client_id: str
    label: str
    secret: str = field(default="", repr=False)


def providers(text: str) -> tuple[Provider, ...]:
    """Return the providers of the file at this path; none if no path is given.

    Raises ValueError, OSError, in words that hold no secret.
    """
    if not text:
        return ()
    path = Path(text)
    try:
        tables = tomllib.loads(_content(path))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"is not TOML: {error}") from None
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8") from None
    if len(tables) > MOST_PROVIDERS:
        raise ValueError(f"has more than {MOST_PROVIDERS} providers")
    found = tuple(_provider(path, name, table) for name, table in tables.items())
    if len({one.issuer for one in found}) < len(found):
        raise ValueError("has two providers with the same issuer")
    return found


def is_secure(url: str, *, is_loopback: bool) -> bool:
    """Say whether what goes there is read by nobody else; `is_loopback`: or goes to this machine alone."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or "@" in parts.netloc or parts.fragment or "#" in url:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback and _is_loopback(host))


def is_here(url: str) -> bool:
    """Say whether the address is one of this machine alone."""
    return _is_loopback(urlsplit(url).hostname or "")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _provider(path: Path, name: str, table: Any) -> Provider:
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"has a provider called {name[:MAX_LABEL_CHARACTERS]!r}: give 1 to 20 small letters, digits and hyphens"
        )
    if not isinstance(table, dict):
        raise ValueError(f"has {name} outside a table: each provider begins with its name in brackets, as [{name}]")
    for key, value in table.items():
        if key not in _KEYS:
            raise ValueError(f"has an unknown line in [{name}], {key[:20]!r}: known are {', '.join(_KEYS)}")
        if not isinstance(value, str) or not 0 < len(value) <= MAX_CHARACTERS or not value.isprintable():
            raise ValueError(f"has a line {key} in [{name}] that is not a plain text in quotation marks")
    for key in ("issuer", "client_id"):
        if key not in table:
            raise ValueError(f"has no line {key} in [{name}]")
    issuer = table["issuer"]
    if "?" in issuer or not is_secure(issuer, is_loopback=True):
        raise ValueError(
            f"has an issuer in [{name}] that is not an address with https and without user, query and fragment; "
            "http is for this machine alone"
        )
    label = table.get("label", name)
    if len(label) > MAX_LABEL_CHARACTERS:
        raise ValueError(f"has a label in [{name}] of more than {MAX_LABEL_CHARACTERS} characters")
    return Provider(name, issuer, table["client_id"], label, _secret(path, name, table))


def _secret(path: Path, name: str, table: dict[str, str]) -> str:
    secret, in_file = table.get("client_secret", ""), table.get("client_secret_file", "")
    if secret and in_file:
        raise ValueError(f"has two secrets in [{name}]: leave out client_secret or client_secret_file")
    if in_file:
        try:
            # A path that is not whole begins where the file of the providers is.
            secret = _content(path.parent / in_file).strip()
        except UnicodeDecodeError:
            secret = "\0"
        except OSError as error:
            raise ValueError(f"names a client_secret_file in [{name}] that cannot be read: {error.strerror}") from None
        if not secret:
            raise ValueError(f"names a client_secret_file in [{name}] that is empty")
    # RFC 6749, appendix A.2.
    if not re.fullmatch(r"[ -~]*", secret):
        raise ValueError(f"has a secret in [{name}] with other characters than those of ASCII")
    return secret


def _content(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(MAX_FILE_BYTES).decode()
