"""How late a comment is: through Redis against without it, and how long the event loop is held up by a fan-out."""

from __future__ import annotations

import contextlib
import signal
import statistics
import subprocess
import sys
from pathlib import Path

from tests.bench.crowd import Crowd
from tests.bench.fan_out import JOIN, _server
from tests.bench.figure import Figure
from tests.processes import ROOT, Server, Valkey

# Slow enough that nothing waits for a tick.
RATE = 8
SECONDS = 25
COMMENTS = RATE * SECONDS
FRAMES = 10


def redis(folder: Path, _: int) -> list[Figure]:
    """A quiet thread, one reader at the app and one at a gateway."""
    valkey = Valkey(folder)
    valkey.start()
    try:
        with (
            Server(folder, LIVETHREAD_REDIS_URL=valkey.url) as app,
            Server(folder, "gateway", LIVETHREAD_REDIS_URL=valkey.url, LIVETHREAD_APP_URL=app.origin) as gateway,
            contextlib.closing(Crowd()) as crowd,
        ):
            near, far = crowd.connect(app.port, 1, JOIN), crowd.connect(gateway.port, 1, JOIN)
            crowd.drain(1.0)
            crowd.watch(2)
            posts = ("-m", "tests.bench.poster", str(app.port), app.token("quiet"), str(RATE), str(SECONDS), "20")
            # By a process of its own: who waits for the answer to a post is late for the frame.
            with subprocess.Popen([sys.executable, *posts], stdout=subprocess.DEVNULL, cwd=ROOT) as poster:
                while poster.poll() is None:
                    crowd.drain_for(0.25)
            crowd.drain(1.0)
            at_the_app, at_the_gateway = (_came(crowd, descriptor) for descriptor in (*near, *far))
    finally:
        valkey.kill()
    later = sorted(at_the_gateway[id_] - at for id_, at in at_the_app.items())
    what = "a comment reaches a reader of a gateway through Redis, quiet thread, after one of the app"
    return [
        Figure(f"{what}: median", statistics.median(later) * 1000, "ms"),
        Figure("the same, p99", later[int(len(later) * 0.99)] * 1000, "ms"),
    ]


def _came(crowd: Crowd, descriptor: int) -> dict[int, float]:
    """Return when each comment came, by id; all must have come."""
    came = {
        comment["id"]: at
        for at, message in crowd.watched[descriptor].messages()
        if message["type"] == "changes"
        for comment in message["comments"]
    }
    assert len(came) == COMMENTS, f"{len(came)} of {COMMENTS} comments came"
    return came


def _longest(app: Server) -> float:
    assert app.process is not None
    assert app.process.stdout is not None
    app.process.send_signal(signal.SIGUSR1)
    return float(app.process.stdout.readline())


def stall(folder: Path, readers: int) -> list[Figure]:
    """The longest that the event loop was late while one comment went to all."""
    with (
        _server(folder, "-m", "tests.bench.watched") as (app, _),
        contextlib.closing(Crowd()) as crowd,
        app.commenter("bench") as client,
    ):
        crowd.connect(app.port, readers, JOIN)
        crowd.drain(1.0)
        longest = []
        for number in range(FRAMES):
            _longest(app)
            client.post("/api/threads/bench/comments", json={"body": "x" * 200, "nonce": f"stall-{number:020d}"})
            crowd.drain(0.4)
            longest.append(_longest(app))
    longest.sort()
    return [
        Figure(f"longest stall of the event loop, fan-out to {readers:,}, median", longest[len(longest) // 2], "ms"),
        Figure("the same, worst of ten", longest[-1], "ms"),
    ]
