"""More than one core can do: what is offered to a hot thread, and readers who open its page all at once."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2

from channels.rooms.fan_out import TICK_SECONDS
from tests.bench.figure import Figure, on_the_servers_core
from tests.bench.hot import Audience, audience, boil, offer
from tests.bench.rounds import EFFORT
from tests.processes import ROOT, Server

OFFERED = (100, 300, 1_000, 3_000)
WITH_A_COMPETITOR = 100
SECONDS = 12.0
OPENING_READERS = 1_000
OPENING_RATE = 50
OPENING_SECONDS = 10.0
ACCOUNTS = 50
ROUNDS = 3


def overload(folder: Path, readers: int) -> list[Figure]:
    """Ever more comments a second to all, and a hundred beside a process that wants the whole core."""
    with audience(folder, readers) as others:
        figures = [figure for rate in OFFERED for figure in _offered(others, rate, f"{rate:,} comments/s")]
        with _competitor():
            figures += _offered(others, WITH_A_COMPETITOR, f"{WITH_A_COMPETITOR} comments/s on half of the core")
    return figures


def opening(folder: Path, _: int) -> list[Figure]:
    """A thousand who are logged in open the page of a hot thread within ten seconds."""
    without, among, waits = [], [], []
    with audience(folder, EFFORT.many(OPENING_READERS)) as others:
        tokens = [others.app.token(f"opens {number:02d} of many") for number in range(ACCOUNTS)]
        seconds = EFFORT.some(OPENING_SECONDS)
        for number in range(ROUNDS):
            without.append(boil(others, OPENING_RATE, f"calm {number}", duration=seconds)[0].value)
            with _opening(others.app, tokens, seconds) as opened:
                among.append(boil(others, OPENING_RATE, f"rush {number}", duration=seconds)[0].value)
            waits.append(opened[0])
    what = f"{OPENING_READERS:,} open a page where {OPENING_RATE} comments/s arrive"
    return [
        Figure.of_rounds(f"{what}, p99 of the page", "ms", waits),
        Figure.of_rounds(f"{what}, p99 of the comments", "ms", among, "without them", without),
    ]


def _offered(of: Audience, rate: int, what: str) -> list[Figure]:
    seconds = EFFORT.some(SECONDS)
    before = _sweeps(of.app)
    with _asking_for_health(of.app) as longest:
        got = offer(of, rate, what, duration=seconds)
    spent, sweeps = (now - then for now, then in zip(_sweeps(of.app), before, strict=True))
    assert got.posted >= int(rate * seconds), f"only {got.posted} comments were acknowledged"
    what = f"{what} to {of.readers:,} readers ({got.posted / got.seconds:,.0f}/s taken)"
    allowed = (spent / max(1.0, sweeps) + TICK_SECONDS) * 1000
    return [
        Figure(f"{what}, p99 from commit to receipt", got.late_ms, "ms", "sweep and tick", allowed),
        Figure(f"{what}, p99 of a post", got.post_ms, "ms"),
        Figure(f"{what}, longest wait for /health", longest[0], "ms"),
    ]


def _sweeps(app: Server) -> tuple[float, float]:
    """Return the seconds of all sweeps so far, and their number."""
    told = httpx2.get(f"{app.origin}/metrics", trust_env=False).text
    found = dict(re.findall(r"^livethread_fan_out_seconds_(sum|count) (\S+)", told, re.MULTILINE))
    return float(found["sum"]), float(found["count"])


@contextlib.contextmanager
def _asking_for_health(app: Server) -> Iterator[list[float]]:
    """After the block the list holds the longest wait (ms)."""
    found: list[float] = []
    with subprocess.Popen(
        [sys.executable, "-m", "tests.bench.asker", str(app.port)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
    ) as asker:  # fmt: skip
        yield found
        found.append(float(asker.communicate("\n")[0]))


@contextlib.contextmanager
def _competitor() -> Iterator[None]:
    with on_the_servers_core():
        busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        busy.kill()
        busy.wait()


@contextlib.contextmanager
def _opening(app: Server, tokens: list[str], seconds: float) -> Iterator[list[float]]:
    """While the block runs, readers open the page; afterwards the list holds the p99 of the answers (ms)."""
    found: list[float] = []
    count = EFFORT.many(OPENING_READERS)
    with subprocess.Popen(
        [sys.executable, "-m", "tests.bench.opener", str(app.port), str(count), str(seconds)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
    ) as opener:  # fmt: skip
        assert opener.stdin is not None
        opener.stdin.write(" ".join(tokens))
        opener.stdin.close()
        yield found
        assert opener.stdout is not None
        found.append(float(opener.stdout.read()))
