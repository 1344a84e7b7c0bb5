"""The app as it is, and a watch on its event loop: on SIGUSR1 it prints the longest lateness since the last, in ms."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from typing import Any

import uvicorn

from server import cli

EVERY_SECONDS = 0.001


async def watch() -> None:
    longest = 0.0

    def tell() -> None:
        nonlocal longest
        print(longest * 1000, flush=True)
        longest = 0.0

    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, tell)
    while True:
        began = time.perf_counter()
        await asyncio.sleep(EVERY_SECONDS)
        longest = max(longest, time.perf_counter() - began - EVERY_SECONDS)


def main() -> int:
    start_up = uvicorn.Server.startup
    watching: list[asyncio.Task[None]] = []

    async def start_up_watched(server: uvicorn.Server, *given: Any, **named: Any) -> None:
        await start_up(server, *given, **named)
        watching.append(asyncio.create_task(watch()))

    uvicorn.Server.startup = start_up_watched  # type: ignore[assignment,method-assign]
    return cli.main([])


if __name__ == "__main__":
    sys.exit(main())
