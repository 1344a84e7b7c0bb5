"""Promise 7: a full disk, I/O errors and no file descriptors: clear refusals, nothing false, nothing corrupt."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import shutil
import sqlite3
import subprocess
from pathlib import Path

import httpx2

from tests.processes import Server
from tests.torture.clients import Posters, read_all, tokens
from tests.torture.findings import Finding, Plan, Skipped, nothing
from tests.torture.power import require_root

RECOVER_SECONDS = 15
DISK_BYTES = 24_000_000
ROOM_BYTES = 1_500_000


async def disk(plan: Plan) -> list[Finding]:
    require_root("mount", "strace")
    place = plan.folder / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "none", str(place)], check=True)
    try:
        # The log stays elsewhere: it is the operator's other disk.
        with Server(plan.folder, LIVETHREAD_DATABASE=str(place / "test.db")) as app:
            pid = app.process.pid if app.process else 0
            given = await asyncio.to_thread(tokens, app, 5)
            full = await _full(app, place, given)
            broken = await _broken(app, pid, given, plan.either(1, 5))
            without = await _no_descriptors(app, pid, given)
            is_same = app.process is not None and app.process.pid == pid and app.process.poll() is None
            app.stop()
        with contextlib.closing(sqlite3.connect(place / "test.db")) as sql:
            is_sound = sql.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    finally:
        subprocess.run(["umount", str(place)], check=True)
    return [
        *full,
        *broken,
        *without,
        Finding("it is the same process as at the beginning", "yes" if is_same else "no", is_same),
        Finding("integrity of the database at the end", "ok" if is_sound else "damaged", is_sound),
    ]


async def _try(posters: Posters, number: int) -> httpx2.Response | None:
    message = {"body": f"try {number} " + "y" * 3_000, "nonce": f"{posters.key}-{number:020d}"}
    try:
        return await posters.client.post(
            f"/api/threads/{posters.key}/comments",
            json=message,
            headers={"authorization": f"Bearer {posters.tokens[0]}"},
        )
    except httpx2.TransportError:
        return None


async def _full(app: Server, place: Path, given: list[str]) -> list[Finding]:
    posters = Posters(app.origin, "full", given)
    acknowledged: list[int] = []
    refusals: list[httpx2.Response] = []
    ballast = place / "ballast"
    ballast.write_bytes(b"0" * (shutil.disk_usage(place).free - ROOM_BYTES))
    number = 0
    while len(refusals) < 20 and number < 3_000:
        answers = await asyncio.gather(*(_try(posters, number + n) for n in range(8)))
        number += 8
        _sort(answers, acknowledged, refusals)
    pages = [(await posters.client.get(path)).status_code for path in ("/health", "/t/full", "/api/threads/full")]
    ballast.unlink()
    recovered = await _recovers(posters, number)
    return [
        *_refused("full disk", refusals),
        Finding("full disk: it can still be read", str(pages), pages == [200, 200, 200]),
        nothing("full disk: acknowledged and lost", await _missing(posters, acknowledged)),
        Finding("full disk: posts again, without a restart, once there is room", recovered, recovered == "yes"),
    ]


async def _broken(app: Server, pid: int, given: list[str], times: int) -> list[Finding]:
    """EIO from fdatasync, as a failing disk gives it, in the middle of group commits."""
    posters = Posters(app.origin, "broken", given)
    acknowledged: list[int] = []
    refusals: list[httpx2.Response] = []
    number, recovered = 0, "yes"
    for _ in range(times):
        strace = await asyncio.create_subprocess_exec(
            "strace", "-f", "-p", str(pid), "-e", "trace=fdatasync,fsync,pwrite64",
            "-e", "inject=fdatasync,fsync:error=EIO:when=3+2", "-o", "/dev/null",
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert strace.stderr is not None
        if b"attached" not in (first := await strace.stderr.readline()):
            raise Skipped(f"strace cannot attach: {first.decode().strip()}")
        for _ in range(15):
            answers = await asyncio.gather(*(_try(posters, number + n) for n in range(4)))
            number += 4
            _sort(answers, acknowledged, refusals)
        strace.terminate()
        await strace.wait()
        recovered = await _recovers(posters, number)
        number += 1_000
    return [
        *_refused("I/O errors", refusals),
        nothing("I/O errors: acknowledged and lost", await _missing(posters, acknowledged)),
        Finding("I/O errors: posts again, without a restart, once they end", recovered, recovered == "yes"),
    ]


async def _no_descriptors(app: Server, pid: int, given: list[str]) -> list[Finding]:
    posters = Posters(app.origin, "descriptors", given)
    answer = await _try(posters, 0)
    assert answer is not None
    acknowledged = [answer.json()["comment"]["id"]]
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (1, before[1]))
    # The connection that is there is served; a new one cannot be.
    for number in range(1, 20):
        kept = await _try(posters, number)
        if kept is not None and kept.status_code == 201:
            acknowledged.append(kept.json()["comment"]["id"])
    stranger = Posters(app.origin, "descriptors", given)
    stranger.client.timeout = httpx2.Timeout(1.0)
    await asyncio.gather(*(_try(stranger, number) for number in range(100, 130)))
    resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
    fresh = Posters(app.origin, "descriptors", given)
    recovered = await _recovers(fresh, 200)
    return [
        nothing("no descriptors: acknowledged and lost", await _missing(fresh, acknowledged)),
        Finding("no descriptors: posts again, without a restart, once there are some", recovered, recovered == "yes"),
    ]


def _sort(answers: list[httpx2.Response | None], acknowledged: list[int], refusals: list[httpx2.Response]) -> None:
    for answer in answers:
        assert answer is not None
        if answer.status_code == 201:
            acknowledged.append(answer.json()["comment"]["id"])
        else:
            refusals.append(answer)


def _refused(what: str, refusals: list[httpx2.Response]) -> list[Finding]:
    clear = sum(
        answer.status_code == 503
        and answer.json()["error"]["code"] == "unavailable"
        and "retry-after" in answer.headers
        for answer in refusals
    )
    figure = f"{clear} of {len(refusals)}"
    return [Finding(f"{what}: refused with 503, a sentence and Retry-After", figure, clear == len(refusals) > 0)]


async def _recovers(posters: Posters, number: int) -> str:
    for tried in range(RECOVER_SECONDS * 5):
        answer = await _try(posters, number + tried)
        if answer is not None and answer.status_code == 201:
            return "yes"
        await asyncio.sleep(0.2)
    return "no" if answer is None else f"no: {answer.text[:60]}"


async def _missing(posters: Posters, acknowledged: list[int]) -> int:
    there = (await read_all(posters.client, posters.key))["comments"]
    return len(set(acknowledged) - set(there))
