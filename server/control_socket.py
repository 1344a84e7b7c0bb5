"""The Unix socket beside the database: its path, and the check that only the owner or root is at either end."""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path

from server import private_files
from server.errors import CannotStart

# The kernels take 103 to 107 bytes.
MAX_UNIX_PATH = 100
# Beside the names of temporary folders, which macOS makes 49 bytes long.
MAX_NAME = 30
CONNECT_SECONDS = 10


def place(database: Path) -> Path:
    """Return the socket of a database: always in its folder."""
    whole = database.resolve()
    name = f"{whole.name}.control"
    if len(name.encode()) > MAX_NAME:
        name = f".{hashlib.sha256(whole.name.encode()).hexdigest()[:12]}.control"
    return whole.with_name(name)


def listen(database: Path) -> socket.socket:
    """Return a socket that listens there, for the owner alone. Raises CannotStart."""
    path = place(database)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # Created under a narrow umask, so that others can never connect.
    before = os.umask(0o177)
    try:
        path.unlink(missing_ok=True)
        with _short(path) as name:
            made.bind(name)
        private_files.give(path)
        made.listen()
        made.setblocking(False)
    except OSError as error:
        made.close()
        raise CannotStart(f"LIVETHREAD_DATABASE: {private_files.why(path, error)}.") from error
    finally:
        os.umask(before)
    return made


def connect(database: Path) -> socket.socket | None:
    """Return a connection to the running app, or None if there is none.

    Raises CannotStart if another user listens there: what we have to say may be a password.
    """
    path = place(database)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        made.settimeout(CONNECT_SECONDS)
        with _short(path) as name:
            made.connect(name)
        owners = {path.lstat().st_uid, _peer(made.fileno())}
    except OSError:
        made.close()
        return None
    strangers = owners - _trusted(database) - {None}
    if strangers:
        made.close()
        raise CannotStart(
            f"{path} belongs to another user (uid {', '.join(map(str, strangers))}), so nothing was sent to it. "
            "Remove it, and keep the database in a folder that only its owner may write to."
        )
    made.setblocking(False)
    return made


def is_ours(descriptor: int) -> bool:
    """Say whether the peer of an accepted connection is this user or root."""
    return _peer(descriptor) in (0, os.geteuid(), None)


def _trusted(database: Path) -> set[int | None]:
    """Return the users who may listen: this one, root, and, if root gives the command, the database's owner."""
    trusted: set[int | None] = {0, os.geteuid()}
    with contextlib.suppress(OSError):
        trusted.add(database.stat().st_uid)
    return trusted


def _peer(descriptor: int) -> int | None:
    """Return the user at the other end; None if the system does not say: then mode and owner of the file do."""
    if not hasattr(socket, "SO_PEERCRED"):
        return None
    with socket.socket(fileno=os.dup(descriptor)) as same:
        credentials = same.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, user, _ = struct.unpack("3i", credentials)
    return int(user)


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    """Yield a name of the path that a Unix socket takes: through a link in a new folder that is ours alone."""
    if len(os.fsencode(path)) <= MAX_UNIX_PATH:
        yield str(path)
        return
    with tempfile.TemporaryDirectory(prefix="lt-") as folder:
        link = Path(folder, "f")
        link.symlink_to(path.parent)
        yield str(link / path.name)
