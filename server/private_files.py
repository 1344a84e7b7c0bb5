"""Files that hold secrets: readable by their owner only, whatever the umask or earlier mode.

Files that root creates belong to the owner of the folder, since the server must be able to open them.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import pwd
import secrets
import tempfile
from pathlib import Path

from server.errors import CannotStart

log = logging.getLogger("livethread.private")

# Characters of a secret; fewer could be guessed.
MIN_SECRET = 16
_OTHERS = 0o077
_ENDINGS = ("", "-wal", "-shm", "-journal")


def keep(path: Path) -> None:
    """Make an empty file if there is none, and take it from everybody but its owner. Raises OSError."""
    try:
        create(path)
    except FileExistsError:
        _take(path)


def create(path: Path) -> None:
    """Make an empty file for its owner alone. Raises FileExistsError and other OSErrors."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    give(path)


def give(path: Path, like: Path | None = None) -> None:
    """Let a file that root has made belong to the owner of its folder, or of a file that it stands in for."""
    owner = (like if like and like.exists() else path.parent).stat()
    made = path.lstat()
    if os.geteuid() == 0 == made.st_uid != owner.st_uid and made.st_nlink == 1:
        # Where root may not (a container without capabilities), it stays as it is.
        with contextlib.suppress(PermissionError):
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def keep_database(path: Path) -> None:
    """The same for a database and what SQLite writes beside it, which takes its mode. Raises OSError."""
    path = path.resolve()
    keep(path)
    for ending in _ENDINGS:
        one = path.with_name(path.name + ending)
        _take(one)
        if one.exists() and not os.access(one, os.R_OK | os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(one))


def take_database(path: Path) -> None:
    """Take a database that was put aside from everybody but its owner."""
    for ending in _ENDINGS:
        _take(path.with_name(path.name + ending))


def own_secret(path: Path) -> str:
    """Return the secret in that file; one is made where there is no file. Raises CannotStart and OSError."""
    if not path.exists() or not path.stat().st_size:
        _write_whole(path, secrets.token_urlsafe(32))
    _take(path)
    try:
        found = path.read_text(encoding="ascii").strip()
    except UnicodeDecodeError:
        found = ""
    if len(found) < MIN_SECRET:
        raise CannotStart(
            f"LIVETHREAD_SECRET: it is not set, and {path} holds none of at least {MIN_SECRET} characters. "
            "Put back what was in it; or remove it, and a new one is made."
        )
    return found


def _write_whole(path: Path, text: str) -> None:
    """Write a file that appears at once with all that it holds: whatever crashes, none is empty."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        give(Path(name))
        if path.exists():
            Path(name).rename(path)
            return
        try:
            # Whoever comes second takes the first one's.
            os.link(name, path)
        except FileExistsError:
            return
        except OSError:
            # A file system without hard links.
            Path(name).rename(path)
    finally:
        Path(name).unlink(missing_ok=True)


def check_readable(path: Path) -> None:
    """Raise the OSError that keeps a file from being read; SQLite says only that it is "unable to open" it."""
    path.stat()
    if not os.access(path, os.R_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))


def why(path: Path, error: OSError) -> str:
    """Say in words what is wrong with which file: for instance whose it is, and who wanted to write it."""
    if error.errno in (errno.EACCES, errno.EPERM):
        above = ((folder, os.X_OK, "enter") for folder in reversed(path.absolute().parents))
        itself = ((path, os.R_OK, "read"), (path, os.W_OK, "write"), (path.parent, os.W_OK, "write"))
        for one, wanted, what in (*above, *itself):
            # Path.exists fails in a folder that may not be entered.
            if os.path.exists(one) and not os.access(one, wanted):  # noqa: PTH110
                found = one.stat()
                return (
                    f"{one} belongs to {_user(found.st_uid)} (mode {found.st_mode & 0o7777:04o}), and this process, "
                    f"which runs as {_user(os.geteuid())}, may not {what} it"
                )
    if error.errno == errno.EROFS:
        return f"{path.parent} is read-only for this process"
    if error.errno == errno.ENOENT and not path.parent.is_dir():
        return f"the folder {path.parent} does not exist"
    return f"{path}: {error.strerror or error}"


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _take(path: Path) -> None:
    # By its name: closing a second descriptor of a database would end SQLite's locks on it.
    try:
        if path.stat().st_mode & _OTHERS:
            path.chmod(0o600)
        give(path)
    except FileNotFoundError:
        pass
    except PermissionError:
        log.warning("%s is readable by other users of this machine. Run `chmod 600` on it as its owner", path)
