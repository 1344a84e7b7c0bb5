"""App and gateway as they are, but for one thing: on SIGUSR1 an error is thrown into one of their background tasks.

`python -m tests.torture.failing FOLDER [gateway]`. The file `FOLDER/throw.json` says what: {"name", "error", "times"}.
`FOLDER/names.json` holds every name that was seen. What is patched is the owner of the tasks, from outside: the product
has no line that exists for it.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

from aiosqlite.core import _STOP_RUNNING_SENTINEL

from channels.rooms.fan_out import FanOut
from channels.sockets.connection import Connection
from channels.tasks import Tasks
from server import cli
from server.storage.engine.database import Database

ERRORS: dict[str, Callable[[], BaseException]] = {
    "RuntimeError": lambda: RuntimeError("thrown"),
    "MemoryError": MemoryError,
    "RecursionError": lambda: RecursionError("thrown"),
    "DatabaseError": lambda: sqlite3.DatabaseError("database disk image is malformed"),
    "CancelledError": asyncio.CancelledError,
    "KeyError": lambda: KeyError("thrown"),
}
SERVICE, JOB, CALLBACK, DAMAGE = "service", "job", "callback", "damage"


class Thrower:
    """What is to be thrown into what, and how often yet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.left: Counter[str] = Counter()
        self.error = ERRORS["RuntimeError"]
        self.running: dict[str, asyncio.Event] = {}
        self.seen: dict[str, str] = {}
        self.loop: asyncio.AbstractEventLoop | None = None
        self.databases: list[Database] = []

    def see(self, name: str, kind: str) -> None:
        if name not in self.seen:
            self.seen[name] = kind
            (self.folder / "names.json").write_text(json.dumps(self.seen))

    def throw(self, name: str) -> None:
        """Raise what is due for `name`."""
        if self.left[name] > 0:
            self.left[name] -= 1
            raise self.error()

    def told(self, *_: object) -> None:
        what = json.loads((self.folder / "throw.json").read_text())
        self.left.clear()
        self.left[what["name"]] = what["times"]
        self.error = ERRORS[what["error"]]
        (self.folder / "throw.json").unlink()
        if self.loop is not None:
            self.loop.call_soon_threadsafe(self.wake, what["name"])

    def wake(self, name: str) -> None:
        if name in self.running:
            self.running[name].set()
        for database in self.databases:
            if name == "thread of the writer":
                database._writer._tx.put_nowait((None, lambda: _STOP_RUNNING_SENTINEL))
            if name == "threads of the readers":
                for reader in database._open:
                    reader._tx.put_nowait((None, lambda: _STOP_RUNNING_SENTINEL))

    async def serve(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        """Run a service until it is to fail."""
        self.throw(name)
        told = self.running[name] = asyncio.Event()
        work, failing = asyncio.ensure_future(run()), asyncio.ensure_future(told.wait())
        try:
            await asyncio.wait({work, failing}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                self.throw(name)
            await work
        finally:
            work.cancel()
            failing.cancel()


def arm(thrower: Thrower) -> None:
    keep, start, call = Tasks.keep, Tasks.start, Tasks._call
    opened = Database.__init__

    def keep_or_fail(self: Tasks, name: str, run: Callable[[], Awaitable[None]], **given: Any) -> None:
        thrower.loop = asyncio.get_running_loop()
        thrower.see(name, SERVICE)
        keep(self, name, lambda: thrower.serve(name, run), **given)

    def start_or_fail(self: Tasks, name: str, work: Coroutine[Any, Any, Any], **given: Any) -> asyncio.Task[Any]:
        async def failing() -> Any:
            try:
                thrower.throw(name)
            except BaseException:
                work.close()
                raise
            return await work

        if getattr(work, "__name__", "") == "_keep":
            return start(self, name, work, **given)
        thrower.see(name, JOB)
        return start(self, name, failing(), **given)

    def call_or_fail(self: Tasks, name: str, called: Callable[..., None], *given: Any) -> BaseException | None:
        def failing(*given: Any) -> None:
            thrower.throw(name)
            called(*given)

        thrower.see(name, CALLBACK)
        return call(self, name, failing, *given)

    def remember(self: Database, *given: Any) -> None:
        opened(self, *given)
        thrower.databases.append(self)
        thrower.see("thread of the writer", DAMAGE)
        thrower.see("threads of the readers", DAMAGE)

    Tasks.keep = keep_or_fail  # type: ignore[method-assign]
    Tasks.start = start_or_fail  # type: ignore[method-assign]
    Tasks._call = call_or_fail  # type: ignore[assignment,method-assign]
    Database.__init__ = remember  # type: ignore[method-assign,assignment]
    for owner, name in (
        (FanOut, "_sweep"),
        (FanOut, "queue"),
        (Connection, "write"),
        (Connection, "data_received"),
        (Connection, "connection_lost"),
        (Database, "_settle"),
        (Database, "_tell"),
    ):
        patch(thrower, owner, name)


def patch(thrower: Thrower, owner: type, method: str) -> None:
    """Throw in a method that the event loop or the writer calls."""
    inner = getattr(owner, method)
    name = f"{owner.__name__}.{method}"

    def failing(self: Any, *given: Any) -> Any:
        thrower.see(name, CALLBACK)
        thrower.throw(name)
        return inner(self, *given)

    setattr(owner, method, failing)


if __name__ == "__main__":
    one = Thrower(Path(sys.argv[1]))
    arm(one)
    signal.signal(signal.SIGUSR1, one.told)
    sys.exit(cli.main(sys.argv[2:]))
