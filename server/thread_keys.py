"""Page addresses: a normal form, and the thread key derived from it. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

MAX_CHARACTERS = 200
_CHARACTER = "[A-Za-z0-9._~-]"
# A browser takes `.` and `..` for folders: nobody could open such a thread.
PATTERN = rf"(?!\.\.?(?!{_CHARACTER})){_CHARACTER}{{1,{MAX_CHARACTERS}}}"
_KEY = re.compile(PATTERN)
_OUTSIDE = re.compile(r"%[0-9A-F]{2}|[^A-Za-z0-9._~-]")
_OCTET = re.compile(r"%([0-9A-Fa-f]{2})?")
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]")
_INDEX = "index.html"
_DIGITS = 10
_ENDS_LIKE_A_HASH = re.compile(rf"(?:^|-)[0-9a-f]{{{_DIGITS}}}\Z")


def is_key(text: str) -> bool:
    """Say whether a thread can have this key."""
    return _KEY.fullmatch(text) is not None


def normalised(address: str, keep_query: Collection[str] = ()) -> str:
    """Return `host/path?query`, equal for all spellings of one page's address.

    Without scheme, port, fragment, `index.html` and one trailing slash; of the query only the names in `keep_query`,
    in alphabetical order.
    """
    try:
        parts = urlsplit(address.strip())
        host, path, query = _host(parts.hostname or ""), parts.path, parts.query
    except ValueError:
        host, path, query = "", address.strip(), ""
    path = _without_dots(_encoded(path.replace("\\", "/").removeprefix("/")))
    if path == _INDEX or path.endswith(f"/{_INDEX}"):
        path = path.removesuffix(_INDEX)
    kept = sorted((name, value) for name, value in parse_qsl(query, keep_blank_values=True) if name in keep_query)
    return f"{host}/{path.removesuffix('/')}" + (f"?{urlencode(kept, errors='replace')}" if kept else "")


def key_of(address: str, keep_query: Collection[str] = (), *, is_long: bool = False, prefix: str = "") -> str:
    """Return the key of the thread for this address: `prefix`, then the segments of its path, joined by `~`.

    Ten digits of a hash of the whole follow where the path alone does not tell the page, and always where `is_long`:
    for a page whose short key another address has.
    """
    whole = normalised(address, keep_query)
    path = whole.partition("/")[2].partition("?")[0]
    kept = _OUTSIDE.sub("", path.replace("/", "~"))
    tells_all = bool(kept) and kept.replace("~", "/") == path and "?" not in whole and is_key(f"{prefix}{kept}")
    # A plain path must not pass for the shortened key of another.
    if tells_all and not is_long and not _ENDS_LIKE_A_HASH.search(kept):
        return f"{prefix}{kept}"
    digest = hashlib.sha256(whole.encode(errors="replace")).hexdigest()[:_DIGITS]
    kept = kept[: MAX_CHARACTERS - _DIGITS - 1 - len(prefix)]
    return f"{prefix}{kept}-{digest}" if kept else f"{prefix}{digest}"


def _host(name: str) -> str:
    try:
        return name.encode("idna").decode("ascii").lower().rstrip(".")
    except UnicodeError:
        return name.lower().rstrip(".")


def _encoded(path: str) -> str:
    """Percent-encode only the necessary characters, in capitals."""

    def octet(match: re.Match[str]) -> str:
        if match[1] is None:
            return "%25"
        character = chr(int(match[1], 16))
        return character if _UNRESERVED.match(character) else match[0].upper()

    return quote(_OCTET.sub(octet, path), safe="%/!$&'()*+,;=:@~", errors="replace")


def _without_dots(path: str) -> str:
    """Resolve `.` and `..` as RFC 3986, 5.2.4 does."""
    segments = path.split("/")
    left: list[str] = []
    for segment in segments:
        if segment == "..":
            del left[-1:]
        elif segment != ".":
            left.append(segment)
    return "/".join(left) + ("/" if segments[-1] in {".", ".."} and left else "")
