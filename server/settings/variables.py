"""The environment's variables LIVETHREAD_*: what each says, and which are none of ours. Knows no setting."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Set
from pathlib import Path

from server.errors import CannotStart

PREFIX = "LIVETHREAD_"
MAX_FILE_BYTES = 64 * 1024
SHOWN_CHARACTERS = 80
# What Kubernetes tells every container of a service called livethread, or livethread-something.
_OF_KUBERNETES = re.compile(r"\w*(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)")
_ADDRESS_OF_A_SERVICE = re.compile(r"(tcp|udp|sctp)://\S+")


def given(environment: Mapping[str, str], name: str, *, is_secret: bool = False) -> str:
    """Return what was given of a setting, "" for nothing; of a secret also what its file holds. Raises CannotStart."""
    text = environment.get(PREFIX + name, "").strip()
    if name == "PORT" and _ADDRESS_OF_A_SERVICE.fullmatch(text):
        return ""
    in_file = environment.get(f"{PREFIX}{name}_FILE", "").strip() if is_secret else ""
    if text and in_file:
        raise CannotStart(f"{PREFIX}{name}: it is set twice, here and by {PREFIX}{name}_FILE.")
    return _from_file(f"{PREFIX}{name}_FILE", Path(in_file)) if in_file else text


def _from_file(setting: str, path: Path) -> str:
    try:
        with path.open("rb") as file:
            text = file.read(MAX_FILE_BYTES).decode().strip()
    except UnicodeDecodeError:
        raise CannotStart(f"{setting}: {shown(str(path))} is not UTF-8.") from None
    except OSError as error:
        raise CannotStart(f"{setting}: {shown(str(path))} cannot be read: {error.strerror}.") from None
    if not text:
        raise CannotStart(f"{setting}: {shown(str(path))} is empty.")
    return text


def shown(text: str) -> str:
    """Return a value as a message may repeat it: not where it may hold a password, and not at any length."""
    if re.search("[@?#]", text) or "://:" in text:
        return "the value"
    return repr(text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…")


def ignored(environment: Mapping[str, str], known: Set[str]) -> list[str]:
    """Return a sentence for each variable that begins like ours and is not `known`, with the nearest one that is."""
    lines = []
    for name in sorted(environment):
        if not name.upper().startswith(PREFIX) or name in known or _is_of_kubernetes(name, environment[name]):
            continue
        nearest = difflib.get_close_matches(name.upper()[:SHOWN_CHARACTERS], sorted(known), 1)
        lines.append(
            f"{ascii(name)[1:-1][:SHOWN_CHARACTERS]} is not a setting of this version and is ignored."
            + (f" Did you mean {nearest[0]}?" if nearest else "")
        )
    if _ADDRESS_OF_A_SERVICE.fullmatch(environment.get(PREFIX + "PORT", "").strip()):
        lines.append(
            f"{PREFIX}PORT is a service address set by Kubernetes, and is ignored. "
            "`enableServiceLinks: false` in the pod prevents it."
        )
    return lines


def _is_of_kubernetes(name: str, value: str) -> bool:
    is_address = name.endswith("_PORT") and _ADDRESS_OF_A_SERVICE.fullmatch(value)
    return bool(is_address or _OF_KUBERNETES.fullmatch(name))
