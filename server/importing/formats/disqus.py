"""Disqus: the XML of its export, the threads of a whole forum. The texts are HTML."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

from server.importing import source_file, xml
from server.importing.record import Page, Record, foreign_page, guest, skipped, utc


def read(path: Path) -> Iterator[Page | Record]:
    """Yield pages, and a record per post. Raises CannotStart."""
    with source_file.opened(path) as file:
        number = 0
        for element, _ in xml.elements(file, "disqus", ("disqus/thread", "disqus/post")):
            id_ = element.get("id", "")
            if element.tag == "thread":
                is_locked = xml.text(element, "isClosed") == "true"
                yield foreign_page(id_, xml.text(element, "link"), xml.text(element, "title"), is_locked=is_locked)
                continue
            number += 1
            yield _record(number, id_, element)


def _record(number: int, id_: str, post: Element) -> Record:
    thread, parent, author = post.find("thread"), post.find("parent"), post.find("author")
    created = utc(xml.text(post, "createdAt"))
    if not id_ or thread is None:
        return skipped(number, "not a Disqus post: it has no id or no thread")
    if created is None:
        return skipped(number, "createdAt is not a time", id_)
    if xml.text(post, "isSpam") == "true":
        return skipped(number, "it was marked as spam", id_)
    is_deleted = xml.text(post, "isDeleted") == "true"
    name = username = person = ""
    if author is not None:
        name, username = xml.text(author, "name"), xml.text(author, "username")
        person = username or guest(name, xml.text(author, "email"))
    return Record(
        line=number,
        id=id_,
        page=thread.get("id", ""),
        parent=parent.get("id") if parent is not None else None,
        author=name or username or None,
        person=person,
        created=created,
        state="pending" if xml.text(post, "isApproved") == "false" and not is_deleted else None,
        removed=is_deleted,
        body="" if is_deleted else xml.text(post, "message"),
        format="html",
    )
