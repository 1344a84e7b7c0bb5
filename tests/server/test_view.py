"""What anybody sees of a comment: every viewer, state and history, in the one place that decides it."""

from __future__ import annotations

import itertools

import msgspec
import pytest

from server.model import Account, StoredComment
from server.visibility import Sight, shows_history, sight, view

VIEWERS = {
    "stranger": None,
    "other": Account(2, "Bo", "reader"),
    "author": Account(1, "Ana", "reader"),
    "moderator": Account(3, "Mod", "moderator"),
    "staff": Account(4, "Chief", "staff"),
    "author, a moderator": Account(1, "Ana", "moderator"),
}
COMMENT = StoredComment(
    id=7, thread=1, thread_key="t", thread_title="T", thread_author=None, parent=None, depth=0, state="visible",
    shown=1, version=9, revision=2, body="words", html="<p>words</p>", created=0, edited=5, placed=0, arrived=3,
    nonce="n" * 16, replies=1, score=4, author=1, author_name="Ana", author_role="reader", author_picture=None,
    hidden_quotes=None,
)  # fmt: skip
GONE = "What was quoted here is gone."

# By (state, was it ever public, is its text kept): what everybody sees, and what those do who see something else.
TABLE: dict[tuple[str, int, bool], tuple[Sight, dict[str, Sight]]] = {
    ("visible", 1, True): ("text", {}),
    ("pending", 1, True): (
        "tombstone",
        {"author": "text", "moderator": "text", "staff": "text", "author, a moderator": "text"},
    ),
    ("pending", 0, True): (
        "nothing",
        {"author": "text", "moderator": "text", "staff": "text", "author, a moderator": "text"},
    ),
    ("removed", 1, True): ("tombstone", {"moderator": "text", "staff": "text", "author, a moderator": "text"}),
    ("removed", 0, True): (
        "nothing",
        {"author": "text", "moderator": "text", "staff": "text", "author, a moderator": "text"},
    ),
    ("removed", 1, False): ("tombstone", {}),
    ("removed", 0, False): (
        "nothing",
        {"author": "tombstone", "moderator": "tombstone", "staff": "tombstone", "author, a moderator": "tombstone"},
    ),
    ("deleted", 1, True): ("tombstone", {}),
    ("deleted", 1, False): ("tombstone", {}),
    ("deleted", 0, True): (
        "nothing",
        {"author": "tombstone", "moderator": "tombstone", "staff": "tombstone", "author, a moderator": "tombstone"},
    ),
    ("deleted", 0, False): (
        "nothing",
        {"author": "tombstone", "moderator": "tombstone", "staff": "tombstone", "author, a moderator": "tombstone"},
    ),
}  # fmt: skip
CASES = [
    (viewer, *case, others.get(viewer, everybody))
    for viewer, (case, (everybody, others)) in itertools.product(VIEWERS, TABLE.items())
]


def kept(state: str, shown: int, *, has_text: bool) -> StoredComment:
    text = {} if has_text else {"body": "", "html": ""}
    return msgspec.structs.replace(COMMENT, state=state, shown=shown, **text)


@pytest.mark.parametrize(("viewer", "state", "shown", "has_text", "expected"), CASES)
def test_each_viewer_sees_the_text_a_tombstone_or_nothing(
    viewer: str, state: str, shown: int, has_text: bool, expected: Sight
) -> None:
    comment = kept(state, shown, has_text=has_text)
    assert sight(VIEWERS[viewer], comment) == expected
    seen = view(VIEWERS[viewer], comment)
    if expected == "nothing":
        assert seen is None
        return
    assert seen is not None
    assert (seen.id, seen.state, seen.score, seen.replies) == (7, state, 4, 1)
    assert seen.html == ("<p>words</p>" if expected == "text" else "")
    assert (seen.author is not None) == (seen.edited is not None) == (expected == "text")


@pytest.mark.parametrize("viewer", VIEWERS)
def test_what_nobody_wrote_is_nobodys_own(viewer: str) -> None:
    comment = msgspec.structs.replace(
        COMMENT, state="pending", shown=0, author=None, author_name=None, author_role=None
    )
    seen = view(VIEWERS[viewer], comment)
    assert (seen is not None) == (viewer in ("moderator", "staff", "author, a moderator"))
    assert seen is None or seen.author is None


@pytest.mark.parametrize("viewer", VIEWERS)
def test_a_closed_account_has_no_name_for_anybody(viewer: str) -> None:
    seen = view(VIEWERS[viewer], msgspec.structs.replace(COMMENT, author_name=None, author_role=None))
    assert seen is not None
    assert (seen.author, seen.html) == (None, "<p>words</p>")


@pytest.mark.parametrize("viewer", VIEWERS)
@pytest.mark.parametrize("state", ["visible", "pending", "removed"])
def test_a_quote_of_what_is_hidden_is_cut_out_for_everybody(viewer: str, state: str) -> None:
    html = '<blockquote><p><a href="/t/t/c/3">Bo</a></p><p>secret</p></blockquote><p>words</p>'
    seen = view(VIEWERS[viewer], msgspec.structs.replace(COMMENT, state=state, html=html, hidden_quotes="0"))
    assert seen is not None
    assert "secret" not in str(seen.html)
    assert (GONE in str(seen.html)) == ("words" in str(seen.html))


@pytest.mark.parametrize(
    ("role", "is_thread_author", "badge"),
    [
        ("reader", False, None),
        ("moderator", False, "moderator"),
        ("staff", False, "staff"),
        ("reader", True, "author"),
        ("staff", True, "author"),
    ],
)
def test_a_badge_says_who_speaks(role: str, is_thread_author: bool, badge: str | None) -> None:
    seen = view(None, msgspec.structs.replace(COMMENT, author_role=role, thread_author=1 if is_thread_author else 2))
    assert seen is not None
    assert seen.author
    assert seen.author.badge == badge


def test_earlier_texts_are_shown_beside_a_visible_one_alone() -> None:
    assert {case for case in TABLE if shows_history(kept(case[0], case[1], has_text=case[2]))} == {("visible", 1, True)}
