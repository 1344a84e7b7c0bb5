"""A thread that boils: many comments a second to thousands of readers, some who come and go, some who never read."""

from __future__ import annotations

import contextlib
import datetime
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.bench.crowd import OFFER, Crowd, Watched
from tests.bench.deaf import DEAF, Deaf
from tests.bench.fan_out import JOIN, JOIN_TEXT, _server
from tests.bench.figure import Figure, cpu_seconds
from tests.bench.multitude import Multitude
from tests.processes import ROOT, Server

SECONDS = 12.0
RATE = 100
BOILING = 300
COMING_AND_GOING = 500
WATCHED = 100
BODY_BYTES = 200
DEAF_BODY_BYTES = 2_500
DEAF_RATE = 20
DEAF_SECONDS = 8.0
ROUNDS = 5


class Audience:
    """All who read the thread: a hundred whose messages are looked at, and a multitude."""

    def __init__(self, folder: Path, app: Server, pid: int, readers: int) -> None:
        self.app, self.pid, self.readers = app, pid, readers
        self.multitude = Multitude(folder, app.port, readers - WATCHED, JOIN_TEXT)
        self.crowd = Crowd()
        self.crowd.connect(app.port, readers - self.multitude.count, JOIN, offer=OFFER)
        self.drain()

    def drain(self) -> None:
        """Wait until everybody has everything."""
        self.crowd.drain(1.0)
        while self.multitude.read().quiet_ms < 1_000:
            self.crowd.drain(1.0)

    def close(self) -> None:
        self.crowd.close()
        self.multitude.close()


@contextlib.contextmanager
def audience(folder: Path, readers: int) -> Iterator[Audience]:
    with _server(folder) as (app, pid), contextlib.closing(Audience(folder, app, pid, readers)) as all_of_them:
        yield all_of_them


def hot(folder: Path, readers: int) -> list[Figure]:
    """100 comments a second to all, then 300; then 50 while readers come and go."""
    with audience(folder, readers) as readers_of_it:
        calm = boil(readers_of_it, RATE, "hot") + boil(readers_of_it, BOILING, "boiling")
        with _comers(readers_of_it.app):
            busy = boil(readers_of_it, RATE / 2, f"{COMING_AND_GOING} readers/s come and go")
    return [*calm, *busy]


def slow(folder: Path, readers: int) -> list[Figure]:
    """What the others notice of 50 readers who never read, and how long those stay: medians of rounds with and without.

    A p99 is a matter of few moments, of which this machine has its own.
    """
    readers = readers // 2
    with audience(folder, readers) as others:
        without, among = [], []
        for number in range(ROUNDS):
            without.append(_deafened(others, f"without {number}"))
            with contextlib.closing(Deaf(others.app, others.pid)) as deaf:
                among.append(_deafened(others, f"among them {number}"))
                while number == 0 and deaf.cut_after is None:
                    assert deaf.waited < 90, "those who never read were not cut"
                    others.crowd.drain_for(0.25)
            if number == 0:
                first = deaf
    what = f"p99 of {readers:,} readers with {DEAF} among them that never read"
    return [
        Figure(what, statistics.median(among), "ms", "without", statistics.median(without)),
        Figure("memory of each that never reads, at most", first.most_bytes / DEAF / 1024, "KiB"),
        Figure("the last of them cut after", first.cut_after or 0.0, "s since they came"),
    ]


def _deafened(others: Audience, name: str) -> float:
    return boil(others, DEAF_RATE, name, size=DEAF_BODY_BYTES, duration=DEAF_SECONDS)[0].value


@contextlib.contextmanager
def _comers(app: Server) -> Iterator[None]:
    """Readers who come and go, in a process of their own: those who measure must not wait for them."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.bench.comers", str(app.port), str(COMING_AND_GOING)],
        stdin=subprocess.PIPE, cwd=ROOT,
    ) as comers:  # fmt: skip
        time.sleep(3)
        yield
        assert comers.poll() is None, "those who came and went have stopped"
        comers.communicate()
        assert comers.returncode == 0, "a comment was lost on the way to somebody who came"


@dataclass(frozen=True, slots=True)
class Boiled:
    """What was posted, in how many seconds, and when it came: `late`, seconds from each commit to each receipt."""

    posted: int
    seconds: float
    post_ms: float
    late: list[float]
    used: float

    @property
    def late_ms(self) -> float:
        return self.late[int(len(self.late) * 0.99)] * 1000


def offer(of: Audience, rate: float, name: str, size: int = BODY_BYTES, duration: float = SECONDS) -> Boiled:
    """Post at this rate, by an account of this name. Everybody gets everything."""
    crowd = of.crowd
    crowd.watch(WATCHED)
    of.multitude.read()
    token = of.app.token("boils " + name[:20].replace("/", " a "))
    began, spent = time.monotonic(), cpu_seconds(of.pid)
    with subprocess.Popen(
        [sys.executable, "-m", "tests.bench.poster", *map(str, (of.app.port, token, rate, duration, size))],
        stdout=subprocess.PIPE, text=True, cwd=ROOT,
    ) as poster:  # fmt: skip
        while poster.poll() is None:
            crowd.drain_for(0.25)
        used = (cpu_seconds(of.pid) - spent) / (time.monotonic() - began)
        assert poster.stdout is not None
        acknowledged, taken, post_ms = poster.stdout.read().split()
    posted = int(acknowledged)
    crowd.drain(1.0)
    assert posted >= rate * duration * 0.99, f"{posted} comments were acknowledged"
    late = sorted(late for one in crowd.watched.values() for late in _lateness(one, posted))
    # Whoever stayed got the same frames, give or take a count of readers.
    read = of.multitude.read()
    assert not read.gone, f"{read.gone} readers were let go of"
    assert read.least_bytes >= read.median_bytes - 2_000, (
        f"a reader has {read.least_bytes} of {read.median_bytes} bytes"
    )
    return Boiled(posted, float(taken), float(post_ms), late, used)


def boil(of: Audience, rate: float, name: str, size: int = BODY_BYTES, duration: float = SECONDS) -> list[Figure]:
    got = offer(of, rate, name, size, duration)
    what = f"{name}: {got.posted / got.seconds:,.0f} comments/s to {of.readers:,} readers"
    return [
        Figure(f"{what}, p99 from commit to receipt", got.late_ms, "ms"),
        Figure(f"{what}, deliveries", got.posted * of.readers / got.seconds, "a second"),
        Figure(f"{what}, CPU of the server", got.used * 100, "% of a core"),
        Figure(f"{what}, CPU per delivered comment", got.used * got.seconds / got.posted / of.readers * 1e6, "µs"),
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
