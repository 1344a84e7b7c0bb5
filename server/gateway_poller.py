"""A gateway's link to its app: a poll every second, and the questions of its rooms."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import random
import secrets
import time
from collections.abc import Callable, Sequence

import httpx2
import msgspec

from channels.changes_source import Question, SourceUnavailable
from channels.messages import Answer, Change, Reset
from channels.rooms.hub import Hub
from server.settings import Settings
from server.sites import Site, Sites
from server.web.live import gateway_api

log = logging.getLogger("livethread.gateway")

POLL_SECONDS = 1.0
# A link that comes back must not find us waiting for an answer that was lost on it.
POLL_PATIENCE_SECONDS = 2.5
# Every room is told of at least once in so many polls, whether its readers changed or not.
ROUND_POLLS = 10
# Rooms in one request: less than 64 KiB with the longest keys.
ROOMS_A_REQUEST = 250
REQUESTS_A_POLL = 8
# What an app of the version before takes in one request.
ROOMS_BEFORE = 15_000
FAILURES = (httpx2.HTTPError, msgspec.DecodeError, ValueError)
_answers: msgspec.json.Decoder[list[Change | Reset | None]] = msgspec.json.Decoder(list[Change | Reset | None])
_answer: msgspec.json.Decoder[Change | Reset] = msgspec.json.Decoder(Change | Reset)


class Signed:
    """Posts signed by the secret, with the app's time."""

    def __init__(self, client: httpx2.AsyncClient, settings: Settings) -> None:
        self._client = client
        self._settings = settings
        self._skew = 0.0

    async def post(self, path: str, purpose: str, content: object, seconds: float) -> bytes:
        """Return the body of the answer. Raises what FAILURES names."""
        body = msgspec.json.encode(content)
        for is_last in (False, True):
            signature = gateway_api.signature(self._settings, purpose, body, self._skew)
            response = await self._client.post(
                path,
                content=body,
                headers={gateway_api.SIGNATURE_HEADER: signature, "content-type": "application/json"},
                timeout=seconds,
            )
            if gateway_api.TIME_HEADER not in response.headers:
                break
            # A clock was set, there or here: the next signature is of the app's time.
            self._skew = float(response.headers[gateway_api.TIME_HEADER]) - time.time()
            if is_last:
                break
        response.raise_for_status()
        return response.content


class AppSource:
    """The app as a source of diffs."""

    SECONDS = 5.0

    def __init__(self, client: httpx2.AsyncClient, signed: Signed) -> None:
        self._client = client
        self._signed = signed

    async def changes(self, asked: Sequence[Question]) -> list[Answer | None]:
        try:
            return list(_answers.decode(await self._signed.post("/internal/changes", "changes", asked, self.SECONDS)))
        except httpx2.HTTPStatusError as error:
            if error.response.status_code != 404:
                raise SourceUnavailable(f"the app did not answer: {error!r}") from error
        except FAILURES as error:
            raise SourceUnavailable(f"the app did not answer: {error!r}") from error
        # An app of the version before answers one question at a time.
        try:
            return list(await asyncio.gather(*map(self._one, asked)))
        except FAILURES as error:
            raise SourceUnavailable(f"the app did not answer: {error!r}") from error

    async def _one(self, question: Question) -> Answer:
        given = {"after": question.after, "epoch": question.epoch}
        query = {name: str(value) for name, value in given.items() if value is not None}
        answer = await self._client.get(f"/api/threads/{question.thread}/changes", params=query)
        answer.raise_for_status()
        return _answer.decode(answer.content)


