"""Writes the table of the settings into README.md: `python3 -m server.settings.readme_table`, from a checkout."""

from __future__ import annotations

import re
from pathlib import Path

from server import settings
from server.settings.variables import PREFIX

README = Path(__file__).resolve().parents[2] / "README.md"
HEAD = "| setting | default | meaning |\n|---|---|---|\n"
_TABLE = re.compile(re.escape(HEAD) + r"(?:\|.*\n)*")


def table() -> str:
    """Return the table in Markdown, a row for each setting in the order of their declarations."""
    rows = [HEAD]
    for _, name, one in settings.declared():
        names = f"`{PREFIX}{name}`" + (f", `{PREFIX}{name}_FILE`" if one.is_secret else "")
        rows.append(f"| {names} | {one.shown or one.default} | {one.meaning} |\n")
    no_venv = "`1`: run.py uses the current interpreter and makes no `.venv` (for containers)"
    rows.append(f"| `{PREFIX}{settings.NO_VENV}` | | {no_venv} |\n")
    return "".join(rows)


def written(text: str) -> str:
    """Return a document with the present table in the place of the one that it holds."""
    return _TABLE.sub(lambda _: table(), text, count=1)


if __name__ == "__main__":
    README.write_text(written(README.read_text(encoding="utf-8")), encoding="utf-8")
