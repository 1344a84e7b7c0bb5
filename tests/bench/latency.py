"""How late a comment is: through Redis against without it, and how long the event loop is held up by a fan-out."""

from __future__ import annotations

import contextlib
import datetime
import signal
import time
from pathlib import Path

from tests.bench.crowd import Crowd
from tests.bench.fan_out import JOIN, _server
from tests.bench.figure import Figure
from tests.processes import Server, Valkey

COMMENTS = 200
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
            app.commenter("quiet") as client,
        ):
            near, far = crowd.connect(app.port, 1, JOIN), crowd.connect(gateway.port, 1, JOIN)
            crowd.drain(1.0)
            crowd.watch(2)
            sent: list[float] = []
            for number in range(COMMENTS):
                sent.append(time.time())
                answer = client.post(
                    "/api/threads/bench/comments", json={"body": "Quiet.", "nonce": f"quiet-{number:020d}"}
                )
                assert answer.status_code == 201
                crowd.drain_for(0.12)
            p99 = [_p99(crowd, descriptor) for descriptor in (*near, *far)]
    finally:
        valkey.kill()
    return [Figure("p99 of a comment at a gateway, quiet thread, beyond the same at the app", p99[1] - p99[0], "ms")]


def _p99(crowd: Crowd, descriptor: int) -> float:
    late = sorted(
        at - datetime.datetime.fromisoformat(comment["created"]).timestamp()
        for at, message in crowd.watched[descriptor].messages()
        if message["type"] == "changes"
        for comment in message["comments"]
    )
    assert len(late) == COMMENTS, f"{len(late)} of {COMMENTS} comments came"
    return late[int(len(late) * 0.99)] * 1000


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
