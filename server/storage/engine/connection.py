"""One connection with its thread: what aiosqlite has no public way for. A test holds each internal relied on."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TypeVar

import aiosqlite

Result = TypeVar("Result")


async def run(connection: aiosqlite.Connection, work: Callable[[sqlite3.Connection], Result]) -> Result:
    """Run several statements in one hop to the connection's thread. Raises what `work` raises, as `plain` has it."""

    def working() -> Result:
        try:
            return work(connection._conn)
        except BaseException as error:
            raise plain(error) from error

    result: Result = await connection._execute(working)
    return result


def plain(error: BaseException) -> Exception:
    """Return an error that a future can hold and that ends no event loop: StopIteration and SystemExit cannot."""
    return error if isinstance(error, Exception) and not isinstance(error, StopIteration) else RuntimeError(repr(error))


def is_alive(connection: aiosqlite.Connection) -> bool:
    """Say whether the connection's thread still takes work."""
    return connection._thread.is_alive()


async def close(connection: aiosqlite.Connection) -> None:
    """Close it, also where its thread is dead: that one would never answer."""
    if is_alive(connection):
        await connection.close()
    elif connection._connection is not None:
        connection._connection.close()
        connection._connection = None
