"""The author of a record, as an account: found by their id in the file, under a valid name."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from server import account_names, lookalike_names
from server.errors import Invalid
from server.importing.record import MAX_ID_CHARACTERS
from server.storage.accounts import accounts, imported_people
from server.storage.engine.write import Write

# What a name may not hold, but stands between two words of it.
_APART = "/\\\t\r\n"
ANONYMOUS = "its author's name cannot be used: it is now by Anonymous"
CHANGED = "its author's name is too long or has characters that are not allowed: it was changed"


def account(
    write: Write, origin: str, name: str, person: str | None = None, *, site: str = "", is_ours: bool = False
) -> tuple[int | None, list[str]]:
    """Return the account (None for Anonymous) and a remark for the report.

    `is_ours`: the account here that has this name, if there is one.
    """
    clean = _clean(name)
    if clean is None:
        return None, [ANONYMOUS]
    called, told = clean
    notes = list(told)
    if is_ours and (known := accounts.by_name(write.sql, called)) is not None:
        return known[0].id, notes
    # Where only names are known, each spelling is a person.
    id_ = f"name {called}" if person is None else f"id {person}"
    found = imported_people.account(write, imported_people.Person(origin, site, id_[:MAX_ID_CHARACTERS], called))
    return found, notes


@lru_cache(maxsize=10_000)
def _clean(name: str) -> tuple[str, tuple[str, ...]] | None:
    """Return the name as it is kept here, also if it is too long or holds what cannot be seen."""
    try:
        return account_names.clean(name), ()
    except Invalid:
        pass
    wide = unicodedata.normalize("NFKC", name[:MAX_ID_CHARACTERS])
    seen = " ".join("".join(one if _is_seen(one) else " " if one in _APART else "" for one in wide).split())
    try:
        return account_names.clean(seen[: account_names.MAX_CHARACTERS]), (CHANGED,)
    except Invalid:
        return None


def _is_seen(letter: str) -> bool:
    return unicodedata.category(letter)[0] != "C" and letter not in _APART and not lookalike_names.is_invisible(letter)
