"""The refusal of an action that was decided on an outdated text."""

from __future__ import annotations

from channels.messages import Comment
from server.errors import Conflict


class Outdated(Conflict):
    """The comment is another by now; `current` is it, and `body` its text."""

    def __init__(self, current: Comment, body: str) -> None:
        super().__init__("error.outdated", code="stale_revision", field="revision")
        self.current = current
        self.body = body
