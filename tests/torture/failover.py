"""The app's host is lost with its disk, and the database is restored elsewhere from what Litestream had sent away.

Readers stay connected to a gateway, and posts go on, while everything of the host is killed at a random moment. What
Litestream had not sent is lost: how much that is, is the finding.
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
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.processes import ROOT, Server, Valkey, eventually
from tests.torture.clients import Follower, Posters, api, read_all, tokens
from tests.torture.findings import Finding, Plan, Skipped, nothing

KEY = "failover"
READERS = 5
MOST_LOST_SECONDS = 2.0
PATIENCE_SECONDS = 60.0
CONFIGURATION = ROOT / "deploy" / "litestream.yml"


async def failover(plan: Plan) -> list[Finding]:
    litestream = program()
    valkey = Valkey(plan.folder)
    valkey.start()
    try:
        return await _hosts_lost(plan, litestream, valkey)
    finally:
        valkey.kill()


def program() -> str:
    """Return the path of Litestream. Raises Skipped."""
    beside = Path(sys.executable).with_name("litestream")
    found = str(beside) if beside.exists() else shutil.which("litestream")
    if found is None:
        raise Skipped("litestream is not installed")
    return found


async def _hosts_lost(plan: Plan, litestream: str, valkey: Valkey) -> list[Finding]:
    count = plan.either(1, 20)
    lost_seconds, back_seconds = [0.0], [0.0]
    lost = damaged = unlike = resets = acknowledged = 0
    host = plan.folder / "host-0"
    host.mkdir()
    app = Server(host, LIVETHREAD_REDIS_URL=valkey.url)
    app.log = plan.folder / "app.log"
    app.start()
    gateway = Server(plan.folder, "gateway", LIVETHREAD_REDIS_URL=valkey.url, LIVETHREAD_APP_URL=app.origin)
    try:
        gateway.start()
        names = await asyncio.to_thread(tokens, app, 5)
        posters = Posters(app.origin, KEY, names)
        followers = [Follower(gateway.live_url, api(app.origin), KEY) for _ in range(READERS)]
        async with asyncio.TaskGroup() as tasks:
            following = [tasks.create_task(one.follow()) for one in followers]
            for number in range(count):
                plan.progress(number, count)
                replica = plan.folder / f"replica-{number}"
                with _replicating(litestream, app, replica, host) as replication:
                    await eventually(replica.exists)
                    posting = tasks.create_task(posters.post_many(10**9, 4))
                    await asyncio.sleep(random.uniform(4, 8))
                    before, died = dict(posters.acknowledged_at), time.monotonic()
                    os.killpg(replication.pid, signal.SIGKILL)
                    app.kill()
                posting.cancel()
                shutil.rmtree(host)
                # Another host, to which the name of the app leads from now on.
                host = plan.folder / f"host-{number + 1}"
                host.mkdir()
                app.folder = host
                # Every other operator forgets the second step: the app gives the new epoch by itself.
                await asyncio.to_thread(_restore, litestream, replica, app, is_whole=number % 2 == 1)
                app.start()
                back_seconds.append(time.monotonic() - died)
                found, is_sound = await asyncio.to_thread(_look, host / "test.db")
                gone = set(before) - found
                lost += len(gone)
                lost_seconds.append(max((died - before[body] for body in gone), default=0.0))
                damaged += not is_sound
                acknowledged += len(before)
                posters.forget(set(posters.acknowledged) - found)
                await posters.post()
                unlike += await _unlike(followers, app)
                resets += min(one.frames["reset"] for one in followers)
            for task in following:
                task.cancel()
    finally:
        for server in (gateway, app):
            if not server.died():
                server.kill()
    worst = max(lost_seconds)
    return [
        Finding("hosts lost, each with its disk", f"{count}", True),
        Finding("comments that were acknowledged by then", f"{acknowledged:,}", acknowledged > count),
        nothing("databases that fail their integrity check", damaged),
        Finding("acknowledged and lost, which asynchronous copies allow", f"{lost:,}", True),
        plan.in_time("seconds of comments lost, at most", worst, MOST_LOST_SECONDS),
        Finding("until the app answers elsewhere, at most", f"{max(back_seconds):.1f} s", True),
        Finding("readers of the gateway that started again by themselves", f"{resets:,}", resets >= count),
        nothing("readers that do not see what is there afterwards", unlike),
    ]


@contextlib.contextmanager
def _replicating(litestream: str, app: Server, replica: Path, host: Path) -> Iterator[subprocess.Popen[bytes]]:
    where = {"LIVETHREAD_DATABASE": str(host / "test.db"), "REPLICA": str(replica)}
    with app.log.with_name("litestream.log").open("ab") as log:
        process = subprocess.Popen(
            [litestream, "replicate", "-config", str(CONFIGURATION)],
            env=os.environ | where,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _restore(litestream: str, replica: Path, app: Server, *, is_whole: bool) -> None:
    """As docs/operations.md says it."""
    database = app.folder / "test.db"
    subprocess.run([litestream, "restore", "-o", str(database), f"file://{replica}"], check=True, capture_output=True)
    if is_whole:
        app.run("restore", str(database))


def _look(database: Path) -> tuple[set[str], bool]:
    """Return the bodies in the database, and whether it is sound."""
    with contextlib.closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as sql:
        is_sound = sql.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return {body for (body,) in sql.execute("SELECT body FROM comments")}, is_sound


async def _unlike(followers: list[Follower], app: Server) -> int:
    """Return how many of the readers do not come to see what a fresh one sees."""
    client, differences = api(app.origin), ["not yet"]

    async def alike() -> bool:
        snapshot = await read_all(client, KEY)
        differences[:] = [difference for one in followers if (difference := one.differs_from(snapshot))]
        return not differences

    with contextlib.suppress(TimeoutError):
        await eventually(alike, PATIENCE_SECONDS)
    await client.aclose()
    return len(differences)
