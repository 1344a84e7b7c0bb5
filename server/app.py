"""The only wiring of the app: the owner of the database, with its pages, its API and its own live server."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route

from channels.brokers.broker import Broker
from channels.brokers.in_process import MemoryBroker
from channels.cache import Shared, bytes_of
from channels.changes_source import Question, SourceUnavailable
from channels.messages import AccountEvent, Answer, Change, Message, PollNow, Typing
from channels.rooms.hub import Hub
from channels.sockets.heartbeat import Heartbeat
from channels.tasks import Health, Tasks
from server import operator_commands, private_files
from server.actions import pictures
from server.actions.sessions import lifetime, sweep
from server.actions.sites import follow_setting, reload
from server.actions.vote import Votes
from server.background_jobs import Upkeep
from server.client_address import Clients
from server.connection_budget import HttpBudget
from server.errors import CannotStart, Unavailable
from server.locales.offered import Offered
from server.openid.client import clients
from server.pictures.process import Pictures
from server.rate_limits import Limits
from server.settings import Settings
from server.sites import Sites
from server.storage.accounts import accounts
from server.storage.engine import database_files
from server.storage.engine.database import Database
from server.storage.threads import changes, threads
from server.storage.threads.orders import Rankings
from server.text.render_process import Renderer
from server.web.api import activity_api, embedded_api, moderation_api, own_account_api, session_api, thread_api
from server.web.assets import Assets
from server.web.gallery import gallery_pages
from server.web.live import gateway_api, live_socket
from server.web.monitoring import metrics, probes
from server.web.pages import (
    catch_up,
    comment_pages,
    embed_login_pages,
    embedded_pages,
    feeds,
    list_pages,
    openid_pages,
    own_account_pages,
    sign_in_pages,
    site_pages,
    thread_pages,
)
from server.web.pages.editions import Editions
from server.web.pages.personal_marks import OwnMarks
from server.web.requests import error_answers
from server.web.requests.begun_logins import BegunLogins
from server.web.requests.context import Context, State
from server.web.requests.known_sessions import KnownSessions
from server.web.requests.login_codes import LoginCodes
from server.web.requests.middleware import Guard
from server.web.requests.page_queue import Turns

MAX_REQUEST_BYTES = 64 * 1024
log = logging.getLogger("livethread")


class DatabaseSource:
    """The app's own source of diffs; readers who come back at the same version share one."""

    def __init__(self, database: Database, shared: Shared) -> None:
        self._database = database
        self._shared = shared

    async def one(self, question: Question) -> Answer:
        """Return the answer to one question, made once for all who ask it meanwhile. Raises SourceUnavailable."""

        async def read() -> Answer:
            return await self._database.read(
                lambda sql: changes.diff(sql, question.thread, question.after, question.epoch)
            )

        try:
            return await self._shared.get(question.thread, question.diff, read, bytes_of)
        except Unavailable as error:
            raise SourceUnavailable(str(error)) from error

    async def changes(self, asked: Sequence[Question]) -> list[Answer | None]:
        known = {question: self._shared.peek(question.thread, question.diff) for question in asked}
        missing = [question for question, answer in known.items() if answer is None]
        if missing:
            wanted = [(question.thread, question.after, question.epoch) for question in missing]
            moved = [self._shared.moved(question.thread) for question in missing]
            try:
                read = await self._database.read(lambda sql: changes.many_diffs(sql, wanted))
            except Unavailable as error:
                raise SourceUnavailable(str(error)) from error
            for question, answer, at in zip(missing, read, moved, strict=True):
                known[question] = answer
                if isinstance(answer, Change) and answer.version > (question.after or 0):
                    self._shared.keep(question.thread, question.diff, answer, bytes_of(answer), at)
        return [known[question] for question in asked]


def _redis(settings: Settings, epoch: str, hear: Callable[[Message], None]) -> Broker | None:
    if not settings.redis_urls:
        return None
    # Only where it is used: the library takes a fifth of the start.
    from channels.brokers.redis import redis_broker  # noqa: PLC0415

    return redis_broker(settings.redis_urls, settings.redis_prefix, settings.secrets, epoch, hear)


