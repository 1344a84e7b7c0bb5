"""Posting a comment."""

from __future__ import annotations

import asyncio
import hmac
from dataclasses import dataclass

from channels.change import Comment
from server import markup, permissions, quotations
from server.actions.moderate import tell_of
from server.errors import DomainError, Forbidden, Invalid, TooMany
from server.limits import Limits
from server.model import MAX_DEPTH, Account
from server.settings import Settings
from server.storage import accounts, comments, threads
from server.storage.database import Database
from server.storage.write import Write

# Up to so many characters, a hop to a thread and back costs more than the rendering.
SHORT_BODY = 500


@dataclass(frozen=True, slots=True)
class Post:
    """What somebody wants to say: `body` is Markdown, `parent` the comment it answers, `address` a keyed hash."""

    thread: str
    body: str
    nonce: str
    parent: int | None
    address: str


async def post_comment(
    database: Database, limits: Limits, settings: Settings, account: Account, post: Post
) -> tuple[Comment, bool]:
    """Return the comment as it is now, and whether this call made it.

    The same request again answers the same comment, before any limit is asked. Raises Conflict (another request
    under the nonce), Invalid (body, parent), Forbidden (locked), TooMany.
    """
    request_hash = _request_hash(settings, post)
    try:
        body = markup.clean_body(post.body)
        _spend(limits, settings, account, post)
    except DomainError:
        if (
            earlier := await database.read(lambda sql: comments.by_request(sql, account.id, post.nonce, request_hash))
        ) is None:
            raise
        return earlier, False
    html, mentioned = await rendered(database, body)

    def work(write: Write) -> tuple[Comment, bool]:
        accounts.confirm(write.sql, account)
        if (earlier := comments.by_request(write.sql, account.id, post.nonce, request_hash)) is not None:
            return earlier, False
        if not permissions.may_post(account, threads.by_key(write.sql, post.thread)):
            raise Forbidden("This thread is locked: it takes no more comments.", code="locked")
        depth = _depth_below(write, post)
        id_ = comments.insert(
            write,
            comments.NewComment(
                thread=threads.ensure(write, post.thread),
                parent=post.parent,
                depth=depth,
                author=account.id,
                body=body,
                html=html,
                created=write.now,
                nonce=post.nonce,
                state="visible" if permissions.is_trusted(account, settings.hold) else "pending",
                request_hash=request_hash,
            ),
        )
        if permissions.is_trusted(account, settings.hold):
            tell_of(write, id_, account.id, post.parent, mentioned)
        return comments.seen_by(write.sql, id_, is_trusted=True), True

    comment, is_new = await database.write(work)
    if not is_new:
        limits.refund("post", account.id)
        limits.refund("post from", post.address)
    return comment, is_new


async def rendered(database: Database, body: str) -> tuple[str, tuple[int, ...]]:
    """Return the body as HTML, rendered beside the event loop where it is long, and the accounts that it mentions.

    Raises Invalid (body) where it quotes too much.
    """
    people: dict[str, Account] = {}
    if "@" in body:
        people = await database.read(lambda sql: accounts.mentioned(sql, body))
    links = {given: account.name for given, account in people.items()}
    html = (
        markup.to_html(body, links) if len(body) <= SHORT_BODY else await asyncio.to_thread(markup.to_html, body, links)
    )
    if quotations.are_too_many(html):
        raise Invalid(
            f"A comment has at most {quotations.MAX_QUOTES} quotes, of {quotations.MAX_SOURCES} comments,"
            f" and {quotations.MAX_QUOTES_AT_ALL} that name none.",
            field="body",
        )
    return html, tuple({account.id for account in people.values()})


def _spend(limits: Limits, settings: Settings, account: Account, post: Post) -> None:
    if not settings.limits:
        return
    limits.spend("post", account.id, settings.limit_posts_account)
    try:
        limits.spend("post from", post.address, settings.limit_posts_address)
    except TooMany:
        limits.refund("post", account.id)
        raise


def _depth_below(write: Write, post: Post) -> int:
    if post.parent is None:
        return 0
    parent = comments.by_id(write.sql, post.parent)
    if parent is None or parent.thread_key != post.thread:
        raise Invalid("The comment that this answers is not in this thread.", field="parent", code="unknown_parent")
    if parent.state != "visible":
        raise Invalid("The comment that this answers is gone.", field="parent", code="parent_gone")
    if parent.depth >= MAX_DEPTH - 1:
        raise Invalid(f"A branch is at most {MAX_DEPTH} deep: answer a comment further up.", field="parent")
    return parent.depth + 1


def _request_hash(settings: Settings, post: Post) -> bytes:
    request = "\0".join((post.thread, str(post.parent or ""), post.body))
    return hmac.digest(settings.secret.encode(), request.encode("utf-8", "surrogatepass"), "sha256")
