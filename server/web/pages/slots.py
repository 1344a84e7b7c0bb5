"""HTML that was drawn once and is cut where something else is put in later. Knows neither comments nor accounts."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup

# No text has a NUL, and nobody can guess the rest.
_SIGN = f"\0{secrets.token_hex(8)}"
_END = "\0"


def cut(name: str) -> Markup:
    """Return what a template writes where the HTML is to be cut."""
    return Markup(f"{_SIGN}{name}{_END}")


@dataclass(frozen=True, slots=True)
class Cut:
    """`parts` are one more than `names`: between two of them stands what has the name."""

    parts: tuple[bytes, ...]
    names: tuple[str, ...]

    @classmethod
    def of(cls, html: str) -> Cut:
        first, *rest = html.split(_SIGN)
        named = [piece.partition(_END) for piece in rest]
        parts = (first.encode(), *(part.encode() for _, _, part in named))
        return cls(parts, tuple(name for name, _, _ in named))

    def filled(self, values: Mapping[str, bytes]) -> bytes:
        pieces = [self.parts[0]]
        for name, part in zip(self.names, self.parts[1:], strict=True):
            pieces += [values[name], part]
        return b"".join(pieces)
