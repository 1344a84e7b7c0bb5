"""The app as it is, but for one thing: it kills itself with -9 at a named point.

`python -m tests.torture.dying POINT N` dies at the Nth time that the point is reached.

The points: `before commit` (the statement COMMIT is about to run), `commit to answer` (the group is on the disk, nobody
knows), `answer to publish` (the poster has the answer, Redis does not).
"""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import sys
from pathlib import Path
from typing import Any

from channels.brokers.redis import ShardedBroker
from channels.messages import Message
from server import cli
from server.storage.engine import database
from server.storage.engine.schema import open_connection

POINTS = ("before commit", "commit to answer", "answer to publish")


def arm(point: str, left: int) -> None:
    """Die at the `left`th time that `point` is reached."""

    def reached() -> bool:
        nonlocal left
        left -= 1
        return left <= 0

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    if point == "before commit":

        def watched(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
            connection = open_connection(path, read_only=read_only)
            if not read_only:
                connection.set_trace_callback(lambda sql: die() if sql == "COMMIT" and reached() else None)
            return connection

        database.open_connection = watched  # type: ignore[attr-defined]
    elif point == "commit to answer":
        settle = database.Database._settle

        def settle_or_die(self: database.Database, write: Any) -> None:
            if write.error is None and reached():
                die()
            settle(self, write)

        database.Database._settle = settle_or_die  # type: ignore[method-assign]
    elif point == "answer to publish":
        publish = ShardedBroker.publish

        def publish_or_die(self: ShardedBroker, message: Message) -> None:
            if reached():
                # By then the answer has left; what was to be published never does.
                asyncio.get_running_loop().call_later(0.03, die)
            else:
                publish(self, message)

        ShardedBroker.publish = publish_or_die  # type: ignore[method-assign]


if __name__ == "__main__":
    arm(sys.argv[1], int(sys.argv[2]))
    sys.exit(cli.main([]))
