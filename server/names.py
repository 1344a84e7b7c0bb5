"""Names of accounts: one spelling, and a skeleton that is equal for names that look alike."""

from __future__ import annotations

import unicodedata

from server.errors import Invalid

MAX_CHARACTERS = 40
# The look-alikes that people use to pass for somebody else: digits for letters, Cyrillic and Greek for Latin.
# A capital I is an l to the eye, and case does not tell names apart: so i, I, l and 1 are one.
_LOOKS_LIKE = str.maketrans(
    "01авекмнорстухіјѕԁһԛԝαβεηικνορτυχϲıſi",
    "olabekmhopctyxljsdhqwabenlkvoptuxclsl",
)


def clean(name: str) -> str:
    """Return the name as it is kept: NFKC, single spaces. Raises Invalid (field name)."""
    name = " ".join(unicodedata.normalize("NFKC", name).split())
    if not 1 <= len(name) <= MAX_CHARACTERS:
        raise Invalid(f"A name has 1 to {MAX_CHARACTERS} characters.", field="name")
    marks = 0
    for character in name:
        category = unicodedata.category(character)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if category[0] == "C" or category in ("Zl", "Zp") or marks > 2:
            raise Invalid("A name may not hold control or invisible characters.", field="name")
    if not any(unicodedata.category(character)[0] in "LN" for character in name):
        raise Invalid("A name holds at least one letter or digit.", field="name")
    return name


def skeleton(name: str) -> str:
    """Return what a clean name looks like: two names with one skeleton cannot both be had (after UTS #39)."""
    bare = unicodedata.normalize("NFKD", name.casefold())
    letters = "".join(character for character in bare if unicodedata.category(character)[0] in "LN")
    return letters.translate(_LOOKS_LIKE).replace("rn", "m").replace("vv", "w") or bare
