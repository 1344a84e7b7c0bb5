"""One comment to thousands of readers, and what a reader costs who only waits."""

from __future__ import annotations

import contextlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2

from tests.bench.compiled import compiled
from tests.bench.crowd import Crowd, masked
from tests.bench.figure import Figure, cpu_seconds, on_the_servers_core, resident_bytes
from tests.bench.rounds import in_rounds
from tests.processes import ROOT, Server

FRAMES = 6
WARMING_UP = 2
WATCHED = 10
FRAME_BYTES = 600
NAP_SECONDS = 0.002
JOIN_TEXT = '{"type":"join","thread":"bench"}'
JOIN = masked(JOIN_TEXT)


def fanout(folder: Path, readers: int) -> list[Figure]:
    """CPU of the server for each delivery of a comment of 600 bytes."""
    livethread = "livethread"
    program = compiled("baseline", folder)
    found = in_rounds(
        {
            **({"a C loop of send()": lambda: _c_loop(program, readers)} if program else {}),
            livethread: lambda: ours(folder, readers),
            "websockets.broadcast": lambda: _python_loop("broadcast", readers),
            "the plain Starlette loop": lambda: _python_loop("starlette", readers),
        }
    )
    what = f"fan-out of {FRAME_BYTES} B to {readers:,} readers, CPU per delivery"
    return [
        Figure.of_rounds(what, "µs", found[livethread], name, costs)
        for name, costs in found.items()
        if name != livethread
    ]


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
        body = "x" * 100
        crowd.connect(app.port, readers, JOIN)
        crowd.drain(1.0)
        costs = []
        for _ in range(FRAMES + WARMING_UP):
            crowd.forget()
            crowd.watch(WATCHED)
            began = cpu_seconds(pid)
            sent = {"body": body, "nonce": f"bench-{time.time_ns():020d}"}
            answer = client.post("/api/threads/bench/comments", json=sent)
            assert answer.status_code == 201, answer.text
            id_ = answer.json()["comment"]["id"]
            length = crowd.expect_frame(lambda message: has_comment(message, id_))  # noqa: B023
            # A count of readers may have come to all of them as well, or to some.
            crowd.expect(readers * length)
            crowd.drain(0.3)
            costs.append((cpu_seconds(pid) - began) / readers * 1e6)
            # The first frame tells how long a body must be.
            body += "x" * (FRAME_BYTES - length)
        assert abs(length - FRAME_BYTES) < 20, f"the frame of a comment had {length} bytes"
    return statistics.median(costs[WARMING_UP:])


def has_comment(message: dict[str, Any], comment: int) -> bool:
    return message["type"] == "changes" and any(one["id"] == comment for one in message["comments"])


def delivery_cost(crowd: Crowd, pid: int, go: Callable[[], object], least_bytes: int) -> float:
    """Return microseconds of CPU for each delivery where `go` makes `pid` send a frame to all: the frames' median."""
    readers = len(crowd.sockets)
    costs = []
    for _ in range(FRAMES + WARMING_UP):
        crowd.forget()
        began = cpu_seconds(pid)
        go()
        crowd.expect(readers * least_bytes)
        crowd.drain(0.3)
        costs.append((cpu_seconds(pid) - began) / readers * 1e6)
    return statistics.median(costs[WARMING_UP:])


@contextlib.contextmanager
def running(*command: str) -> Iterator[subprocess.Popen[str]]:
    """A program on the server's core, for as long as the block takes."""
    with on_the_servers_core():
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def printed(process: subprocess.Popen[str]) -> str:
    """Return the next line that it prints: its port, first."""
    assert process.stdout is not None
    return process.stdout.readline()


def _c_loop(program: Path, readers: int) -> float:
    with (
        running(str(program), str(readers), str(FRAMES), str(FRAME_BYTES)) as process,
        contextlib.closing(Crowd(NAP_SECONDS)) as crowd,
    ):
        crowd.connect(int(printed(process)), readers, path=None)
        crowd.expect(readers * FRAMES * FRAME_BYTES)
        return float(printed(process))


def _python_loop(way: str, readers: int) -> float:
    with (
        running(sys.executable, "-m", "tests.bench.baselines", way) as process,
        contextlib.closing(Crowd(NAP_SECONDS)) as crowd,
    ):
        port = int(printed(process))
        time.sleep(1)
        crowd.connect(port, readers)
        crowd.drain(0.5)
        return delivery_cost(crowd, process.pid, lambda: crowd.say("go"), FRAME_BYTES)


@contextlib.contextmanager
def _server(folder: Path, *program: str) -> Iterator[tuple[Server, int]]:
    """A new server with a database of its own, and its process."""
    with on_the_servers_core():
        app = Server(Path(tempfile.mkdtemp(dir=folder)))
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
