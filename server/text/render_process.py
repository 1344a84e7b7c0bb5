"""Rendering in a separate process, which is ended if a text takes longer than a second.

A thread that computes cannot be ended and keeps the interpreter's lock; and what a text may do to the renderer (comrak
is young) it does to that process alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import re
import signal
import struct
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from typing import BinaryIO

import msgspec

from server.errors import Invalid, Unavailable
from server.text import markup, quotations

# Of the processor's time, and of the clock's: where the machine is busy with other things, that says nothing of a text.
MAX_SECONDS, MAX_SECONDS_WAITED = 1.0, 5.0
# It has to start first.
MAX_SECONDS_OF_THE_FIRST = 20.0
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
    number: int
    body: str
    people: dict[str, str]


class _Answer(msgspec.Struct, frozen=True, array_like=True):
    """`rendered` None: the renderer raised an error."""

    number: int
    rendered: Rendered | None


def render(body: str, people: Mapping[str, str]) -> Rendered:
    html = markup.to_html(body, people)
    return Rendered(html, markup.shows_nothing(html), quotations.are_too_many(html))


class Renderer:
    """Renders bodies in its process while it is `running`, one after the other. It starts with the first of them."""

    def __init__(self) -> None:
        self.process: Process | None = None
        self._turn = asyncio.Lock()
        self._numbers = itertools.count()
        self._is_running = False

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        self._is_running = True
        try:
            yield
        finally:
            self._is_running = False
            async with self._turn:
                await self._end()

    async def render(self, body: str, people: Mapping[str, str]) -> Rendered:
        """Return the body rendered, with links for those of `people` that it mentions.

        Raises Invalid (body) if that takes too long or fails, Unavailable if there is no process for it.
        """
        if not self._is_running or _SHORT_AND_PLAIN.fullmatch(body):
            return render(body, people)
        async with self._turn:
            # One that ended while nobody asked it says nothing about this text.
            if self.process is not None and self.process.returncode is not None:
                log.error("the renderer's process ended with status %s", self.process.returncode)
                await self._end()
            is_first = self.process is None
            process = self.process = self.process or await _started()
            try:
                async with asyncio.timeout(MAX_SECONDS_OF_THE_FIRST if is_first else MAX_SECONDS_WAITED):
                    answer = await _asked(process, _Order(next(self._numbers), body, dict(people)))
            except TimeoutError:
                log.warning("a text of %d characters took too long to render", len(body))
                await self._end()
            except (asyncio.IncompleteReadError, OSError):
                log.warning("the renderer's process ended over a text of %d characters", len(body))
                await self._end()
            except asyncio.CancelledError:
                # What it still answers is nobody's.
                self.process = None
                process.kill()
                raise
            else:
                if answer is not None:
                    return answer
        raise Invalid("error.slow_text", field="body")

    async def _end(self) -> None:
        process, self.process = self.process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


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


async def _asked(process: Process, order: _Order) -> Rendered | None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(_framed(order))
    await process.stdin.drain()
    (length,) = _LENGTH.unpack(await process.stdout.readexactly(_LENGTH.size))
    answer = msgspec.msgpack.decode(await process.stdout.readexactly(length), type=_Answer)
    assert answer.number == order.number
    return answer.rendered


def _framed(message: _Order | _Answer) -> bytes:
    content = msgspec.msgpack.encode(message)
    return _LENGTH.pack(len(content)) + content


def serve(orders: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until the input ends, which means that the app has ended."""
    while len(head := orders.read(_LENGTH.size)) == _LENGTH.size:
        order = msgspec.msgpack.decode(orders.read(_LENGTH.unpack(head)[0]), type=_Order)
        # Nothing else ends what computes in Rust: the signal ends the process.
        signal.setitimer(signal.ITIMER_PROF, MAX_SECONDS)
        try:
            rendered = render(order.body, order.people)
        except Exception:
            log.exception("a text of %d characters could not be rendered", len(order.body))
            rendered = None
        signal.setitimer(signal.ITIMER_PROF, 0)
        answers.write(_framed(_Answer(order.number, rendered)))
        answers.flush()


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
