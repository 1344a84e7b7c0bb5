"""From the flat page of a thread to the places of its comments: how deep each stands, and below whom."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from channels.messages import Comment
from server.model import Head
from server.storage.threads.paging import Page


@dataclass(slots=True)
class Place:
    """`context`: an ancestor that stood on an earlier page, repeated so that its replies can be understood."""

    comment: Head
    depth: int
    parent_name: str | None
    context: bool
    replies: list[Place] = field(default_factory=list)


def places(context: Iterable[Head], comments: Iterable[Head], *, is_flat: bool = False) -> list[Place]:
    """Return the roots. Comments come in the order of reading: parents before their replies; flat, all are roots."""
    by_id: dict[int, Place] = {}
    roots: list[Place] = []
    for is_context, group in ((True, context), (False, comments)):
        for comment in group:
            above = by_id.get(comment.parent) if comment.parent is not None else None
            place = Place(
                comment,
                above.depth + 1 if above and not is_flat else 0,
                name_in(above.comment) if above else None,
                is_context,
            )
            by_id[comment.id] = place
            (above.replies if above and not is_flat else roots).append(place)
    return roots


def walked(roots: list[Place]) -> Iterator[tuple[Place, bool]]:
    """Yield each place when it begins (True) and, after all that hangs below it, when it ends (False)."""
    waiting = [(root, True) for root in reversed(roots)]
    while waiting:
        place, is_begin = waiting.pop()
        yield place, is_begin
        if is_begin:
            waiting.append((place, False))
            waiting += [(reply, True) for reply in reversed(place.replies)]


def name_in(comment: Head) -> str:
    """Return the name over the comment, as everybody sees it: a tombstone and a nameless author have none, ""."""
    named = comment.author_name if comment.state == "visible" and comment.author_role is not None else None
    return named or ""


def name_of(comment: Comment) -> str:
    """Return the author's name, "" if there is none."""
    return comment.author.name if comment.author else ""


def start_path(page: Page[Head]) -> str:
    """Return the keys, as `TIME-ID`, from the root to the comment before this page's first; "" on the first page."""
    return ".".join(f"{placed}-{id_}" for placed, id_ in page.start)
