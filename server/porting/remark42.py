"""Remark42: its native backup (a line per comment), its tree and its flat list of comments. The texts are HTML."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from server.porting.record import Record, Score, skipped


class User(msgspec.Struct):
    name: str = ""
    id: str = ""


class Comment(msgspec.Struct):
    id: str
    time: str
    pid: str = ""
    text: str = ""
    user: User = msgspec.field(default_factory=User)
    score: Score = 0
    delete: bool = False
    edit: dict[str, Any] | None = None


def read(path: Path) -> Iterator[Record]:
    """Return a record per comment, in the order of their times, whichever of the three forms the file has."""
    content = path.read_bytes()
    try:
        whole = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        whole = None
    if whole is None:
        found = list(_backup(content))
    elif isinstance(whole, list):
        found = list(enumerate(whole, start=1))
    elif isinstance(whole, dict) and isinstance(whole.get("comments"), list):
        found = list(enumerate(_flat(whole["comments"]), start=1))
    else:
        found = list(_backup(content))
    records = [_record(number, comment) for number, comment in found]
    return iter(sorted(records, key=lambda record: (record.created, record.line)))


def _backup(content: bytes) -> Iterator[tuple[int, Any]]:
    """The native backup: a line of its own data first, then one comment a line."""
    for number, line in enumerate(content.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            value = msgspec.json.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            value = None
        if not (isinstance(value, dict) and "version" in value and "users" in value):
            yield number, value


def _flat(tree: list[Any]) -> Iterator[Any]:
    waiting = list(reversed(tree))
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node.get("comment")
            replies = node.get("replies")
            waiting.extend(reversed(replies if isinstance(replies, list) else []))


def _record(number: int, value: Any) -> Record:
    try:
        comment = msgspec.convert(value, Comment)
        created = _milliseconds(comment.time)
        edited = _milliseconds(comment.edit["time"]) if comment.edit and comment.edit.get("time") else None
    except (msgspec.ValidationError, ValueError, TypeError) as error:
        return skipped(number, f"not a comment of Remark42: {error}")
    return Record(
        line=number,
        id=comment.id,
        parent=comment.pid or None,
        author=comment.user.name or None,
        created=created,
        edited=edited,
        score=comment.score,
        removed=comment.delete,
        body="" if comment.delete else comment.text,
        format="html",
    )


def _milliseconds(text: str) -> int:
    return max(0, int(datetime.fromisoformat(text).timestamp() * 1000))
