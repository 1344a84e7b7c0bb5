"""Promise 2: the file system that holds the database is copied at random moments, as a power cut would leave it.

The image is mounted by a loop device without direct I/O: what the app has written without an fsync is in the mounted
file system's cache alone, and not in the copy. The app is stopped for the few milliseconds of the copy, so that it is
of one moment; what an fsync has begun by then is finished by the kernel.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.processes import Server
from tests.torture.clients import Posters, tokens
from tests.torture.findings import Finding, Plan, Skipped, nothing

IMAGE_MEGABYTES = 96


async def power(plan: Plan) -> list[Finding]:
    count = plan.either(5, 50)
    require_root("mount", "mkfs.ext4")
    image, copy = plan.folder / "image", plan.folder / "copy"
    with image.open("wb") as file:
        file.truncate(IMAGE_MEGABYTES * 1024 * 1024)
    subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)
    lost = damaged = unacknowledged = 0
    with mounted(image, plan.folder / "disk") as disk, Server(disk) as app:
        posters = Posters(app.origin, "power", await asyncio.to_thread(tokens, app, 10))
        async with asyncio.TaskGroup() as tasks:
            posting = tasks.create_task(posters.post_many(10**9, 10))
            for number in range(count):
                plan.progress(number, count)
                await asyncio.sleep(random.uniform(0.1, 0.6))
                assert app.process is not None
                # Before it is stopped: nothing that is acknowledged later is expected in the copy.
                acknowledged = dict(posters.acknowledged)
                os.kill(app.process.pid, signal.SIGSTOP)
                await asyncio.to_thread(shutil.copyfile, image, copy)
                os.kill(app.process.pid, signal.SIGCONT)
                found, is_sound = await asyncio.to_thread(look, copy, plan.folder / "after")
                lost += len(set(acknowledged) - found)
                unacknowledged += len(found - set(acknowledged))
                damaged += not is_sound
            posting.cancel()
    return [
        Finding("power cuts", f"{count}", True),
        Finding("acknowledged posts by the last of them", f"{len(acknowledged):,}", len(acknowledged) > count),
        nothing("acknowledged and lost", lost),
        nothing("databases that fail their integrity check", damaged),
        Finding("written but not yet acknowledged at a cut, which is allowed", f"{unacknowledged:,}", True),
    ]


def look(image: Path, at: Path) -> tuple[set[str], bool]:
    """Return the bodies in the database on `image`, and whether it is sound."""
    with mounted(image, at) as disk, contextlib.closing(sqlite3.connect(disk / "test.db")) as sql:
        is_sound = sql.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return {body for (body,) in sql.execute("SELECT body FROM comments")}, is_sound


@contextlib.contextmanager
def mounted(image: Path, at: Path) -> Iterator[Path]:
    at.mkdir(exist_ok=True)
    subprocess.run(["mount", "-o", "loop", str(image), str(at)], check=True)
    try:
        yield at
    finally:
        subprocess.run(["umount", str(at)], check=True)


def require_root(*programs: str) -> None:
    if os.geteuid() != 0:
        raise Skipped("this needs root")
    for program in programs:
        if shutil.which(program) is None:
            raise Skipped(f"{program} is not installed")
