"""Posting a comment."""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from channels.messages import Comment
from server import permissions
from server.actions.moderate import tell_of
from server.errors import Conflict, DomainError, Forbidden, Invalid, TooMany
from server.model import MAX_DEPTH, Account, Thread
from server.rate_limits import Limits
from server.settings import Settings
from server.storage.accounts import accounts, notifications
from server.storage.comments import comments
from server.storage.engine.database import Database, Sql
from server.storage.engine.write import Write
from server.storage.threads import threads
from server.text import characters, quotations
from server.text.render_process import Renderer, render

# So long after it was posted, a plain form that comes again with the same text is a slip.
BACK_SECONDS = 15 * 60


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a site, with its title as the page itself says it; both stay if the thread has them already."""

    url: str
    title: str


@dataclass(frozen=True, slots=True)
class Post:
    """A new comment: `body` is Markdown, `parent` the comment it replies to, `address` a keyed hash.

    `page`: where it was written, if that is another site's page, which was checked.

    `is_plain`: by a form without a script. After Back it brings another nonce: the same text is the same comment then.
    """

    thread: str
    body: str
    nonce: str
    parent: int | None
    address: str
    is_plain: bool = False
    page: Page | None = None


async def post_comment(
    database: Database,
    limits: Limits,
    settings: Settings,
    account: Account,
    post: Post,
    renderer: Renderer | None = None,
) -> tuple[Comment, bool]:
    """Return the comment as it is now, and whether this call made it.

    The same request again answers the same comment, before any limit is asked. Raises Conflict (another request
    under the nonce), Invalid (body, parent), Forbidden (locked), TooMany.
    """
    try:
        body = characters.clean_body(post.body)
        _spend(limits, settings, account, post)
    except DomainError:
        earlier = await database.read(lambda sql: _posted_before(sql, settings, account, post))
        if earlier is None:
            raise
        return earlier, False
    html, mentioned = await rendered(database, renderer, body)

    def work(write: Write) -> tuple[Comment, bool]:
        accounts.confirm(write.sql, account)
        thread = threads.by_key(write.sql, post.thread)
        if (earlier := _made_by(write.sql, settings, account, post)) is not None:
            return write.answer(account, earlier), False
        if post.is_plain:
            since = write.now - BACK_SECONDS * 1000
            earlier = comments.said_lately(write.sql, account.id, thread.id, post.parent, body, since=since)
            if earlier is not None:
                return write.answer(account, earlier), False
        if not permissions.may_post(account, thread):
            raise Forbidden("error.locked", code="locked")
        within, depth = _place(write, post, thread)
        if post.page is not None:
            threads.introduce(write, within, post.page.url, post.page.title)
        id_ = comments.insert(
            write,
            comments.NewComment(
                thread=within,
                parent=post.parent,
                depth=depth,
                author=account.id,
                body=body,
                html=html,
                created=write.now,
                nonce=post.nonce,
                state="visible" if permissions.is_trusted(account, settings.hold) else "pending",
                request_hash=_hashes(settings, post, post.thread)[0],
            ),
        )
        if mentioned:
            notifications.mention(write, id_, mentioned)
        if permissions.is_trusted(account, settings.hold):
            tell_of(write, id_, account.id, post.parent)
        return write.answer(account, id_), True

    comment, is_new = await database.write(work)
    if not is_new:
        limits.refund("post", account.id)
        limits.refund("post from", post.address)
    return comment, is_new


async def rendered(database: Database, renderer: Renderer | None, body: str) -> tuple[str, tuple[int, ...]]:
    """Return the body as HTML, and the accounts that it mentions; without a `renderer` it is rendered here.

    Raises Invalid (body) if it quotes too much, nothing of it could be seen, or it takes too long.
    """
    people: dict[str, Account] = {}
    if "@" in body:
        people = await database.read(lambda sql: accounts.mentioned(sql, body))
    links = {given: account.name for given, account in people.items()}
    made = await renderer.render(body, links) if renderer else render(body, links)
    if made.shows_nothing:
        raise Invalid("error.shows_nothing", field="body")
    if made.quotes_too_much:
        raise Invalid(
            "error.many_quotes",
            field="body",
            quotes=quotations.MAX_QUOTES,
            sources=quotations.MAX_SOURCES,
            unnamed=quotations.MAX_QUOTES_AT_ALL,
        )
    return made.html, tuple({account.id for account in people.values()})


def _posted_before(sql: Sql, settings: Settings, account: Account, post: Post) -> Comment | None:
    id_ = _made_by(sql, settings, account, post)
    return None if id_ is None else comments.seen_by(sql, account, id_)[1]


def _spend(limits: Limits, settings: Settings, account: Account, post: Post) -> None:
    if not settings.limits:
        return
    limits.spend("post", account.id, settings.limit_posts_account)
    try:
        limits.spend("post from", post.address, settings.limit_posts_address)
    except TooMany:
        limits.refund("post", account.id)
        raise


def _place(write: Write, post: Post, thread: Thread) -> tuple[int, int]:
    """Return (thread, depth) of the new comment: where what it answers is, also while that is still on its way here."""
    if post.parent is None:
        return threads.ensure(write, post.thread) if thread.id is None else thread.id, 0
    parent = comments.by_id(write.sql, post.parent)
    if parent is None or parent.thread_key not in threads.keys_of(write.sql, thread.id):
        raise Invalid("error.unknown_parent", field="parent", code="unknown_parent")
    if parent.state != "visible":
        raise Invalid("error.parent_gone", field="parent", code="parent_gone")
    if parent.depth >= MAX_DEPTH - 1:
        raise Invalid("error.too_deep", field="parent", count=MAX_DEPTH)
    return parent.thread, parent.depth + 1


def _made_by(sql: Sql, settings: Settings, account: Account, post: Post) -> int | None:
    """Return what this very request made when it came before, also by the other secret or under another key.

    Raises Conflict if the nonce was another request's.
    """
    known = comments.by_nonce(sql, account.id, post.nonce)
    if known is None:
        return None
    id_, made_by = known
    keys = {post.thread, *threads.keys_of(sql, threads.by_key(sql, post.thread).id)}
    same = (hmac.compare_digest(made_by or b"", one) for key in keys for one in _hashes(settings, post, key))
    if not any(same):
        raise Conflict("error.nonce_reused", code="nonce_reused", field="nonce")
    return id_


def _hashes(settings: Settings, post: Post, key: str) -> list[bytes]:
    """Return how the request is remembered, by each secret."""
    request = "\0".join((key, str(post.parent or ""), post.body)).encode("utf-8", "surrogatepass")
    return [hmac.digest(secret.encode(), request, "sha256") for secret in settings.secrets]
