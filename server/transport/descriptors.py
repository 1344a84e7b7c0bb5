"""How many connections fit: each takes a file descriptor, and so does each database file."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
from dataclasses import dataclass

MAX_BACKLOG = 2048
FILES = 128
# Kept free of sockets, so that pages and health checks always find a way in.
REQUESTS = 64


@dataclass(frozen=True, slots=True)
class Room:
    """`backlog` may be accepted at once before anybody can refuse; `connections` are all, `sockets` the live ones."""

    backlog: int
    connections: int
    sockets: int


def raise_limit() -> Room:
    """Raise the soft limit of open files to the hard one, and return what it leaves room for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        # macOS names a hard limit that it does not grant.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
    return room(soft if soft != resource.RLIM_INFINITY else 1 << 30)


def limit() -> int:
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def are_used_up() -> bool:
    """Say whether no further file can be opened, of this process or of the whole system."""
    try:
        os.close(os.dup(0))
    except OSError as error:
        return error.errno in (errno.EMFILE, errno.ENFILE)
    return False


def room(limit: int) -> Room:
    """Return what `limit` descriptors leave room for; at the least a few of each."""
    backlog = max(8, min(MAX_BACKLOG, limit // 4))
    connections = max(8, limit - backlog - min(FILES, limit // 4))
    return Room(backlog, connections, max(4, connections - min(REQUESTS, connections // 4)))
