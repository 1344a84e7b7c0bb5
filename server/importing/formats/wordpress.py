"""WordPress: the comments of an export (WXR), each post or page with its own. The texts are HTML with bare lines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

from server.importing import source_file, xml
from server.importing.record import Page, Record, foreign_page, guest, skipped, utc

_BLOCK = re.compile(r"<(?:p|br|ul|ol|blockquote|pre|div)\b", re.IGNORECASE)
_EMPTY_LINES = re.compile(r"\n(?:[ \t]*+\n)+")
_NOT_PUBLIC = {"draft", "private", "trash", "auto-draft"}
_STATES = {"1": "visible", "approve": "visible", "0": "pending", "hold": "pending"}


def read(path: Path) -> Iterator[Page | Record]:
    """Yield pages, and a record per comment, pingbacks among them. Raises CannotStart."""
    with source_file.opened(path) as file:
        number = 0
        told = ""
        # The namespace of its elements is http or https, and has a version.
        for comment, post in xml.elements(file, "rss", ("item/comment", "channel/item")):
            if comment.tag == "item":
                continue
            number += 1
            id_ = xml.text(post, "post_id") or xml.text(post, "link")
            if id_ != told:
                told = id_
                is_closed = xml.text(post, "comment_status") == "closed"
                yield foreign_page(id_, xml.text(post, "link"), xml.text(post, "title"), is_locked=is_closed)
            yield _record(number, id_, comment, is_public=xml.text(post, "status") not in _NOT_PUBLIC)


def _record(number: int, page: str, comment: Element, *, is_public: bool) -> Record:
    id_ = xml.text(comment, "comment_id")
    created = utc(xml.text(comment, "comment_date_gmt")) or utc(xml.text(comment, "comment_date"))
    approved = xml.text(comment, "comment_approved")
    if not id_:
        return skipped(number, "not a WordPress comment: it has no id")
    if created is None:
        return skipped(number, "it has no time", id_)
    if approved == "spam":
        return skipped(number, "it was marked as spam", id_)
    if not is_public:
        return skipped(number, "its post is not public", id_)
    is_removed = approved in ("trash", "post-trashed")
    parent, user = xml.text(comment, "comment_parent"), xml.text(comment, "comment_user_id")
    name = xml.text(comment, "comment_author")
    return Record(
        line=number,
        id=id_,
        page=page,
        parent=parent if parent not in ("", "0") else None,
        author=name or None,
        person=f"user {user}" if user not in ("", "0") else guest(name, xml.text(comment, "comment_author_email")),
        created=created,
        state=None if is_removed else "visible" if _STATES.get(approved, "visible") == "visible" else "pending",
        removed=is_removed,
        body="" if is_removed else _paragraphs(xml.text(comment, "comment_content")),
        format="html",
    )


def _paragraphs(text: str) -> str:
    """Return the HTML with the paragraphs and line ends that WordPress shows."""
    if _BLOCK.search(text):
        return text
    parts = _EMPTY_LINES.split(text.replace("\r\n", "\n"))
    return "\n".join(f"<p>{part.strip().replace(chr(10), '<br>')}</p>" for part in parts if part.strip())
