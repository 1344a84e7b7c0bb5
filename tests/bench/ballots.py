"""Votes on a thread that many watch: scores move at most once a second, and come out right."""

from __future__ import annotations

import contextlib
import itertools
import json
import subprocess
import sys
import time
from pathlib import Path

import httpx2

from tests.bench.crowd import Crowd, Watched
from tests.bench.fan_out import JOIN, _server
from tests.bench.figure import Figure, cpu_seconds
from tests.processes import ROOT, Server, until

READERS = 1_000
RATE = 100
SECONDS = 15.0
# A multiple of the voter's connections: no account votes on two of them at once.
VOTERS = 64
COMMENTS = 40


def votes(folder: Path, _: int) -> list[Figure]:
    with _server(folder) as (app, pid), contextlib.closing(Crowd()) as crowd:
        author = app.token("author of all")
        ids = [_post(app, author, number) for number in range(COMMENTS)]
        tokens = [app.token(f"voter {number:02d} of many") for number in range(VOTERS)]
        crowd.connect(app.port, READERS, JOIN)
        crowd.drain(1.0)
        crowd.watch(READERS)
        given = {"port": app.port, "rate": RATE, "seconds": SECONDS, "tokens": tokens, "ids": ids, "author": author}
        began, spent = time.monotonic(), cpu_seconds(pid)
        with subprocess.Popen(
            [sys.executable, "-m", "tests.bench.voter"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
        ) as voter:  # fmt: skip
            assert voter.stdin is not None
            assert voter.stdout is not None
            voter.stdin.write(json.dumps(given))
            voter.stdin.close()
            while voter.poll() is None:
                crowd.drain_for(0.25)
            seconds, used = time.monotonic() - began, cpu_seconds(pid) - spent
            cast = json.loads(voter.stdout.read())
        crowd.drain_for(2.0)
        assert cast["votes"] >= RATE * SECONDS * 0.99, f"{cast['votes']} votes were taken"
        assert cast["conflicts"] == 0, f"{cast['conflicts']} edits were refused"
        wanted = {int(id_): score for id_, score in cast["scores"].items()}
        until(lambda: _scores(app) == wanted)
        moves = [_moves(one) for one in crowd.watched.values()]
    least, most = min(map(len, moves)), max(map(len, moves))
    shortest = min(later - earlier for times in moves for earlier, later in itertools.pairwise(times))
    assert most <= seconds + 1, f"a reader's scores moved {most} times in {seconds:.0f} s"
    assert shortest >= 1, f"a reader's scores moved again after {shortest:.2f} s"
    what = f"{cast['votes'] / seconds:,.0f} votes/s before {READERS:,} readers"
    return [
        Figure(f"{what}, changes of scores to each a second, at most", most / seconds, ""),
        Figure("the same, at least", least / seconds, ""),
        Figure("the same, shortest time between two", shortest * 1000, "ms"),
        Figure(f"the same, edits refused of {cast['edits']} meanwhile", cast["conflicts"], ""),
        Figure("the same, CPU of the server", used / seconds * 100, "% of a core"),
    ]


def _post(app: Server, token: str, number: int) -> int:
    comment = {"body": f"Comment {number}", "nonce": f"votes-{number:020d}"}
    bearer = {"authorization": f"Bearer {token}"}
    answer = httpx2.post(f"{app.origin}/api/threads/bench/comments", json=comment, headers=bearer, trust_env=False)
    return int(answer.json()["comment"]["id"])


def _scores(app: Server) -> dict[int, int]:
    page = httpx2.get(f"{app.origin}/api/threads/bench", trust_env=False).json()
    return {comment["id"]: comment["score"] for comment in page["comments"]}


def _moves(one: Watched) -> list[float]:
    """Return when frames came that hold scores alone."""
    return [
        at
        for at, message in one.messages()
        if message["type"] == "changes"
        and any("score" in comment and "state" not in comment for comment in message["comments"])
    ]
