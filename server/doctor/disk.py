"""Where the database lies: modes, owners, the file system, room, and what the file says of itself."""

from __future__ import annotations

import fcntl
import mmap
import os
import pwd
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from server import private_files
from server.doctor.finding import Finding, fault, fine, warning
from server.errors import CannotStart
from server.storage.engine import database_files, inspection

FEW_BYTES, VERY_FEW_BYTES = 512 << 20, 64 << 20
SLOW_SYNC_SECONDS = 0.05
SYNCS = 5
_FAR_AWAY = re.compile("nfs|cifs|smb|9p|afs|ceph|gluster|fuse.sshfs|fuse.s3|fuse.rclone|davfs")
_PASSING = {
    "tmpfs": "memory, and is gone after a restart of the machine",
    "overlay": "a container's own layer, and goes with it",
}
# A second process finds out whether a lock of the first one holds: as SQLite's locks must.
_TRY_LOCK = """import fcntl, sys
try: fcntl.lockf(open(sys.argv[1], 'r+b'), fcntl.LOCK_EX | fcntl.LOCK_NB)
except OSError: sys.exit(9)"""


def look_quickly(database: Path) -> list[Finding]:
    """Return what is cheap to see at every start: the room, and a file system that is far away."""
    folder = database.resolve().parent
    # Path.is_dir fails where one may not look.
    return [*_room(folder), *_kind(folder)] if os.path.isdir(folder) else []  # noqa: PTH112


def look(database: Path) -> list[Finding]:
    """Return what is wrong with the place and the files of the database."""
    path = database.resolve()
    try:
        database_files.check(path)
    except CannotStart as error:
        return [fault("database", str(error))]
    found = [*_modes(path), *_owners(path), *_kind(path.parent), *_room(path.parent), *_what_it_says(path)]
    try:
        with tempfile.NamedTemporaryFile(prefix=".livethread-doctor-", dir=path.parent) as file:
            found += [*_maps(file.fileno()), *_locks(file.name, file.fileno()), *_syncs(file.fileno())]
    except OSError as error:
        found.append(fault("database", f"nothing can be written beside it: {private_files.why(path.parent, error)}."))
    return found


def _files(path: Path) -> list[Path]:
    names = ("", "-wal", "-shm", ".secret", ".lock")
    return [one for ending in names if (one := path.with_name(path.name + ending)).exists()]


def _modes(path: Path) -> Iterator[Finding]:
    for one in _files(path):
        mode = one.stat().st_mode & 0o7777
        if mode & 0o077 and not one.name.endswith(".lock"):
            yield fault(
                "modes", f"{one} has mode {mode:04o}: other users of this machine can read it. Run: chmod 600 {one}"
            )
    folder = path.parent.stat().st_mode
    if folder & 0o002 and not folder & 0o1000:
        yield fault(
            "modes",
            f"{path.parent} can be written by everybody, who can replace the database. Run: chmod o-w {path.parent}",
        )


def _owners(path: Path) -> Iterator[Finding]:
    owners = {one: one.stat().st_uid for one in _files(path)}
    if len(set(owners.values())) > 1:
        listed = ", ".join(f"{one.name}: {_user(uid)}" for one, uid in owners.items())
        yield fault("owners", f"the files beside each other belong to different users ({listed}). Give all to one.")
    elif path.exists() and (uid := owners[path]) != os.geteuid() and os.geteuid():
        yield warning(
            "owners", f"{path} belongs to {_user(uid)}; you are {_user(os.geteuid())}. Run doctor as that user."
        )


def _kind(folder: Path) -> Iterator[Finding]:
    kind = inspection.file_system(folder)
    if _FAR_AWAY.search(kind):
        yield fault(
            "file system",
            f"{folder} is on {kind}. SQLite loses data if its locks go over a network: use a local disk.",
        )
    elif kind in _PASSING:
        yield warning(
            "file system", f"{folder} is on {kind}: it lies in {_PASSING[kind]}. Mount a volume or a disk there."
        )


def _room(folder: Path) -> Iterator[Finding]:
    at = os.statvfs(folder)
    free = at.f_bavail * at.f_frsize
    if free < FEW_BYTES:
        grade = fault if free < VERY_FEW_BYTES else warning
        yield grade("disk", f"{free >> 20:,} MiB are left in {folder}. Without room every post is answered 503.")
    elif at.f_files and at.f_favail < 100:
        yield fault("disk", f"no inodes are left in {folder}: new files cannot be made.")
    else:
        yield fine("disk", f"{free >> 20:,} MiB are left in {folder}")


def _maps(descriptor: int) -> Iterator[Finding]:
    os.ftruncate(descriptor, mmap.PAGESIZE)
    try:
        mmap.mmap(descriptor, mmap.PAGESIZE, mmap.MAP_SHARED).close()
    except OSError as error:
        yield fault(
            "file system",
            f"it cannot share memory between processes ({error.strerror}), which SQLite's log needs. With mergerfs set "
            "cache.files=auto-full; otherwise use another disk.",
        )


def _locks(name: str, descriptor: int) -> Iterator[Finding]:
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        second = subprocess.run([sys.executable, "-S", "-c", _TRY_LOCK, name], check=False, capture_output=True)
        holds = second.returncode == 9
    except OSError:
        holds = False
    if not holds:
        yield fault("file system", "locks do not hold there, so two processes could write at once. Use a local disk.")


def _syncs(descriptor: int) -> Iterator[Finding]:
    taken = []
    for _ in range(SYNCS):
        os.pwrite(descriptor, b"x" * 4096, 0)
        began = time.perf_counter()
        os.fsync(descriptor)
        taken.append(time.perf_counter() - began)
    middle = statistics.median(taken)
    grade = warning if middle > SLOW_SYNC_SECONDS else fine
    advice = ": every post waits for it. Use a faster disk, and nothing else on it" if grade is warning else ""
    yield grade("disk", f"a write is on the disk after {middle * 1000:.1f} ms{advice}")


def _what_it_says(path: Path) -> Iterator[Finding]:
    yield fine("SQLite", f"version {inspection.SQLITE_VERSION}")
    if not inspection.has_search():
        yield fault("SQLite", "it was built without FTS5, which search needs. Use another Python.")
    if not path.exists():
        yield fine("database", f"{path} does not exist yet, and is made at the first start")
        return
    try:
        found = inspection.look(path)
    except CannotStart as error:
        yield fault("database", str(error))
        return
    if not found.is_staffed:
        yield warning("accounts", "nobody can moderate: python3 run.py account create NAME --role staff")
    yield fine("database", f"{path} has version {found.version:,}")


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
