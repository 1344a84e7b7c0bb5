"""The machine: descriptors, the clock, the port. Knows neither the database nor Redis."""

from __future__ import annotations

import errno
import os
import resource
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from server import listening
from server.doctor.finding import Finding, fault, fine, warning
from server.settings import Settings

# Some thousand readers, and what is kept free of them.
FEW_DESCRIPTORS = 4096
# Nothing of this program is older.
OLDEST_SECONDS = 1_735_689_600


def look() -> list[Finding]:
    """Return what is cheap to see at every start."""
    return [*_descriptors(), *_clock()]


def _descriptors() -> Iterator[Finding]:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < FEW_DESCRIPTORS:
        yield warning(
            "descriptors",
            f"this process may open {hard:,} files, and each reader is one. Raise the hard limit: `ulimit -Hn`, "
            "LimitNOFILE in systemd, or ulimits in a compose file.",
        )
        return
    allowed = "any number of" if hard == resource.RLIM_INFINITY else f"{hard:,}"
    yield fine("descriptors", f"this process may open {allowed} files")


def _clock() -> Iterator[Finding]:
    if time.time() < OLDEST_SECONDS:
        yield fault("clock", f"it says {time.strftime('%Y-%m-%d', time.gmtime())}. Set it, and run NTP.")


def port(settings: Settings, *, is_running: bool) -> Finding:
    """Say whether the app can listen, or does."""
    subject = str(settings.socket or f"{settings.host}:{settings.port}")
    if is_running:
        return fine(subject, "livethread is running")
    if settings.socket is not None:
        return _path(settings.socket)
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as made:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind((settings.host, settings.port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return fault(
                    subject,
                    "another program listens there, and livethread of this database does not run. Stop that program, "
                    "or change LIVETHREAD_PORT.",
                )
            return fault(subject, f"livethread cannot listen there: {error.strerror}. Change LIVETHREAD_HOST or PORT.")
    return fine(subject, "is free; livethread is not running")


def _path(path: Path) -> Finding:
    if listening.is_in_use(path):
        return fault(str(path), "another program listens there. Stop it, or change LIVETHREAD_SOCKET.")
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK | os.X_OK):
        return fault(str(path), f"livethread cannot listen there: {path.parent} cannot be written by this user.")
    return fine(str(path), "is free; livethread is not running")
