"""The common form of all foreign formats: pages, and the comments on them."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from server import urls
from server.model import State

# What SQLite can hold and add up, by far.
Score = Annotated[int, msgspec.Meta(ge=-(10**9), le=10**9)]
Count = Annotated[int, msgspec.Meta(ge=0, le=10**9)]
Format = Literal["markdown", "html"]
Form = TypeVar("Form")
# Where msgspec says that an error is.
_FIELD = re.compile(r"at `\$\.(\w+)")

# Far above what any of these systems lets people write, and little enough for one page.
MAX_TEXT_CHARACTERS = 1_000_000
MAX_ID_CHARACTERS = 500
MAX_TITLE_CHARACTERS = 300


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """What a file tells of one page. `id` is what its records name it by: empty where the file is one page."""

    id: str = ""
    url: str = ""
    title: str = ""
    summary: str = ""
    author: str | None = None
    locked: bool = False


class Earlier(msgspec.Struct, frozen=True, kw_only=True):
    """A text that a comment had until `replaced`, in unix milliseconds."""

    revision: int
    body: str
    replaced: int
    format: Format = "markdown"


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One comment of a foreign discussion. `line` says where it stands in its file; times in unix milliseconds.

    `author` None with a text is Anonymous; `removed` keeps only the place, unless `state` says more. `skip` says why it
    cannot be taken at all.
    """

    line: int
    id: str
    page: str = ""
    parent: str | None = None
    author: str | None = None
    # The author's id where the comment was written, and the site within which it is one person's. None: the name is all
    # that is known.
    person: str | None = None
    site: str = ""
    created: int = 0
    # What orders it, where its database has not ordered it by the time it was written.
    placed: int | None = None
    edited: int | None = None
    score: int = 0
    # If they are known apart; else the score says it all.
    up: int | None = None
    down: int | None = None
    removed: bool = False
    state: State | None = None
    revision: int = 1
    body: str = ""
    format: Format = "markdown"
    # What the source made of a Markdown `body`: it is shown until somebody edits the comment.
    html: str | None = None
    earlier: list[Earlier] = []
    # By the numbers that its texts link to: ids of the file's comments (`server/text/links.py`).
    links: dict[str, str] = {}
    # Fields of the file that hold something else than they should.
    left_out: tuple[str, ...] = ()
    skip: str | None = None


def converted(
    value: Any, form: type[Form], least: frozenset[str], *, strict: bool = True
) -> tuple[Form, tuple[str, ...]]:
    """Return `value` in this form, and the fields that were left out since they hold something else than they should.

    Raises msgspec.ValidationError if one of the `least` is wrong, without which a comment would be another one.
    """
    left_out: list[str] = []
    while True:
        try:
            return msgspec.convert(value, form, strict=strict), tuple(left_out)
        except msgspec.ValidationError as error:
            found = _FIELD.search(str(error))
            if found is None or found[1] in least or found[1] not in value:
                raise
            left_out.append(found[1])
            value = {name: one for name, one in value.items() if name != found[1]}


def skipped(line: int, why: str, id_: str = "") -> Record:
    return Record(line=line, id=id_, skip=why)


def checked(record: Record) -> Record:
    """Return the record, or why it cannot be taken in its place."""
    if record.skip is not None:
        return record
    if len(record.id) > MAX_ID_CHARACTERS:
        return skipped(record.line, f"its id is longer than {MAX_ID_CHARACTERS} characters")
    if max(len(record.body), *(len(one.body) for one in record.earlier), 0) > MAX_TEXT_CHARACTERS:
        return skipped(record.line, f"its text is longer than {MAX_TEXT_CHARACTERS:,} characters", record.id)
    return record


def milliseconds(value: object) -> int | None:
    """Return Unix seconds as milliseconds, or None if the value is not a time between 1970 and 2100."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 4_102_444_800:
        return None
    return round(value * 1000)


def utc(text: str) -> int | None:
    """Return an ISO 8601 time, of UTC where it names no zone, as unix milliseconds; None if it is none."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return milliseconds((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp())


def guest(name: str, address: str) -> str:
    """Return an id of somebody without an account: the same for the same name and e-mail address, which it hides."""
    return f"guest {name} {hashlib.sha256(address.strip().lower().encode()).hexdigest()[:20]}"


# Most formats tell of the page with each comment.
@lru_cache(maxsize=1_000)
def foreign_page(id_: str, url: str, title: str, *, is_locked: bool = False) -> Page:
    """Return a page as another system tells of it: its title in one line, and its address if it is one."""
    address = url if urls.is_page(url) and not urls.is_local(url) else ""
    line = " ".join("".join(one if one.isprintable() else " " for one in title[:1000]).split())
    return Page(id=id_, url=address, title=line[:MAX_TITLE_CHARACTERS], locked=is_locked)
