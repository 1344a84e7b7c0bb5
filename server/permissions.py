"""Who may do what: pure, and the only place that decides it."""

from __future__ import annotations

from server.model import Account, StoredComment, Thread


def is_staff(account: Account | None) -> bool:
    return account is not None and account.role == "staff"


def may_post(account: Account, thread: Thread) -> bool:
    return not thread.locked or account.role in ("moderator", "staff")


def may_delete(account: Account, comment: StoredComment) -> bool:
    """Deleting is the author's; what moderators do is removing, and leaves another tombstone."""
    return comment.author == account.id


def may_describe(account: Account | None) -> bool:
    return is_staff(account)
