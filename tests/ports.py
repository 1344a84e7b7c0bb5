"""Ports for programs that take none from the kernel."""

from __future__ import annotations

import errno
import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path

_KERNELS = Path("/proc/sys/net/ipv4/ip_local_port_range")
# A byte for each port: its lock is held by the process of tests that was given the port, and ends with it.
_CLAIMS = os.open(Path(tempfile.gettempdir()) / f"livethread-ports-{os.getuid()}", os.O_RDWR | os.O_CREAT, 0o600)
_own: set[int] = set()


def free_port() -> int:
    """Return a port on which nothing listens, that the kernel gives to no connection, and other tests to no program."""
    low, high = map(int, _KERNELS.read_text().split()) if _KERNELS.exists() else (49_152, 65_535)
    ours = [port for port in range(10_000, 65_000) if not low <= port <= high]
    while True:
        port = random.choice(ours or range(10_000, 65_000))
        if port not in _own and _is_free(port) and _claim(port):
            return port


def _is_free(port: int) -> bool:
    for family, address in (
        (socket.AF_INET, "127.0.0.1"),
        (socket.AF_INET, "0.0.0.0"),
        (socket.AF_INET6, "::"),
    ):
        try:
            with socket.socket(family) as there:
                there.bind((address, port))
        except OSError as error:
            if family == socket.AF_INET or error.errno == errno.EADDRINUSE:
                return False
    return True


def _claim(port: int) -> bool:
    try:
        fcntl.lockf(_CLAIMS, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    _own.add(port)
    return True
