"""Where connections come in: a port, a Unix socket, or the sockets that systemd hands over."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from dataclasses import dataclass
from pathlib import Path

from server import private_files, systemd
from server.errors import CannotStart
from server.settings import Settings

SEND_BUFFER_BYTES = 64 * 1024
# Its folder decides who may connect.
SOCKET_MODE = 0o666


@dataclass(frozen=True, slots=True)
class Listening:
    """The open sockets, and the settings that name the port where the kernel chose it."""

    sockets: list[socket.socket]
    settings: Settings
    where: str
    made: Path | None = None

    def end(self) -> None:
        """Remove the file of a Unix socket that this process has made, unless another one has it by now."""
        if self.made is not None:
            with contextlib.suppress(OSError):
                self.made.unlink()


def begin(settings: Settings, backlog: int) -> Listening:
    """Listen. Raises CannotStart if the settings do not allow it."""
    given = systemd.sockets()
    if given:
        for one in given:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        ports = [one.getsockname()[1] for one in given if one.family != socket.AF_UNIX]
        settings = settings.listening_on(ports[0]) if ports else settings
        return Listening(given, settings, ", ".join(map(_name, given)))
    if settings.socket is not None:
        return Listening([_bind_path(settings.socket, backlog)], settings, f"unix:{settings.socket}", settings.socket)
    listener = _bind(settings, backlog)
    settings = settings.listening_on(listener.getsockname()[1])
    return Listening([listener], settings, settings.own_address)


def _name(one: socket.socket) -> str:
    at = one.getsockname()
    return f"unix:{at}" if one.family == socket.AF_UNIX else f"http://{f'[{at[0]}]' if ':' in at[0] else at[0]}:{at[1]}"


def _bind(settings: Settings, backlog: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Inherited by every connection: who does not read is noticed after this, not after the kernel's megabytes.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(backlog)
    except OSError as error:
        listener.close()
        name = "LIVETHREAD_HOST" if isinstance(error, socket.gaierror) else "LIVETHREAD_PORT"
        raise CannotStart(
            f"{name}: cannot listen on {settings.host}:{settings.port}: {error.strerror}. "
            f"Stop the program that listens there, or change {name}: LIVETHREAD_PORT=0 takes any free port."
        ) from error
    return listener


def _bind_path(path: Path, backlog: int) -> socket.socket:
    if is_in_use(path):
        raise CannotStart(f"LIVETHREAD_SOCKET: another program listens on {path}. Stop it, or give another path.")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    try:
        if path.exists() and not stat.S_ISSOCK(path.stat().st_mode):
            raise FileExistsError(errno.EEXIST, "it exists, and is no socket")
        # Of a process that was killed.
        path.unlink(missing_ok=True)
        listener.bind(str(path))
        path.chmod(SOCKET_MODE)
        listener.listen(backlog)
    except OSError as error:
        listener.close()
        raise CannotStart(f"LIVETHREAD_SOCKET: {private_files.why(path, error)}.") from error
    return listener


def is_in_use(path: Path) -> bool:
    """Say whether somebody listens on a Unix socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        try:
            asking.connect(os.fspath(path))
        except OSError:
            return False
    return True
