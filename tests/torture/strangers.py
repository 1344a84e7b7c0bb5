"""Strangers who send, ask and do not read: what all of them make the app hold, and what others notice of it.

Each attack is a function for one connection, in `attacks_…`, and runs in a process of its own, at ten times the numbers
that once took all memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2

from tests.bench.figure import on_the_servers_core
from tests.processes import ROOT, Server, eventually
from tests.torture.attacks_http import RANKED, large_answer
from tests.torture.findings import Finding, Plan, nothing

MAX_GROWTH_BYTES = 50 * 1024 * 1024
# Both ends of each connection are on this machine.
MAX_GROWTH_OF_KERNEL_BYTES = 512 * 1024 * 1024
MAX_SLOWER = 2.0
# Below it a p99 says more of the machine than of the server.
LEAST_SECONDS = 0.02
KEY = "attacked"
COMMENTS = 240
# Its limits are a part of what withstands; but one account writes all that the attacked thread holds.
AS_IT_COMES = {"LIVETHREAD_LIMITS": "on", "LIVETHREAD_LIMIT_POSTS_ACCOUNT": "1000/1"}


@dataclass(frozen=True, slots=True)
class Attack:
    """`name`: the module and the function in it. The quick form takes a fiftieth of the connections."""

    name: str
    title: str
    connections: int


ATTACKS = [
    Attack("attacks_http.polls", "polls of 4 MiB that nobody signed", 3_000),
    Attack("attacks_http.bodies", "bodies of 64 KiB that lack one byte", 40_000),
    Attack("attacks_http.single_bytes", "bodies that come a byte at a time", 2_000),
    Attack("attacks_http.forms", "multipart forms of a thousand fields that lack the end", 4_000),
    Attack("attacks_http.unread", "large answers that are never read", 6_000),
    Attack("attacks_http.trickle", "large answers that are read a byte a second", 6_000),
    Attack("attacks_http.rankings", "rankings of a thread of 10,000", 5_120),
    Attack("attacks_http.trailers", "trailers without end", 50),
    Attack("attacks_http.extensions", "chunk extensions without end", 50),
    Attack("attacks_http.pipelined", "thousands of requests at once, and no answer read", 600),
    Attack("attacks_http.half_heads", "heads of 16 KiB that lack the end", 10_000),
    Attack("attacks_http.wide_heads", "requests of 100 headers, and then silence", 6_000),
    Attack("attacks_http.silent", "connections that say nothing", 15_000),
    Attack("attacks_http.malformed", "what is no HTTP", 20_000),
    Attack("attacks_rooms.unused", "20 joins of threads that nobody has used", 10_000),
    Attack("attacks_rooms.unused_in_pairs", "the same, two in each", 4_000),
    Attack("attacks_rooms.everywhere", "20 joins of a long thread, each from another version", 4_000),
]


async def strangers(plan: Plan) -> list[Finding]:
    findings = []
    app = Server(plan.folder, **AS_IT_COMES)
    # What the attackers compute is not the server's doing: they and the reader run on the other cores.
    with contextlib.ExitStack() as running:
        with on_the_servers_core():
            running.enter_context(app)
        await asyncio.to_thread(_fill, app, plan.either(500, 10_000))
        pid = app.process.pid if app.process else 0
        async with _Reader(app) as reader:
            usual = await reader.usual(plan.either(20, 400))
            before = _resident_bytes(pid)
            for number, attack in enumerate(ATTACKS):
                plan.progress(number, len(ATTACKS))
                findings += await _suffer(app, pid, attack, reader, plan)
            # What was counted is given back within seconds, to the system too.
            await eventually(lambda: _held(app))
            await asyncio.sleep(plan.either(1, 15))
        left = (_resident_bytes(pid) - before) / 1024 / 1024
        findings += [
            Finding("an honest reader's usual p99", f"{usual * 1000:.1f} ms", True),
            Finding("memory above the beginning, when all have gone", f"{left:.0f} MiB", left < 50),
            nothing("tracebacks in the log", app.log.read_text().count("Traceback")),
            Finding("size of the log", f"{app.log.stat().st_size / 1024:.0f} KiB", app.log.stat().st_size < 1_000_000),
        ]
    return findings


async def _suffer(app: Server, pid: int, attack: Attack, reader: _Reader, plan: Plan) -> list[Finding]:
    count = max(10, attack.connections // plan.either(50, 1))
    before = most = _resident_bytes(pid)
    kernels = most_of_kernel = _kernel_bytes()
    usual = await reader.usual(plan.either(3, 200))
    reader.begin()
    with _attackers(attack.name, str(app.port), str(count), KEY) as attackers:
        assert attackers.stdout is not None
        standing = asyncio.ensure_future(asyncio.to_thread(attackers.stdout.readline))
        hold_until = None
        while hold_until is None or time.monotonic() < hold_until:
            most = max(most, _resident_bytes(pid))
            most_of_kernel = max(most_of_kernel, _kernel_bytes())
            await asyncio.sleep(0.02)
            if hold_until is None and standing.done():
                assert standing.result() == "standing\n", standing.result()
                hold_until = time.monotonic() + plan.either(1, 5)
    worst, failed = reader.end()
    grown = (most - before) / 1024 / 1024
    slower = worst / max(usual, LEAST_SECONDS)
    is_quick_enough = plan.is_quick or slower <= MAX_SLOWER
    return [
        Finding(f"{count:,} × {attack.title}: memory", f"+ {grown:.0f} MiB", most - before <= MAX_GROWTH_BYTES),
        Finding(
            "  the kernel's memory for connections, theirs included",
            f"+ {(most_of_kernel - kernels) / 1024 / 1024:.0f} MiB",
            most_of_kernel - kernels <= MAX_GROWTH_OF_KERNEL_BYTES,
        ),
        Finding(
            f"  an honest reader's p99 meanwhile ({usual * 1000:.0f} ms before)",
            f"{worst * 1000:.0f} ms",
            is_quick_enough,
        ),
        nothing("  answers that an honest reader did not get", failed),
    ]


class _Reader:
    """Somebody who opens the page again and again, each time by a new connection, and asks whether the app is well."""

    def __init__(self, app: Server) -> None:
        self._port = app.port
        self._took: list[float] = []
        self._failed = 0
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> _Reader:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._reading:
            self._reading.cancel()

    async def usual(self, times: int) -> float:
        """Return the p99 of so many pages, in seconds."""
        self._took.clear()
        for _ in range(times):
            await self._read()
        return _p99(self._took)

    def begin(self) -> None:
        self._took.clear()
        self._failed = 0
        self._reading = asyncio.ensure_future(self._read_on())

    def end(self) -> tuple[float, int]:
        """Return the p99, and how many answers did not come."""
        assert self._reading is not None
        self._reading.cancel()
        return _p99(self._took), self._failed

    async def _read_on(self) -> None:
        while True:
            await self._read()
            await asyncio.sleep(0.02)

    async def _read(self) -> None:
        began = time.monotonic()
        for path in (f"/t/{KEY}", "/health"):
            try:
                async with asyncio.timeout(30):
                    self._failed += not (await self._get(path)).startswith(b"HTTP/1.1 200 ")
            except (OSError, TimeoutError):
                self._failed += 1
        self._took.append(time.monotonic() - began)

    async def _get(self, path: str) -> bytes:
        reading, writing = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            writing.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            return await reading.read(-1)
        finally:
            writing.close()


def _p99(seconds: list[float]) -> float:
    return sorted(seconds)[int(len(seconds) * 0.99)] if seconds else 0.0


@contextlib.contextmanager
def _attackers(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.torture.attackers", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def _resident_bytes(pid: int) -> int:
    pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _kernel_bytes() -> int:
    """What all connections of this machine hold in the kernel, by any process or by none any more."""
    told = re.search(r"^TCP:.* mem (\d+)", Path("/proc/net/sockstat").read_text(), re.MULTILINE)
    return int(told[1]) * os.sysconf("SC_PAGE_SIZE") if told else 0


def _held(app: Server) -> bool:
    told = httpx2.get(f"{app.origin}/metrics", trust_env=False).text
    found = re.search(r"^livethread_http_held_bytes (\S+)", told, re.MULTILINE)
    return found is not None and float(found[1]) < 1_000_000


def _fill(app: Server, ranked: int) -> None:
    with app.commenter("Filler") as writer:
        for number in range(COMMENTS):
            comment = {"body": f"{number} " + "words and words " * 250, "nonce": f"attacked-{number:020d}"}
            assert writer.post(f"/api/threads/{KEY}/comments", json=comment).status_code == 201
        # Who comes usually has filled the caches: what strangers add to them is nothing that they make us hold.
        sizes = [len(writer.get(large_answer(KEY, number)).content) for number in range(COMMENTS)]
        assert sizes[COMMENTS // 2] > 400_000
    lines = (
        {"id": str(number), "parent": None, "author": "A", "created": number, "body_md": "One."}
        for number in range(ranked)
    )
    file = app.folder / "ranked.jsonl"
    file.write_bytes(b"\n".join(json.dumps(line).encode() for line in lines))
    app.run("import", "jsonl", str(file), "--thread", RANKED)
