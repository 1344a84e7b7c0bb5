"""The process that makes a picture small: one at a time, few that wait, and an end to each. Knows no decoder."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from asyncio.subprocess import PIPE, Process

from server.errors import Invalid, Unavailable
from server.pictures import MAX_BYTES, MOST_PIXELS, TOO_MANY_PIXELS

MAX_MADE_BYTES = 64 * 1024
# By the clock: of the processor's time it has less.
MAX_SECONDS = 30.0
# Those who wait cannot be sent away: together they hold less than all that strangers may.
MAX_WAITING_BYTES = 3 * MAX_BYTES
MEGA = 1_000_000
log = logging.getLogger("livethread.pictures")


class Pictures:
    """Makes uploaded pictures small, each in a new process: they are few, and nothing of one is left for the next."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._waiting_bytes = 0

    def check_room(self, size: int = 0) -> None:
        """Raises Unavailable where so many bytes more are too many to wait."""
        if self._waiting_bytes + size > MAX_WAITING_BYTES:
            raise Unavailable("error.picture_busy", retry_after=2)

    async def small(self, content: bytes) -> bytes:
        """Return the picture as a small square WebP. Raises Invalid (picture), Unavailable."""
        self.check_room(len(content))
        self._waiting_bytes += len(content)
        try:
            async with self._turn:
                return await _made(content)
        finally:
            self._waiting_bytes -= len(content)


async def _made(content: bytes) -> bytes:
    process = await _started()
    made, status = b"", None
    try:
        async with asyncio.timeout(MAX_SECONDS):
            made = await _asked(process, content)
            status = await process.wait()
    except TimeoutError:
        log.warning("a picture of %d bytes took too long", len(content))
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    if status == TOO_MANY_PIXELS:
        raise Invalid(
            "error.picture_pixels",
            field="picture",
            jpeg=MOST_PIXELS["JPEG"] // MEGA,
            most=MOST_PIXELS["PNG"] // MEGA,
        )
    if status != 0 or not made or len(made) > MAX_MADE_BYTES:
        raise Invalid("error.no_picture", field="picture")
    return made


async def _started() -> Process:
    # It gets no setting, so no secret; and no Ctrl-C, which is for us.
    environment = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "LANG": "C.UTF-8"}
    try:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "server.pictures.square",
            stdin=PIPE, stdout=PIPE, env=environment, start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        log.error("no process for a picture could be started: %s", error)
        raise Unavailable("error.picture_busy", retry_after=2) from error


async def _asked(process: Process, content: bytes) -> bytes:
    assert process.stdin is not None
    assert process.stdout is not None
    # It may have ended already, over what it has read.
    with contextlib.suppress(OSError):
        process.stdin.write(content)
        process.stdin.close()
    made = b""
    while len(made) <= MAX_MADE_BYTES and (piece := await process.stdout.read(MAX_MADE_BYTES)):
        made += piece
    return made
