"""Which texts the script shows: they are found in its bundles, where their keys are written out.

The *eager* words come in the HTML of a thread, the *lazy* ones in a file beside the script that is loaded later.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec
from markupsafe import Markup, escape

from server.locales import Texts, texts

_WRITTEN = re.compile(rb"""["'`](\w+\.\w+)["'`]""")


def keys(scripts: Iterable[bytes]) -> frozenset[str]:
    """Return the keys of all texts that these scripts ask for."""
    english = texts()
    written = {found.decode() for script in scripts for found in _WRITTEN.findall(script)}
    return frozenset(key for key in written if key in english)


def as_json(language: Texts, wanted: Iterable[str]) -> bytes:
    """Return the texts under these keys, with all forms of each."""
    return msgspec.json.encode(dict(sorted(form for key in wanted for form in language.forms(key))))


def as_attribute(language: Texts, wanted: Iterable[str]) -> Markup:
    return escape(as_json(language, wanted).decode())
