"""What a comment costs the app, Redis and the gateways, and what each further gateway adds."""

from __future__ import annotations

import contextlib
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.crowd import Crowd
from tests.bench.fan_out import FRAME_BYTES, FRAMES, JOIN, NAP_SECONDS, WARMING_UP, WATCHED, has_comment
from tests.bench.figure import Figure, cpu_seconds, on_the_servers_core
from tests.bench.rounds import EFFORT, MACHINE
from tests.processes import Server, Valkey

COUNTS = (1, 2, 4)
SILENT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Costs:
    """Microseconds of CPU: for a comment at the app and at Redis, for a delivery at the gateways; and at the app for a
    second in which nothing happens, which the others do not hold."""

    app: float
    redis: float
    delivery: float
    silence: float


def gateways(folder: Path, readers: int) -> list[Figure]:
    """The same readers behind one, two and four gateways."""
    counts = COUNTS[:2] if EFFORT.is_small else COUNTS
    found: dict[int, list[Costs]] = {count: [] for count in counts}
    for _ in range(1 if EFFORT.is_small else EFFORT.rounds):
        for count in counts:
            MACHINE.look()
            found[count].append(_measure(Path(tempfile.mkdtemp(dir=folder)), readers, count))
    figures = []
    for count, costs in found.items():
        behind = f"{readers:,} readers behind {count} gateway{'s' if count > 1 else ''}"
        figures += [
            Figure.of_rounds(f"{behind}: gateways, CPU per delivery", "µs", [one.delivery for one in costs]),
            Figure.of_rounds("the same, app, CPU per comment with its post", "µs", [one.app for one in costs]),
            Figure.of_rounds("the same, Redis, CPU per comment", "µs", [one.redis for one in costs]),
            Figure.of_rounds("the same, app, CPU of a second without comments", "µs", [one.silence for one in costs]),
        ]
    return [*figures, *_of_each(found)]


def _of_each(found: dict[int, list[Costs]]) -> Iterator[Figure]:
    """Yield what one gateway more adds: the slope between the fewest and the most."""
    low, high = min(found), max(found)
    for what, name in (
        ("app, CPU per comment", "app"),
        ("Redis, CPU per comment", "redis"),
        ("app, CPU of a second without comments", "silence"),
    ):
        pairs = zip(found[low], found[high], strict=True)
        slopes = [(getattr(more, name) - getattr(fewer, name)) / (high - low) for fewer, more in pairs]
        yield Figure.of_rounds(f"each further gateway: {what}", "µs", slopes)


def _measure(folder: Path, readers: int, count: int) -> Costs:
    with contextlib.ExitStack() as stack:
        valkey = Valkey(folder)
        with on_the_servers_core():
            valkey.start()
            stack.callback(valkey.kill)
            app = stack.enter_context(Server(folder, LIVETHREAD_REDIS_URL=valkey.url))
            shared = {"LIVETHREAD_REDIS_URL": valkey.url, "LIVETHREAD_APP_URL": app.origin}
            behind = [stack.enter_context(Server(folder, "gateway", **shared)) for _ in range(count)]
        crowd = stack.enter_context(contextlib.closing(Crowd(NAP_SECONDS)))
        client = stack.enter_context(app.commenter("bench"))
        assert app.process is not None
        assert valkey.process is not None
        pids = [gateway.process.pid for gateway in behind if gateway.process]
        for gateway in behind:
            crowd.connect(gateway.port, readers // count, JOIN)
        crowd.drain(1.0)
        everybody, body = readers // count * count, "x" * 100
        processes = [[app.process.pid], [valkey.process.pid], pids]
        silence = _used(processes, lambda: crowd.drain_for(EFFORT.some(SILENT_SECONDS)))
        costs = []
        for _ in range(FRAMES + WARMING_UP):
            length = 0

            def comment() -> None:
                nonlocal length
                crowd.forget()
                crowd.watch(WATCHED)
                sent = {"body": body, "nonce": f"bench-{time.time_ns():020d}"}  # noqa: B023
                answer = client.post("/api/threads/bench/comments", json=sent)
                assert answer.status_code == 201, answer.text
                id_ = answer.json()["comment"]["id"]
                length = crowd.expect_frame(lambda message: has_comment(message, id_))
                crowd.expect(everybody * length)
                crowd.drain(0.3)

            used = _used(processes, comment)
            costs.append(
                [one.cpu - idle.cpu / idle.seconds * one.seconds for one, idle in zip(used, silence, strict=True)]
            )
            body += "x" * max(0, FRAME_BYTES - length)
    at_app, at_redis, at_gateways = (
        statistics.median(column) * 1e6 for column in zip(*costs[WARMING_UP:], strict=True)
    )
    return Costs(at_app, at_redis, at_gateways / everybody, silence[0].cpu / silence[0].seconds * 1e6)


@dataclass(frozen=True, slots=True)
class Used:
    cpu: float
    seconds: float

    @property
    def rate(self) -> float:
        return self.cpu / self.seconds


def _used(processes: Sequence[Sequence[int]], work: Callable[[], None]) -> list[Used]:
    """Return what each group of processes has used of the CPU while the work was done, and how long that took."""
    began, before = time.monotonic(), [sum(map(cpu_seconds, group)) for group in processes]
    work()
    after, ended = [sum(map(cpu_seconds, group)) for group in processes], time.monotonic()
    return [Used(late - early, ended - began) for early, late in zip(before, after, strict=True)]
