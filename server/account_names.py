"""Rules for account names: valid names, lookup keys and look-alikes. Knows no account."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from functools import cache, lru_cache

import idna

from server import lookalike_names
from server.errors import Invalid

MAX_CHARACTERS = 40
# A letter and all its marks are normalised in quadratic time.
_MAX_GIVEN = 4 * MAX_CHARACTERS
MAX_MARKS = 4
_MAX_SITE_CHARACTERS = 20
# Shown behind a name under which somebody here can log in.
ELSEWHERE = "(imported)"
# Behind the name of somebody who has no password.
GUEST = "(guest)"
_JOINERS = "\u200c\u200d"
# They choose between the two pictures of one character.
_SELECTORS = re.compile("[\ufe0e\ufe0f]")
_RESERVED = (
    "Anonymous", "Comment", "You", "Nobody", "Guest", "Unknown", "Null", "None",
    "Admin", "Admins", "Administrator", "Administrators", "Administration", "Mod", "Mods", "Moderator", "Moderators",
    "Moderation", "Staff", "Operator", "Root", "Sysop", "Webmaster", "Postmaster", "Hostmaster", "Support", "Security",
    "Official", "System", "Livethread", "Deleted", "Deleted user", "Deleted account", "Deleted by its author",
    "Deleted by the author", "Removed", "Removed user", "Removed by a moderator", "Account removed",
    "Account closed", "Awaiting moderation", "Held for a moderator", "Undefined",
)  # fmt: skip


def clean(name: str) -> str:
    """Return the name as it is kept: NFKC, single spaces. Raises Invalid (field name)."""
    if len(name) > _MAX_GIVEN:
        raise Invalid("error.name_length", field="name", count=MAX_CHARACTERS)
    name = " ".join(_SELECTORS.sub("", unicodedata.normalize("NFKC", name)).split())
    if not 1 <= len(name) <= MAX_CHARACTERS:
        raise Invalid("error.name_length", field="name", count=MAX_CHARACTERS)
    is_plain = name.isascii() and name.isprintable()
    if not is_plain and any(_is_hidden(name, place) for place in range(len(name))):
        raise Invalid("error.name_hidden", field="name")
    if "/" in name or "\\" in name:
        raise Invalid("error.name_slash", field="name")
    if not any(_kind(one) in "LN" for one in name):
        raise Invalid("error.name_needs_letter", field="name")
    if is_plain:
        return name
    for word in name.split(" "):
        if _kind(word[0]) == "M" or _marks_in_a_row(word) > MAX_MARKS:
            raise Invalid("error.name_marks", field="name", count=MAX_MARKS)
    return name


def key(name: str) -> str:
    """Return by what the account of this name is found, however it is cased; "": no name is like that."""
    if len(name) > _MAX_GIVEN:
        return ""
    if name.isascii():
        return " ".join(name.lower().split())
    plain = _SELECTORS.sub("", unicodedata.normalize("NFKC", name)).casefold()
    return " ".join(unicodedata.normalize("NFKC", plain).translate(dict.fromkeys(map(ord, _JOINERS))).split())


@lru_cache(maxsize=1_000)
def skeletons(name: str) -> frozenset[int]:
    """Return digests of what the name looks like, also in other cases, and with letters, digits and marks alone.

    64 bits each, signed. Of two names that share one only one can be had. They do not say what the name was.
    """
    digests = (hashlib.blake2b(one.encode(), digest_size=8).digest() for one in _shown(name))
    return frozenset(int.from_bytes(digest, signed=True) for digest in digests)


def is_reserved(name: str) -> bool:
    """Say whether the clean name stands for something else than a person, or seems to: only operators give it."""
    return not skeletons(name).isdisjoint(_reserved()) or is_of_elsewhere(name) or _is_of_guest(name)


def is_mixed(name: str) -> bool:
    """Say whether a word of the name mixes scripts that nobody writes together: such names are made to deceive."""
    return not all(lookalike_names.is_of_one_script(word) for word in name.split(" "))


def is_of_elsewhere(name: str) -> bool:
    """Say whether the name reads like a variant, as `variant` makes them."""
    return any(one in shown for shown in _shown(name) for one in _written("imported"))


def _is_of_guest(name: str) -> bool:
    """Say whether a word of the name is "guest", or looks like it."""
    guest = _written("guest")
    return any(not _shown(word).isdisjoint(guest) for word in re.split(r"[\W_]+", name) if word)


def variant(name: str, number: int) -> str:
    """Return the clean name as that of somebody elsewhere: `Ana (imported)`, `Ana (imported 2)`."""
    return _marked(name, ELSEWHERE, number)


def guest(name: str, number: int) -> str:
    """Return the clean name as that of a guest: `Ana (guest)`, `Ana (guest 2)`."""
    return _marked(name, GUEST, number)


def of_site(name: str, site: str, number: int) -> str:
    """Return the clean name as that of a reader whom a site names: `Ana (blog.example)`, `Ana (blog.example 2)`."""
    return _marked(name, f"({site_mark(site)})", number)


def site_mark(site: str) -> str:
    """Return what stands in parentheses behind the names of readers whom the site names."""
    return site[:_MAX_SITE_CHARACTERS]


def mark_of(name: str) -> str:
    """Return what stands in parentheses at the name's end, without a number; "" for none."""
    _, opening, rest = name.rpartition("(")
    if not opening or not rest.endswith(")"):
        return ""
    return re.sub(r" [0-9]{1,9}$", "", rest[:-1])


def _marked(name: str, mark: str, number: int) -> str:
    mark = f" {mark}" if number == 1 else f" {mark[:-1]} {number})"
    return name[: MAX_CHARACTERS - len(mark)].rstrip() + mark


# Whether a name may be had is asked several times before somebody has it, and of the same words each time.
@lru_cache(maxsize=1_000)
def _shown(name: str) -> frozenset[str]:
    bare = "".join(one for one in name if _kind(one) in "LNM")
    forms = {form for text in {name, bare} for form in (text, text.casefold(), text.upper())}
    return frozenset(lookalike_names.skeleton(form).casefold().replace(" ", "") for form in forms) - {""}


@cache
def _written(word: str) -> frozenset[str]:
    return _shown(word) | _shown(word.capitalize())


@cache
def _reserved() -> frozenset[int]:
    return frozenset().union(*map(skeletons, _RESERVED))


def _kind(character: str) -> str:
    return unicodedata.category(character)[0]


def _is_hidden(name: str, place: int) -> bool:
    one = name[place]
    if one in _JOINERS:
        return not _may_join(name, place)
    return lookalike_names.is_invisible(one) or _kind(one) == "C" or unicodedata.category(one) in ("Zl", "Zp")


def _may_join(name: str, place: int) -> bool:
    """Say whether a joiner shows there: contexts A1, A2 and B of UAX #31, the first as RFC 5892 has it."""
    before, after = name[:place], name[place + 1 :]
    is_behind_virama = bool(before) and unicodedata.combining(before[-1]) == 9
    if name[place] == "\u200d":
        return is_behind_virama and not (after and unicodedata.category(after[0]) == "Mc")
    if is_behind_virama:
        return bool(after) and _kind(after[0]) == "L"
    return idna.valid_contextj(name, place)


def _marks_in_a_row(word: str) -> int:
    longest = marks = 0
    for one in unicodedata.normalize("NFD", word):
        marks = marks + 1 if unicodedata.category(one) in ("Mn", "Me") else 0
        longest = max(longest, marks)
    return longest
