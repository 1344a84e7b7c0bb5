"""One comment to thousands of readers, and what a reader costs who only waits."""

from __future__ import annotations

import contextlib
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2

from tests.bench.compiled import compiled
from tests.bench.crowd import Crowd, masked
from tests.bench.figure import Figure, cpu_seconds, on_the_servers_core, resident_bytes
from tests.processes import ROOT, Server

FRAMES = 12
FRAME_BYTES = 600
NAP_SECONDS = 0.002
JOIN_TEXT = '{"type":"join","thread":"bench"}'
JOIN = masked(JOIN_TEXT)


def fanout(folder: Path, readers: int) -> list[Figure]:
    """CPU of the server for each delivery of a comment of 600 bytes."""
    floor = _c_loop(folder, readers)
    livethread = ours(folder, readers)
    what = f"fan-out of {FRAME_BYTES} B to {readers:,} readers, CPU per delivery"
    figures = []
    if floor:
        figures.append(Figure(what, livethread, "µs", "a C loop of send()", floor))
    for way, name in (("broadcast", "websockets.broadcast"), ("starlette", "the plain Starlette loop")):
        figures.append(Figure(what, livethread, "µs", name, _python_loop(way, readers)))
    return figures


def idle(folder: Path, readers: int) -> list[Figure]:
    """What a connected, joined and silent reader costs, and what it cost to let it in."""
    with _server(folder) as (app, pid), contextlib.closing(Crowd(NAP_SECONDS)) as crowd:
        crowd.connect(app.port, 200, JOIN)
        crowd.drain(0.5)
        bytes_before, cpu_before = resident_bytes(pid), cpu_seconds(pid)
        crowd.connect(app.port, readers, JOIN)
        crowd.drain(1.0)
        memory, cpu = resident_bytes(pid) - bytes_before, cpu_seconds(pid) - cpu_before
    return [
        Figure(f"idle connection of {readers:,}, memory of the server", memory / readers / 1024, "KiB"),
        Figure("connect and join of a reader, CPU", cpu / readers * 1e6, "µs"),
    ]


def ours(folder: Path, readers: int) -> float:
    napping = Crowd(NAP_SECONDS)
    with _server(folder) as (app, pid), contextlib.closing(napping) as crowd, app.commenter("bench") as client:
        # A comment's frame has about 340 bytes beside its text.
        body = "x" * 200
        crowd.connect(app.port, readers, JOIN)
        crowd.drain(1.0)
        costs = []
        for number in range(FRAMES + 2):
            crowd.forget()
            began = cpu_seconds(pid)
            answer = client.post("/api/threads/bench/comments", json={"body": body, "nonce": f"bench-{number:020d}"})
            assert answer.status_code == 201, answer.text
            crowd.expect(readers * FRAME_BYTES // 2)
            crowd.drain(0.3)
            costs.append((cpu_seconds(pid) - began) / readers * 1e6)
            # The first frame tells how long a body must be, give or take a count of readers that comes between.
            if not number:
                body += "x" * (FRAME_BYTES - crowd.received // readers)
        assert abs(crowd.received / readers - FRAME_BYTES) < 80, f"frames had {crowd.received / readers} bytes"
    return statistics.median(costs[2:])


def _c_loop(folder: Path, readers: int) -> float:
    program = compiled("baseline", folder)
    if program is None:
        return 0.0
    with on_the_servers_core():
        process = subprocess.Popen(
            [str(program), str(readers), str(FRAMES), str(FRAME_BYTES)], stdout=subprocess.PIPE, text=True
        )
    assert process.stdout is not None
    with process, contextlib.closing(Crowd(NAP_SECONDS)) as crowd:
        crowd.connect(int(process.stdout.readline()), readers, path=None)
        crowd.expect(readers * FRAMES * FRAME_BYTES)
        return float(process.stdout.readline())


def _python_loop(way: str, readers: int) -> float:
    with on_the_servers_core():
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.baselines", way],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=ROOT,
        )
    assert process.stdout is not None
    try:
        port = int(process.stdout.readline())
        time.sleep(1)
        with contextlib.closing(Crowd(NAP_SECONDS)) as crowd:
            crowd.connect(port, readers)
            crowd.drain(0.5)
            costs = []
            for _ in range(FRAMES):
                crowd.forget()
                began = cpu_seconds(process.pid)
                crowd.say("go")
                crowd.expect(readers * FRAME_BYTES)
                crowd.drain(0.3)
                costs.append((cpu_seconds(process.pid) - began) / readers * 1e6)
            return statistics.median(costs)
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def _server(folder: Path, *program: str) -> Iterator[tuple[Server, int]]:
    with on_the_servers_core():
        app = Server(folder)
        if program:
            app.program = (sys.executable, *program)
        app.start()
    try:
        assert app.process is not None
        # The first request of a kind loads what later ones find loaded.
        httpx2.get(f"{app.origin}/t/bench", trust_env=False)
        yield app, app.process.pid
    finally:
        if not app.died():
            app.kill()
