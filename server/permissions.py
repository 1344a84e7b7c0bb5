"""Permissions: pure, and the only place that decides them."""

from __future__ import annotations

from server.model import Account, StoredComment, Thread


def is_staff(account: Account | None) -> bool:
    return account is not None and account.role == "staff"


def may_post(account: Account, thread: Thread) -> bool:
    return not thread.locked or account.role in ("moderator", "staff")


def may_delete(account: Account, comment: StoredComment) -> bool:
    """Deleting is the author's; what moderators do is removing, and leaves another tombstone."""
    return comment.author == account.id


def is_trusted(account: Account, hold: str) -> bool:
    """Say whether what the account posts is shown at once, where the setting holds comments for approval."""
    return hold == "off" or account.role in ("moderator", "staff")


def may_edit(account: Account, comment: StoredComment) -> bool:
    return comment.author == account.id or is_staff(account)


def is_editable(comment: StoredComment) -> bool:
    """Say whether there is a text to edit; nobody can edit a removed or deleted comment."""
    return comment.state in ("visible", "pending")


def is_in_time(account: Account, comment: StoredComment, now: int, edit_seconds: int) -> bool:
    """Say whether a comment may still be edited at `now` (ms): by staff always."""
    return is_staff(account) or now - comment.created <= edit_seconds * 1000


def may_vote(account: Account, comment: StoredComment) -> bool:
    return comment.author != account.id


def may_moderate(account: Account | None) -> bool:
    return account is not None and account.role in ("moderator", "staff")


def may_ban(account: Account, other: Account) -> bool:
    """Nobody bans themselves or staff, and only staff a moderator."""
    return account.id != other.id and other.role != "staff" and (other.role == "reader" or is_staff(account))


def may_manage_sites(account: Account | None) -> bool:
    return is_staff(account)


def may_describe(account: Account | None) -> bool:
    return is_staff(account)
