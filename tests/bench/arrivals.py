"""Those who come, and those who come back: thousands at once, all of them at the same version."""

from __future__ import annotations

import contextlib
import re
import time
from pathlib import Path

import httpx2

from tests.bench.crowd import OFFER, Crowd, masked
from tests.bench.fan_out import JOIN, _server
from tests.bench.figure import Figure, cpu_seconds, resident_bytes
from tests.processes import Server

MISSED = 8
CLOSE_1012 = b"\x88\x02" + (1012).to_bytes(2)
RETURNING = 15_000


def connect(folder: Path, readers: int) -> list[Figure]:
    """Handshake, join and catch-up of a reader who missed some comments."""
    with _server(folder) as (app, pid), contextlib.closing(Crowd()) as crowd:
        join = _missing_some(app)
        crowd.connect(app.port, 200, join)
        crowd.drain(0.5)
        spent = cpu_seconds(pid)
        crowd.connect(app.port, readers, join)
        crowd.drain(0.5)
        each = (cpu_seconds(pid) - spent) / readers * 1e6
    return [Figure(f"connect, join and catch-up by {MISSED} comments of a reader, CPU", each, "µs")]


def resume(folder: Path, readers: int) -> list[Figure]:
    """The server ends, and all come back to the next one at once."""
    with _server(folder) as (app, pid), contextlib.closing(Crowd()) as crowd:
        join = _missing_some(app)
        began, diffs = time.monotonic(), _diffs(app)
        crowd.connect(app.port, RETURNING, join)
        crowd.drain(0.2)
        seconds = time.monotonic() - began
        asked = _diffs(app) - diffs
        assert crowd.received > RETURNING * MISSED * 200, "not everybody was caught up"
        spent = cpu_seconds(pid)
    return [
        Figure(f"{RETURNING:,} readers back and caught up, after", seconds, "s"),
        Figure("the same, diffs read from the database", asked, ""),
        Figure("the same, CPU of the server in all", spent, "s"),
    ]


def shutdown(folder: Path, readers: int) -> list[Figure]:
    """SIGTERM: everybody is told when to come back, and the process ends."""
    with _server(folder) as (app, pid), contextlib.closing(Crowd()) as crowd:
        crowd.connect(app.port, readers, JOIN, offer=OFFER)
        crowd.drain(1.0)
        crowd.watch(len(crowd.sockets))
        before, most = resident_bytes(pid), 0
        assert app.process is not None
        app.process.terminate()
        began = time.monotonic()
        while crowd.gone < readers:
            most = max(most, resident_bytes(pid) - before)
            crowd.drain_for(0.05)
            assert time.monotonic() - began < 60, f"{readers - crowd.gone} are still connected"
        gone = time.monotonic() - began
        assert app.ended() == 0
        ended = time.monotonic() - began
        waits = [m["after_ms"] for one in crowd.watched.values() for _, m in one.messages() if m["type"] == "retry"]
        assert len(waits) == readers, f"{readers - len(waits)} were not told when to come back"
        assert all(one.pieces[-2][1].endswith(CLOSE_1012) for one in crowd.watched.values())
    return [
        Figure(f"shutdown with {readers:,} readers: all told and gone after", gone, "s"),
        Figure("the same, the process has ended after", ended, "s"),
        Figure("the same, memory grown by", most / 1024 / 1024, "MiB"),
        Figure("the same, they come back within", max(waits) / 1000, "s"),
    ]


def _missing_some(app: Server) -> bytes:
    with app.commenter("early") as client:
        before = client.get("/api/threads/bench").json()
        for number in range(MISSED):
            comment = {"body": f"Comment {number} of those that were missed.", "nonce": f"missed-{number:020d}"}
            assert client.post("/api/threads/bench/comments", json=comment).status_code == 201
    return masked(f'{{"type":"join","thread":"bench","epoch":"{before["epoch"]}","after":{before["version"]}}}')


def _diffs(app: Server) -> int:
    told = httpx2.get(f"{app.origin}/metrics", trust_env=False).text
    found = re.search(r"^livethread_diffs_total (\S+)", told, re.MULTILINE)
    assert found is not None
    return int(float(found[1]))
