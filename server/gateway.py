"""The only wiring of a gateway: readers and Redis, no database. What it misses it asks of the app, by HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import secrets
import time
from collections.abc import AsyncIterator

import httpx2
import msgspec
from starlette.applications import Starlette
from starlette.middleware import Middleware

from channels.broker import Broker
from channels.broker_memory import MemoryBroker
from channels.broker_redis import redis_broker
from channels.change import Answer, Change, Reset
from channels.heartbeat import Heartbeat
from channels.hub import Hub
from channels.source import SourceUnavailable
from server.errors import CannotStart
from server.settings import Settings
from server.web import failures, live, metrics, poll, status
from server.web.context import LiveContext, LiveState
from server.web.guard import Guard

log = logging.getLogger("livethread.gateway")

POLL_SECONDS = 1.0
# A link that comes back must not find us waiting for an answer that was lost on it.
POLL_PATIENCE_SECONDS = 2.5
ASK_SECONDS = 5.0
_FAILURES = (httpx2.HTTPError, msgspec.DecodeError, ValueError)


class _Maybe(msgspec.Struct):
    """Tells a diff from a reset before either is read."""

    reset: bool = False


class AppSource:
    """The app as a source of diffs."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client

    async def changes(self, thread: str, after: int | None, epoch: str | None) -> Answer:
        query = {"after": after, "epoch": epoch}
        try:
            answer = await self._client.get(
                f"/api/threads/{thread}/changes",
                params={name: str(value) for name, value in query.items() if value is not None},
            )
            answer.raise_for_status()
            if msgspec.json.decode(answer.content, type=_Maybe).reset:
                return msgspec.json.decode(answer.content, type=Reset)
            return msgspec.json.decode(answer.content, type=Change)
        except _FAILURES as error:
            raise SourceUnavailable(f"the app did not answer: {error!r}") from error


class Poller:
    """Asks the app once a second, always: heads that moved, and how many readers there are elsewhere."""

    def __init__(self, client: httpx2.AsyncClient, settings: Settings, hub: Hub) -> None:
        self._client = client
        self._settings = settings
        self._hub = hub
        self._name = secrets.token_hex(8)
        self._clock: int | None = None
        self._epoch = ""
        self._skew = 0.0
        self.answered_at: float | None = None
        self._is_answered = True
        self._wake = asyncio.Event()

    def ring(self) -> None:
        """Poll at once: something may have been missed."""
        self._wake.set()

    async def run(self) -> None:
        while True:
            try:
                await self._poll()
                self._say(is_answered=True)
            except _FAILURES as error:
                self._say(is_answered=False, why=repr(error))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS * random.uniform(0.8, 1.0)):
                    await self._wake.wait()
                # A storm of rings is one poll.
                await asyncio.sleep(0.05)
            self._wake.clear()

    async def say_goodbye(self) -> None:
        """Tell the app that nobody reads here any more, so that the others' counts are right at once."""
        with contextlib.suppress(*_FAILURES):
            await self._ask({})

    async def _poll(self) -> None:
        answer = await self._ask({thread: readers for thread, (readers, _) in self._hub.heads().items()})
        if answer.epoch != self._epoch:
            self._hub.sign_ins.hears_after(answer.clock)
            if self._epoch:
                self._hub.ring_all()
        self._clock, self._epoch = answer.clock, answer.epoch
        self._hub.presence.heard("elsewhere", answer.readers)
        for thread, head in answer.heads.items():
            self._hub.ring(thread, head)
        for concern in answer.concerns:
            self._hub.sign_ins.concern(concern)
        self.answered_at = time.monotonic()

    async def _ask(self, readers: dict[str, int]) -> poll.PollAnswer:
        body = msgspec.json.encode(poll.Poll(self._name, self._clock, readers))
        signature = poll.signature(self._settings, body, self._skew)
        response = await self._client.post(
            "/internal/poll",
            content=body,
            headers={poll.SIGNATURE_HEADER: signature, "content-type": "application/json"},
            timeout=POLL_PATIENCE_SECONDS,
        )
        if poll.TIME_HEADER in response.headers:
            # A clock was set, there or here: the next signature is of the app's time.
            self._skew = float(response.headers[poll.TIME_HEADER]) - time.time()
            self._wake.set()
        response.raise_for_status()
        return msgspec.json.decode(response.content, type=poll.PollAnswer)

    def _say(self, *, is_answered: bool, why: str = "") -> None:
        if is_answered != self._is_answered:
            self._is_answered = is_answered
            if is_answered:
                log.warning("the app answers again")
            else:
                log.warning("the app at %s does not answer: %s", self._settings.app_url, why)


def create_gateway(settings: Settings) -> Starlette:
    """Return a gateway. Raises CannotStart without the secret that it shares with the app."""
    if not settings.secret:
        raise CannotStart(
            "LIVETHREAD_SECRET: is not set. A gateway shares the app's secret; the app keeps its own in the file "
            "LIVETHREAD_DATABASE.secret where none was set."
        )

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[LiveState]:
        async with httpx2.AsyncClient(base_url=settings.app_url, timeout=ASK_SECONDS, trust_env=False) as client:
            hub = Hub(AppSource(client))
            poller = Poller(client, settings, hub)
            heard: tuple[Broker, ...] = ()
            if settings.redis_urls:
                hub.broker = redis_broker(settings.redis_urls, settings.redis_prefix, hub.hear, poller.ring)
                heard = (hub.broker,)
            else:
                hub.broker = MemoryBroker(hub.hear)
                log.warning("LIVETHREAD_REDIS_URL is not set: changes arrive by the poll, up to a second late")
            async with hub.running(), asyncio.TaskGroup() as tasks:
                heartbeat = Heartbeat()
                serving = [tasks.create_task(one.run()) for one in (hub.broker, poller, heartbeat)]
                try:
                    admission = live.admission_by(settings)
                    yield {"live": LiveContext(settings, hub, heard, admission, heartbeat, poller)}
                finally:
                    for task in serving:
                        task.cancel()
                    await poller.say_goodbye()

    return Starlette(
        routes=[*status.routes, *metrics.routes, *live.routes],
        middleware=[Middleware(Guard, settings=settings)],
        exception_handlers=failures.handlers,
        lifespan=lifespan,
    )
