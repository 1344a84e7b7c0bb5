"""The gallery's people, threads and comments: what nobody has written. Knows no template."""

from __future__ import annotations

import functools
import itertools
import time
from typing import Any

from channels.messages import Comment
from server.model import Account, Head, Role, State, StoredComment, Thread
from server.storage.comments.comments import Found
from server.text import markup
from server.visibility import info, moment, view

MINUTE = 60_000
LONG_WORD = "Donaudampfschifffahrtsgesellschaftskapitänskajütenschlüssel" * 2
LONG_NAME = "Wilhelmina Featherstonehaugh-Cholmondeley"[:40]
ADDRESS = f"https://example.org/{'a-long-path/' * 12}"
PEOPLE = {"Ana": "Ana", "Cleo": "Cleo", LONG_NAME: LONG_NAME, "ليلى": "ليلى"}
SHORT = "Lovely piece, thank you."
LONG = "\n\n".join(
    (
        "I have kept the same tide tables since 1987, and the harbour is a hand's breadth higher than it was.",
        (
            "That is not a measurement, of course. But when three people on the same quay, who agree on nothing else, "
            "all moved their moorings in the same decade, I begin to believe the tables over the brochure."
        ),
        "What I miss in the article is the cost of doing nothing, which the council did publish, in a *footnote*.",
    )
)
RICH: dict[str, str] = {
    "quote": """\
> The harbour is a hand's breadth higher than it was.
>
> — [Ana](/t/gallery/c/1)

Which gauge is that?""",
    "code": f"""\
Run `tide --since 1987` first:

    for year in range(1987, 2026):
        print(year, level(year))
    # {LONG_WORD}""",
    "list": """\
Three things:

- the gauge was moved
- the datum was changed
    1. once in 1990
    2. again in 2011
- and nobody said so""",
    "spoiler": f"The answer is on page 12: ||it was the gauge all along, and {ADDRESS} says why||.",
    "links": f"""\
See {ADDRESS} and [the tables](https://example.org/tables).

@Cleo may know more, and so may @"{LONG_NAME}".""",
    "word": LONG_WORD,
    "emphasis": "*Slowly*, **now**, ~~never~~ and `at once`.\n\n---\n\nA line between.",
}
RTL = "هذا تعليق من اليمين إلى اليسار، وفيه كلمة English ورقم 42 وعنوان https://example.org في وسطه."
MIXED = "English first, then עברית and العربية, and English again.\n\nوهذه فقرة عربية كاملة."
# Somebody's own; no such file is kept.
PICTURE = "0" * 32
_ids = itertools.count(1)
ANA = Account(1, "Ana", "reader")
MOD = Account(2, "Mo", "moderator")
STAFF = Account(4, "Stella", "staff")
# Who wrote the article of every thread.
AUTHOR = 3


@functools.cache
def html(body: str) -> str:
    return markup.to_html(body, PEOPLE)


def comment(
    body: str = SHORT,
    name: str | None = "Ana",
    *,
    parent: StoredComment | None = None,
    state: State = "visible",
    role: Role = "reader",
    account: int = 1,
    age: int = 120,
    is_edited: bool = False,
    score: int = 3,
    replies: int = 0,
    shown: int = 1,
    hidden_quotes: str | None = None,
    picture: str | None = None,
) -> StoredComment:
    """Return a comment of `age` minutes; `name` None: of an account that was closed."""
    id_, created = next(_ids), now() - age * MINUTE
    return StoredComment(
        id=id_, thread=1, thread_key="gallery", thread_title="", thread_author=AUTHOR,
        parent=parent.id if parent else None, depth=parent.depth + 1 if parent else 0, state=state, shown=shown,
        version=1, revision=2 if is_edited else 1, body=body, html=html(body), created=created,
        edited=created + MINUTE if is_edited else None, placed=created, arrived=1, nonce=None, replies=replies,
        score=score, author=account, author_name=name, author_role=role if name else None, author_picture=picture,
        hidden_quotes=hidden_quotes,
    )  # fmt: skip


def head(one: StoredComment) -> Head:
    return Head(
        one.id, one.version, one.parent, one.state, one.shown, one.score, one.author, one.author_name, one.author_role,
        one.author_picture, one.author == one.thread_author, one.hidden_quotes,
    )  # fmt: skip


def seen(one: StoredComment, viewer: Account | None = None) -> Comment:
    found = view(viewer, one)
    assert found is not None
    return found


def chain(depth: int, body: str = SHORT) -> list[StoredComment]:
    """Return comments that answer each other."""
    made: list[StoredComment] = []
    names = itertools.cycle(["Ana", "Cleo", LONG_NAME])
    for _ in range(depth + 1):
        made.append(comment(body, next(names), parent=made[-1] if made else None, age=180 - len(made)))
    return made


def thread(key: str, **more: Any) -> Thread:
    given: dict[str, Any] = {
        "title": "The harbour is rising, and the tables are not", "author": AUTHOR, "author_name": "Bo", "version": 1,
        "summary": "Thirty years of tide tables, three moorings, and a footnote that the council did not read out.",
        "url": "https://example.org/harbour", "comments": 7,
    }  # fmt: skip
    return Thread(key, id=1, created=now(), **given | more)


def found(body: str = SHORT, title: str = "", viewer: Account | None = None, **more: Any) -> Found:
    return Found("gallery", title or thread("").title, seen(comment(body, **more), viewer))


def listed(thread_: Thread, age: int) -> dict[str, Any]:
    """Return a thread as the home page lists it."""
    told = info(thread_)
    return {
        "key": thread_.key, "title": told.title or thread_.key, "summary": told.summary, "comments": told.comments,
        "locked": told.locked, "active": moment(now() - age * MINUTE),
    }  # fmt: skip


def now() -> int:
    return time.time_ns() // 1_000_000


def ago(minutes: int) -> str:
    return moment(now() - minutes * MINUTE)