class Poller:
    """Asks the app once a second, always: heads that moved, and how many readers there are elsewhere."""

    def __init__(self, signed: Signed, settings: Settings, hub: Hub, sites: Sites) -> None:
        self._signed = signed
        self._settings = settings
        self._hub = hub
        # No answer names what moved before the first, which makes all rooms ask: whoever waits until then has a room.
        hub.hears_of(all_threads=False)
        self._sites = sites
        self._name = secrets.token_hex(8)
        self._clock: int | None = None
        self._heads_after: int | None = None
        self._epoch = ""
        # What the app knows of our readers, those first of whom it was told longest ago.
        self._told: dict[str, int] = {}
        self.answered_at: float | None = None
        self.on_epoch: Callable[[str], None] = lambda epoch: None
        self._is_answered = True
        self._said = ""
        self._wake = asyncio.Event()

    def ring(self) -> None:
        """Poll at once: something may have been missed."""
        self._wake.set()

    async def run(self) -> None:
        while True:
            try:
                await self._poll()
                self._say(is_answered=True)
            except FAILURES as error:
                if isinstance(error, httpx2.HTTPStatusError) and error.response.status_code == 422:
                    # It is of the version before by now.
                    self._heads_after = None
                    self._hub.hears_of(all_threads=False)
                # Should it have been started again, it knows of nobody here.
                self._told = {}
                self._say(is_answered=False, why=self._why(error))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS * random.uniform(0.8, 1.0)):
                    await self._wake.wait()
                # A storm of rings is one poll.
                await asyncio.sleep(0.05)
            self._wake.clear()

    async def say_goodbye(self) -> None:
        """Tell the app that nobody reads here any more, so that the others' counts are right at once."""
        self._heads_after = None
        with contextlib.suppress(*FAILURES):
            await self._ask({})

    async def _poll(self) -> None:
        rooms = self._hub.heads()
        readers = {thread: count for thread, (count, _) in rooms.items()}
        if self._heads_after is None:
            # All at once is what an app of the version before needs; the first question to any is a short one.
            all_rooms = dict(itertools.islice(readers.items(), ROOMS_BEFORE)) if self._clock is not None else {}
            self._take(await self._ask(all_rooms), rooms)
            return
        for some in self._to_tell(readers):
            self._take(await self._ask(some), rooms)
            for thread, count in some.items():
                self._told.pop(thread, None)
                if count:
                    self._told[thread] = count

    def _to_tell(self, readers: dict[str, int]) -> list[dict[str, int]]:
        """Return what to tell of, a request each: what changed, and some of what was told longest ago."""
        changed = {thread: count for thread, count in readers.items() if self._told.get(thread) != count}
        gone = dict.fromkeys((thread for thread in self._told if thread not in readers), 0)
        again = itertools.islice(self._told, -(-len(self._told) // ROUND_POLLS))
        told = gone | changed | {thread: readers[thread] for thread in again if thread in readers}
        lines = list(told.items())[: ROOMS_A_REQUEST * REQUESTS_A_POLL]
        return [dict(lines[start : start + ROOMS_A_REQUEST]) for start in range(0, len(lines), ROOMS_A_REQUEST)] or [{}]

    def _take(self, answer: gateway_api.PollAnswer, rooms: dict[str, tuple[int, int]]) -> None:
        """`rooms` are as they were when the app was asked."""
        if answer.epoch != self._epoch:
            self._hub.sign_ins.hears_after(answer.clock)
            self.on_epoch(answer.epoch)
            self._hub.ring_all(answer.epoch)
        self._clock = answer.clock if answer.concerns_to is None else answer.concerns_to
        self._epoch, self._heads_after = answer.epoch, answer.heads_to
        self._hub.hears_of(all_threads=answer.heads_to is not None)
        if self._clock < answer.clock or (answer.heads_to is not None and answer.heads_to < answer.clock):
            # More has moved than fits into one answer.
            self._wake.set()
        self._hub.presence.heard_some(
            "elsewhere", {thread: count if thread in rooms else 0 for thread, count in answer.readers.items()}
        )
        for thread, head in answer.heads.items():
            self._hub.ring(thread, head)
        for thread, (_, version) in rooms.items():
            if version > answer.clock:
                # No write that has happened made this version: what the room was told is not true.
                self._hub.ring(thread)
        if answer.origins is not None and answer.origins != self._sites.origins:
            self._sites.replace([Site("listed", origins=tuple(answer.origins))])
        for concern in answer.concerns:
            self._hub.sign_ins.concern(concern)
        self.answered_at = time.monotonic()

    async def _ask(self, readers: dict[str, int]) -> gateway_api.PollAnswer:
        asked: dict[str, object] = {"gateway": self._name, "clock": self._clock, "readers": readers}
        if self._heads_after is not None:
            asked["heads_after"] = self._heads_after
        content = await self._signed.post("/internal/poll", "poll", asked, POLL_PATIENCE_SECONDS)
        return msgspec.json.decode(content, type=gateway_api.PollAnswer)

    def _say(self, *, is_answered: bool, why: str = "") -> None:
        if is_answered != self._is_answered or why != self._said:
            self._is_answered, self._said = is_answered, why
            log.warning("%s", "the app answers again" if is_answered else why)

    def _why(self, error: Exception) -> str:
        """Say in words why there is no answer, and which setting to look at."""
        app = f"the app at {self._settings.app_url}"
        if not isinstance(error, httpx2.HTTPStatusError):
            return f"{app} does not answer ({type(error).__name__}): {str(error) or 'nothing came'}"
        status = error.response.status_code
        if status == 403 and gateway_api.TIME_HEADER in error.response.headers:
            return f"{app} does not take what this gateway signs: LIVETHREAD_SECRET is another one there"
        if status < 500:
            return f"{app} answers {status}, as livethread does not: LIVETHREAD_APP_URL may lead elsewhere"
        return f"{app} answers {status}"
