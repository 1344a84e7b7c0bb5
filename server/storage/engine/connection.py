"""One connection with its thread: what aiosqlite has no public way for. A test holds each internal relied on."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TypeVar, cast

import aiosqlite

Result = TypeVar("Result")


async def run(connection: aiosqlite.Connection, work: Callable[[sqlite3.Connection], Result]) -> Result:
    """Run several statements in one hop to the connection's thread. Raises what `work` raises, as `plain` has it."""

    # aiosqlite would raise the error, which would know the frame there, and with it the future that knows the error.
    def working() -> tuple[Result | None, Exception | None]:
        try:
            return work(connection._conn), None
        except BaseException as error:  # noqa: BLE001 — the caller gets it
            return None, plain(error)

    result, error = await connection._execute(working)
    try:
        if error is not None:
            raise error
        return cast("Result", result)
    finally:
        # It knows this frame.
        del error


def plain(error: BaseException) -> Exception:
    """Return an error that a future can hold and that ends no event loop: StopIteration and SystemExit cannot."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    replaced = RuntimeError(repr(error))
    replaced.__cause__ = error
    return replaced


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
