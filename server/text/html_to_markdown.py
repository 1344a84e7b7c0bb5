"""HTML to Markdown, for editing texts imported as HTML. The Markdown makes the same HTML again."""

from __future__ import annotations

from typing import Any

from markdownify import ASTERISK, MarkdownConverter

from server.text import characters


class _Converter(MarkdownConverter):
    def convert_br(self, el: Any, text: str, parent_tags: set[str]) -> str:
        # A line end is one, as in every comment.
        return "\n"

    def convert_span(self, el: Any, text: str, parent_tags: set[str]) -> str:
        return f"||{text}||" if "spoiler" in (el.get("class") or []) else text


_CONVERTER = _Converter(bullets="-", strong_em_symbol=ASTERISK, escape_misc=True)


def to_markdown(html: str) -> str:
    """Return Markdown for safe HTML; what would be a sign in its text is escaped."""
    return characters.clean(_CONVERTER.convert(html))
