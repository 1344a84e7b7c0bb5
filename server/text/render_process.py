"""Rendering in a separate process, which is ended if a text takes longer than a second.

A thread that computes cannot be ended and keeps the interpreter's lock; and what a text may do to the renderer (comrak
is young) it does to that process alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import os
import re
import signal
import struct
import sys
from asyncio.subprocess import PIPE, Process
from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import BinaryIO

import msgspec

from channels.tasks import Health, Tasks
from server.errors import Invalid, Unavailable
from server.text import markup, quotations

# Of the processor's time, and of the clock's: where the machine is busy with other things, that says nothing of a text.
MAX_SECONDS, MAX_SECONDS_WAITED = 1.0, 5.0
# It has to start first.
MAX_SECONDS_OF_THE_FIRST = 20.0
MAX_CHARACTERS_AT_ONCE = 20_000
# A short text without a sign that Markdown knows is rendered here: there is nothing in it to be long about.
_SHORT_AND_PLAIN = re.compile(r"[^*_~|`\[\]()!<>&#\\:@=+\t-]{0,500}")
_LENGTH = struct.Struct("!I")
log = logging.getLogger("livethread.rendering")


class Rendered(msgspec.Struct, frozen=True, array_like=True):
    """What a body is as HTML, and whether it would show nothing, or quotes more than one text may."""

    html: str
    shows_nothing: bool
    quotes_too_much: bool


class _Order(msgspec.Struct, frozen=True, array_like=True):
    body: str
    people: dict[str, str]


@dataclasses.dataclass(slots=True, eq=False)
class _Waiting:
    order: _Order
    rendered: asyncio.Future[Rendered]


def render(body: str, people: Mapping[str, str]) -> Rendered:
    html = markup.to_html(body, people)
    return Rendered(html, markup.shows_nothing(html), quotations.are_too_many(html))


class Renderer:
    """Renders bodies in its process while it is `running`. It starts with the first of them.

    All that wait are given to it together, since a busy machine lets a process wait for its turn. If it ends over them,
    each is tried alone: only the one that is to blame is refused.
    """

    def __init__(self, health: Health) -> None:
        self.process: Process | None = None
        self._health = health
        self._waiting: deque[_Waiting] = deque()
        self._come = asyncio.Event()
        self._is_running = False

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with Tasks(self._health) as tasks:
            tasks.keep("renderer", self._render_what_waits)
            self._is_running = True
            try:
                yield
            finally:
                self._is_running = False
                await tasks.close()
                _give_up(self._waiting)
                await self._end()

    async def render(self, body: str, people: Mapping[str, str]) -> Rendered:
        """Return the body rendered, with links for those of `people` that it mentions.

        Raises Invalid (body) if that takes too long or fails, Unavailable if there is no process for it.
        """
        if not self._is_running or _SHORT_AND_PLAIN.fullmatch(body):
            return render(body, people)
        waiting = _Waiting(_Order(body, dict(people)), asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._come.set()
        return await waiting.rendered

    async def _render_what_waits(self) -> None:
        # Where this died and begins again, the process may still be answering what it was asked then.
        await self._end()
        while True:
            await self._come.wait()
            self._come.clear()
            while batch := self._next_batch():
                try:
                    with contextlib.suppress(Unavailable):
                        await self._render_batch(batch)
                finally:
                    # Nobody else would answer them, whatever ended this.
                    _give_up(batch)

    async def _render_batch(self, batch: list[_Waiting]) -> None:
        if await self._rendered(batch):
            return
        for one in batch:
            if len(batch) == 1 or not await self._rendered([one]):
                _refuse(one)

    def _next_batch(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        characters = 0
        while self._waiting and characters < MAX_CHARACTERS_AT_ONCE:
            one = self._waiting.popleft()
            # Whoever asked may have left.
            if not one.rendered.done():
                characters += len(one.order.body)
                batch.append(one)
        return batch

    async def _rendered(self, batch: list[_Waiting]) -> bool:
        """Answer all of the batch; return False if the process ended over it."""
        # One that ended while nobody asked it says nothing about these texts.
        if self.process is not None and self.process.returncode is not None:
            log.error("the renderer's process ended with status %s", self.process.returncode)
            await self._end()
        is_first = self.process is None
        process = self.process = self.process or await _started()
        try:
            async with asyncio.timeout(MAX_SECONDS_OF_THE_FIRST if is_first else MAX_SECONDS_WAITED):
                answers = await _asked(process, [one.order for one in batch])
        except (TimeoutError, asyncio.IncompleteReadError, OSError) as error:
            why = "took too long" if isinstance(error, TimeoutError) else "ended"
            characters = sum(len(one.order.body) for one in batch)
            log.warning("the renderer's process %s over %d characters in %d texts", why, characters, len(batch))
            await self._end()
            return False
        for one, rendered in zip(batch, answers, strict=True):
            if rendered is None:
                _refuse(one)
            elif not one.rendered.done():
                one.rendered.set_result(rendered)
        return True

    async def _end(self) -> None:
        process, self.process = self.process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def _refuse(one: _Waiting) -> None:
    """Say that the text is to blame."""
    if not one.rendered.done():
        one.rendered.set_exception(Invalid("error.slow_text", field="body"))


def _give_up(waiting: Iterable[_Waiting]) -> None:
    """Tell those who have no answer that there is no process for it."""
    for one in waiting:
        if not one.rendered.done():
            one.rendered.set_exception(Unavailable("error.cannot_render", retry_after=2))


async def _started() -> Process:
    # It gets no setting, so no secret; and no Ctrl-C, which is for us.
    environment = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "LANG": "C.UTF-8"}
    try:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", __name__, stdin=PIPE, stdout=PIPE, env=environment, start_new_session=True
        )
    except OSError as error:
        log.error("no process for rendering could be started: %s", error)
        raise Unavailable("error.cannot_render", retry_after=2) from error


async def _asked(process: Process, orders: list[_Order]) -> list[Rendered | None]:
    """Return what each became, in their order: None for one at which the renderer raised an error."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(_framed(orders))
    await process.stdin.drain()
    (length,) = _LENGTH.unpack(await process.stdout.readexactly(_LENGTH.size))
    return msgspec.msgpack.decode(await process.stdout.readexactly(length), type=list[Rendered | None])


def _framed(message: list[_Order] | list[Rendered | None]) -> bytes:
    content = msgspec.msgpack.encode(message)
    return _LENGTH.pack(len(content)) + content


def serve(orders: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until the input ends, which means that the app has ended."""
    while len(head := orders.read(_LENGTH.size)) == _LENGTH.size:
        batch = msgspec.msgpack.decode(orders.read(_LENGTH.unpack(head)[0]), type=list[_Order])
        answers.write(_framed([_rendered(order) for order in batch]))
        answers.flush()


def _rendered(order: _Order) -> Rendered | None:
    # Nothing else ends what computes in Rust: the signal ends the process.
    signal.setitimer(signal.ITIMER_PROF, MAX_SECONDS)
    try:
        return render(order.body, order.people)
    except Exception:
        log.exception("a text of %d characters could not be rendered", len(order.body))
        return None
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
