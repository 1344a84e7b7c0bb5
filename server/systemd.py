"""What systemd gives a service and wants to hear from it: sockets, and words about its state. Knows nothing of HTTP."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import time

log = logging.getLogger("livethread.systemd")

FIRST_DESCRIPTOR = 3


def sockets() -> list[socket.socket]:
    """Return the sockets that systemd has opened for this process (sd_listen_fds(3)), once."""
    pid, count = os.environ.pop("LISTEN_PID", ""), os.environ.pop("LISTEN_FDS", "")
    os.environ.pop("LISTEN_FDNAMES", None)
    if pid != str(os.getpid()) or not count.isdigit():
        return []
    return [socket.socket(fileno=FIRST_DESCRIPTOR + number) for number in range(int(count))]


class Notifier:
    """Tells systemd how the service is (sd_notify(3)); says nothing where nobody listens."""

    def __init__(self) -> None:
        place = os.environ.pop("NOTIFY_SOCKET", "")
        # A name that begins with @ is in the abstract name space.
        self._place = "\0" + place[1:] if place.startswith("@") else place
        patience, pid = os.environ.pop("WATCHDOG_USEC", ""), os.environ.pop("WATCHDOG_PID", "")
        is_watched = patience.isdigit() and pid in ("", str(os.getpid()))
        self._every_seconds = int(patience) / 2_000_000 if is_watched else None
        self._fed_at = 0.0

    def ready(self, status: str) -> None:
        self._say(f"READY=1\nSTATUS={status}")

    def stopping(self) -> None:
        self._say("STOPPING=1\nSTATUS=sending readers away")

    def alive(self) -> None:
        """Feed the watchdog, if it is time again. Called by the event loop: where that hangs, nothing is fed."""
        now = time.monotonic()
        # Called once a second, so that it may be a second early.
        if self._every_seconds is not None and now - self._fed_at >= self._every_seconds - 1:
            self._fed_at = now
            self._say("WATCHDOG=1")

    def _say(self, what: str) -> None:
        if not self._place:
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as speaking:
            speaking.setblocking(False)
            speaking.sendto(what.encode(), self._place)
