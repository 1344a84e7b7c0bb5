"""From the flat page of a thread to the nested nodes that the templates draw."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from channels.change import Comment
from server.model import Account
from server.storage.snapshot import Page

ANONYMOUS = "Anonymous"


@dataclass(frozen=True, slots=True)
class Own:
    """What of a thread is the viewer's own, by comment: its votes, what of them no score holds yet, and what is new."""

    votes: Mapping[int, int] = field(default_factory=dict)
    owed: Mapping[int, int] = field(default_factory=dict)
    fresh: Collection[int] = ()


@dataclass(slots=True)
class Node:
    """`context`: an ancestor that stood on an earlier page, repeated so that its replies can be understood.

    `score` holds the viewer's own vote, although others do not see it yet.
    """

    comment: Comment
    depth: int
    parent_name: str | None
    mine: bool
    vote: int
    score: int
    context: bool
    fresh: bool
    children: list[Node] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        return self.comment.state == "visible"


def nodes(
    context: Iterable[Comment],
    comments: Iterable[Comment],
    viewer: Account | None,
    own: Own,
    *,
    is_flat: bool = False,
) -> list[Node]:
    """Return the roots. Comments come in the order of reading: parents before their replies; flat, all are roots."""
    by_id: dict[int, Node] = {}
    roots: list[Node] = []
    for is_context, group in ((True, context), (False, comments)):
        for comment in group:
            above = by_id.get(comment.parent) if isinstance(comment.parent, int) else None
            node = Node(
                comment=comment,
                depth=above.depth + 1 if above and not is_flat else 0,
                parent_name=name_of(above.comment) if above else None,
                mine=viewer is not None and bool(comment.author) and comment.author.name == viewer.name,  # type: ignore[union-attr]
                vote=own.votes.get(comment.id, 0),
                score=comment.score + own.owed.get(comment.id, 0),  # type: ignore[operator]
                context=is_context,
                fresh=comment.id in own.fresh,
            )
            by_id[comment.id] = node
            (above.children if above and not is_flat else roots).append(node)
    return roots


def name_of(comment: Comment) -> str:
    return comment.author.name if comment.author else ANONYMOUS


def find(roots: list[Node], id_: int) -> Node | None:
    waiting = list(roots)
    while waiting:
        node = waiting.pop()
        if node.comment.id == id_:
            return node
        waiting.extend(node.children)
    return None


def start_path(page: Page) -> str:
    """Return the ids from the root to the comment before this page's first, joined by dots; "" on the first page."""
    return ".".join(map(str, page.start))


def placeholder() -> Node:
    """An empty comment, for the `<template>` that the script clones."""
    empty = Comment(
        id=0, version=0, parent=None, revision=1, state="visible", author=None, html="",
        created="1970-01-01T00:00:00.000Z", edited=None, score=0, replies=0,
    )  # fmt: skip
    return Node(empty, 0, "", mine=True, vote=0, score=0, context=False, fresh=False)
