"""The only wiring of the app: the owner of the database, with its pages, its API and its own live server."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route

from channels.broker import Broker
from channels.broker_memory import MemoryBroker
from channels.broker_redis import redis_broker
from channels.change import Answer, Change, Concern, Message, Ring, Typing
from channels.heartbeat import Heartbeat
from channels.hub import Hub
from channels.source import SourceUnavailable
from server import control
from server.actions.vote import Votes
from server.errors import CannotStart, Unavailable
from server.limits import Limits
from server.settings import Settings
from server.storage import accounts, snapshot, threads
from server.storage.database import Database
from server.storage.order import Rankings
from server.web import (
    account_api,
    api,
    catch_up,
    comment_pages,
    failures,
    feeds,
    list_pages,
    live,
    metrics,
    moderation_api,
    pages,
    poll,
    sign_in_pages,
    status,
)
from server.web.assets import Assets
from server.web.context import Context, State
from server.web.guard import Guard
from server.web.known_sessions import KnownSessions
from server.web.shared import Shared
from server.web.turns import Turns

MAX_REQUEST_BYTES = 64 * 1024
log = logging.getLogger("livethread")


class DatabaseSource:
    """The app's own source of diffs; readers who come back at the same version share one."""

    def __init__(self, database: Database, shared: Shared) -> None:
        self._database = database
        self._shared = shared

    async def changes(self, thread: str, after: int | None, epoch: str | None) -> Answer:
        async def read() -> Answer:
            return await self._database.read(lambda sql: snapshot.changes(sql, thread, after, epoch))

        try:
            return await self._shared.get(thread, ("changes", after, epoch), read, _bytes_of)
        except Unavailable as error:
            raise SourceUnavailable(error.message) from error


def _bytes_of(answer: Answer) -> int:
    # As objects and as the frame, about.
    return 4 * len(answer.frame) if isinstance(answer, Change) else 0


def create_app(settings: Settings) -> Starlette:
    """Return the app. Its lifespan owns the database file; it raises CannotStart through `opened`."""
    assets = Assets()
    templates = pages.templates()

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[State]:
        async with contextlib.AsyncExitStack() as stack:
            database = await stack.enter_async_context(Database.opened(settings.database))
            tasks = await stack.enter_async_context(asyncio.TaskGroup())
            shared = Shared(tasks)
            sessions = KnownSessions(database)
            source = DatabaseSource(database, shared)
            hub = Hub(source)

            def hear_others(message: Message) -> None:
                # Changes are all our own and were delivered before they left.
                if isinstance(message, Typing):
                    hub.hear(message)

            redis = (
                redis_broker(settings.redis_urls, settings.redis_prefix, hear_others) if settings.redis_urls else None
            )
            outward: tuple[Broker, ...] = (redis,) if redis else ()
            broker = hub.broker = MemoryBroker(hub.hear, redis)

            def concern(concern: Concern) -> None:
                if concern.is_end:
                    sessions.ended(concern.account)
                hub.sign_ins.concern(concern)
                broker.publish(Ring())

            def tell(change: Change) -> None:
                shared.forget(change.thread)
                broker.publish(change)

            database.on_commit = tell
            database.on_concern = concern
            hub.sign_ins.hears_after((await database.read(threads.clock))[0])
            heartbeat = Heartbeat()
            limits = Limits(is_on=settings.limits)
            votes = Votes(database, limits, settings, tasks)
            context = Context(
                settings,
                hub,
                outward,
                live.admission_by(settings),
                heartbeat,
                None,
                database,
                limits,
                assets,
                templates,
                source,
                shared,
                Turns(tasks, settings.limit_pages_address if settings.limits else None),
                sessions,
                Rankings(),
                votes,
            )
            await stack.enter_async_context(control.listening(settings, control.Desk(database, settings)))
            await stack.enter_async_context(hub.running())
            serving = [tasks.create_task(running) for running in (heartbeat.run(), *(one.run() for one in outward))]
            await votes.fold_what_was_left()
            await _say_what_is_missing(database)
            try:
                yield {"live": context, "context": context}
            finally:
                for task in serving:
                    task.cancel()

    return Starlette(
        routes=[
            *feeds.routes,
            *pages.routes,
            *catch_up.routes,
            *comment_pages.routes,
            *list_pages.routes,
            *sign_in_pages.routes,
            *api.routes,
            *account_api.routes,
            *moderation_api.routes,
            *poll.routes,
            *status.routes,
            *metrics.routes,
            *live.routes,
            Route("/static/{version}/{name}", assets.serve),
        ],
        middleware=[Middleware(Guard, settings=settings)],
        exception_handlers=failures.handlers,
        max_body_size=MAX_REQUEST_BYTES,
        lifespan=lifespan,
    )


def with_secret(settings: Settings) -> Settings:
    """Return settings that have a secret: the one given, or one made once, in a 0600 file beside the database."""
    if settings.secret:
        return settings
    if not settings.database.resolve().parent.is_dir():
        raise CannotStart(
            f"LIVETHREAD_DATABASE: the folder of {settings.database} is not there. Make it, or give another path."
        )
    path = Path(f"{settings.database}.secret")
    try:
        path.touch(0o600)
        if not path.stat().st_size:
            path.write_text(secrets.token_urlsafe(32), encoding="ascii")
        return replace(settings, secret=path.read_text(encoding="ascii").strip())
    except OSError as error:
        raise CannotStart(
            f"LIVETHREAD_SECRET: none is set, and one cannot be kept in {path}: {error.strerror}."
        ) from error


async def _say_what_is_missing(database: Database) -> None:
    if not await database.read(accounts.is_staffed):
        log.warning("there is no account with powers yet: python3 run.py account create NAME --role staff")