def create_app(settings: Settings) -> Starlette:
    """Return the app. Its lifespan owns the database file; it raises CannotStart through `opened`."""
    health, offered = Health(), Offered(settings.languages)
    assets = Assets(list(offered.texts.values()))

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[State]:
        async with contextlib.AsyncExitStack() as stack:
            database = await stack.enter_async_context(Database.opened(settings.database, health))
            tasks = await stack.enter_async_context(Tasks(health))
            shared = Shared(tasks, lambda: Unavailable("error.response_not_built", retry_after=1))
            sessions = KnownSessions(database, lifetime(settings))
            sites, codes = Sites(), LoginCodes()
            await _follow_settings(database, settings)
            read_sites = partial(_read_sites, database, sites, sessions)
            await read_sites()
            source = DatabaseSource(database, shared)
            hub = Hub(source, health, shared)
            upkeep = Upkeep(database, health)

            def hear_others(message: Message) -> None:
                # Changes are all our own and were delivered before they left.
                if isinstance(message, Typing):
                    hub.hear(message)

            clock, epoch = await database.read(threads.clock)
            redis = _redis(settings, epoch, hear_others)
            outward: tuple[Broker, ...] = (redis,) if redis else ()
            broker = hub.broker = MemoryBroker(hub.hear, redis)

            def tell(change: Change) -> None:
                shared.forget(change.thread)
                hub.publish(change)

            database.on_commit = tell
            database.on_account_event = partial(_concern, sessions, codes, hub, broker)
            hub.sign_ins.hears_after(clock)
            heartbeat = Heartbeat()
            limits = Limits(is_on=settings.limits)
            renderer = Renderer(health)
            await stack.enter_async_context(renderer.running())
            votes = Votes(database, limits, settings, tasks)
            admission = live_socket.admission_by(settings)
            context = Context(
                settings,
                Clients(settings),
                hub,
                outward,
                admission,
                heartbeat,
                None,
                HttpBudget(settings.limit_connections_address if settings.limits else None, admission.here),
                sites,
                offered,
                database,
                limits,
                assets,
                Editions(offered, assets, settings),
                OwnMarks(database),
                source,
                shared,
                Turns(tasks, settings.limit_pages_address if settings.limits else None),
                asyncio.Lock(),
                sessions,
                Rankings(),
                votes,
                renderer,
                Pictures(),
                codes,
                read_sites,
                BegunLogins(),
                await stack.enter_async_context(clients(settings.oidc, settings.address)),
            )
            await stack.enter_async_context(
                operator_commands.listening(settings, operator_commands.Desk(database, settings, read_sites), tasks)
            )
            await stack.enter_async_context(hub.running())
            tasks.keep("heartbeat", heartbeat.run)
            upkeep.add("votes", votes.fold_what_was_left)
            upkeep.add("sessions", partial(sweep, database, settings))
            await stack.enter_async_context(upkeep.running())
            await _say_what_is_missing(database, settings, sites)
            yield {"live": context, "context": context}

    app = Starlette(
        routes=[
            # They are tried in turn: first what is asked for most.
            Route("/static/{version}/{name}", assets.serve),
            *thread_api.routes,
            *thread_pages.routes,
            *activity_api.routes,
            *embedded_pages.routes,
            Route("/embed.js", assets.serve_embed),
            *embedded_api.routes,
            *session_api.routes,
            *gateway_api.routes,
            *probes.routes,
            *metrics.routes,
            *feeds.routes,
            *catch_up.routes,
            *comment_pages.routes,
            *list_pages.routes,
            *sign_in_pages.routes,
            *openid_pages.routes,
            *embed_login_pages.routes,
            *site_pages.routes,
            *gallery_pages.routes,
            *own_account_api.routes,
            *own_account_pages.routes,
            *moderation_api.routes,
            *live_socket.routes,
        ],
        middleware=[Middleware(Guard, settings=settings)],
        exception_handlers=error_answers.handlers,
        max_body_size=MAX_REQUEST_BYTES,
        lifespan=lifespan,
    )
    app.state.health = health
    return app


def with_secret(settings: Settings) -> Settings:
    """Return settings that have a secret: the one given, or one made once, in a 0600 file beside the database."""
    if settings.secret:
        return settings
    database = settings.database.resolve()
    path = database.with_name(f"{database.name}.secret")
    beside_link = Path(f"{settings.database}.secret")
    try:
        database_files.check(database)
        if not path.exists() and beside_link.exists():
            # Versions before looked beside the link.
            return replace(settings, secret=private_files.own_secret(beside_link))
        return replace(settings, secret=private_files.own_secret(path))
    except OSError as error:
        raise CannotStart(
            f"LIVETHREAD_SECRET: it is not set, and a new one cannot be saved: {private_files.why(path, error)}."
        ) from error


async def _follow_settings(database: Database, settings: Settings) -> None:
    await follow_setting(database, settings.sites)
    await pictures.follow_setting(database, settings)


async def _read_sites(database: Database, sites: Sites, sessions: KnownSessions) -> None:
    await reload(database, sites)
    sessions.forget_all()


def _concern(sessions: KnownSessions, codes: LoginCodes, hub: Hub, broker: Broker, event: AccountEvent) -> None:
    if event.is_end:
        sessions.ended(event.account)
        codes.ended(event.account)
    hub.sign_ins.concern(event)
    broker.publish(PollNow())


async def _say_what_is_missing(database: Database, settings: Settings, sites: Sites) -> None:
    for site, name in sites.providers:
        if settings.provider(name) is None:
            log.warning(
                "readers of the site %s cannot log in by oidc:%s, which LIVETHREAD_OIDC does not have", site, name
            )
    if not await database.read(accounts.is_staffed):
        log.warning("there is no staff account yet: python3 run.py account create NAME --role staff")
