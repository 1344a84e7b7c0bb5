"""A thread that boils: many comments a second to thousands of readers, some who come and go, some who never read."""

from __future__ import annotations

import contextlib
import datetime
import re
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx2

from tests.bench.crowd import UPGRADE, Crowd, Watched
from tests.bench.fan_out import JOIN, _server
from tests.bench.figure import Figure, cpu_seconds, resident_bytes
from tests.processes import ROOT, Server

SECONDS = 12.0
RATE = 100
COMING_AND_GOING = 500
STAY_SECONDS = 2
WATCHED = 100
BODY_BYTES = 200
DEAF = 50
DEAF_BODY_BYTES = 2_500
DEAF_RATE = 20


def hot(folder: Path, readers: int) -> list[Figure]:
    """100 comments a second to all; then half of that while readers come and go."""
    with _server(folder) as (app, pid), contextlib.closing(Crowd()) as crowd:
        crowd.connect(app.port, readers, JOIN)
        crowd.drain(1.0)
        calm = _boil(app, pid, crowd, RATE, "hot")
        crowd.drain(1.0)
        busy = _boil(app, pid, crowd, RATE / 2, "restless", _come_and_go(app, crowd))
    return [*calm, *busy]


def slow(folder: Path, readers: int) -> list[Figure]:
    """What the others notice of 50 readers who never read, and how long those stay."""
    readers = readers // 2
    with _server(folder) as (app, pid), contextlib.closing(Crowd()) as crowd:
        crowd.connect(app.port, readers, JOIN)
        crowd.drain(1.0)
        before = _boil(app, pid, crowd, DEAF_RATE, "without", size=DEAF_BODY_BYTES)[0].value
        deaf = _Deaf(app, pid)
        among = _boil(app, pid, crowd, DEAF_RATE, "among the deaf", deaf.look, size=DEAF_BODY_BYTES)[0].value
        while deaf.cut_after is None:
            crowd.drain_for(0.25)
            deaf.look()
        deaf.close()
    return [
        Figure(f"p99 of {readers:,} readers with {DEAF} among them that never read", among, "ms", "without", before),
        Figure("memory of each that never reads, at most", deaf.most_bytes / DEAF / 1024, "KiB"),
        Figure("the last of them cut after", deaf.cut_after, "s since they came"),
    ]


class _Deaf:
    """Readers who never read, and what becomes of them: `cut_after` s all were gone, and held `most_bytes` before."""

    def __init__(self, app: Server, pid: int) -> None:
        self._app, self._pid = app, pid
        self._before = resident_bytes(pid)
        self._came = time.monotonic()
        self._sockets = [self._connect() for _ in range(DEAF)]
        self.cut_after: float | None = None
        self.most_bytes = 0

    def look(self) -> None:
        if self.cut_after is None:
            self.most_bytes = max(self.most_bytes, resident_bytes(self._pid) - self._before)
            told = httpx2.get(f"{self._app.origin}/metrics", trust_env=False).text
            cut = float(re.findall(r"^livethread_slow_readers_total (\S+)", told, re.MULTILINE)[0])
            waited = time.monotonic() - self._came
            self.cut_after = waited if cut >= DEAF else None
            assert cut >= DEAF or waited < 90, f"{cut} of {DEAF} were cut"

    def close(self) -> None:
        for one in self._sockets:
            one.close()

    def _connect(self) -> socket.socket:
        one = socket.socket()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.connect(("127.0.0.1", self._app.port))
        one.sendall(UPGRADE.format(path="/live", key="dGhlIHNhbXBsZSBub25jZQ==").encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += one.recv(1)
        one.sendall(JOIN)
        return one


def _come_and_go(app: Server, crowd: Crowd) -> Callable[[], None]:
    """A step of a quarter of a second: some come, and those who came 2 s ago leave."""
    here: list[list[int]] = []

    def step() -> None:
        here.append(crowd.connect(app.port, COMING_AND_GOING // 4, JOIN))
        if len(here) > STAY_SECONDS * 4:
            crowd.leave(here.pop(0))

    return step


def _boil(
    app: Server, pid: int, crowd: Crowd, rate: float, name: str, step: Callable[[], None] | None = None,
    size: int = BODY_BYTES,
) -> list[Figure]:  # fmt: skip
    readers = len(crowd.sockets)
    crowd.watch(WATCHED)
    token = app.token(f"boils {name}")
    began, spent = time.monotonic(), cpu_seconds(pid)
    with subprocess.Popen(
        [sys.executable, "-m", "tests.bench.poster", *map(str, (app.port, token, rate, SECONDS, size))],
        stdout=subprocess.PIPE, text=True, cwd=ROOT,
    ) as poster:  # fmt: skip
        while poster.poll() is None:
            crowd.drain_for(0.25)
            if step:
                step()
        seconds, used = time.monotonic() - began, cpu_seconds(pid) - spent
        assert poster.stdout is not None
        posted = int(poster.stdout.read())
    crowd.drain(1.0)
    assert posted >= rate * SECONDS * 0.99, f"{posted} comments were acknowledged"
    late = sorted(late for one in crowd.watched.values() for late in _lateness(one, posted))
    staying = [crowd.bytes_of.get(descriptor, 0) for descriptor in list(crowd.sockets)[:readers]]
    # Whoever stayed got the same frames, give or take a count of readers.
    assert min(staying) > statistics.median(staying) - 2_000, f"a reader has {min(staying)} bytes of {max(staying)}"
    what = f"{name}: {posted / seconds:,.0f} comments/s to {readers:,} readers"
    return [
        Figure(f"{what}, p99 from commit to receipt", late[int(len(late) * 0.99)] * 1000, "ms"),
        Figure(f"{what}, deliveries", posted * readers / seconds, "a second"),
        Figure(f"{what}, CPU of the server", used / seconds * 100, "% of a core"),
    ]


def _lateness(one: Watched, posted: int) -> list[float]:
    """Return the age of every comment when it came; all must have come, once."""
    ages: dict[int, float] = {}
    for at, message in one.messages():
        for comment in message.get("comments", ()) if message["type"] == "changes" else ():
            if comment.get("created"):
                ages.setdefault(comment["id"], at - datetime.datetime.fromisoformat(comment["created"]).timestamp())
    assert len(ages) == posted, f"{posted - len(ages)} comments were lost on the way to a reader"
    return list(ages.values())
