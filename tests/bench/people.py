"""Those who write and those who arrive: posts that are on the disk, and pages."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from pathlib import Path

from tests.bench.fan_out import _server
from tests.bench.figure import Figure, cpu_seconds
from tests.processes import Server

WRITERS = 64
SECONDS = 5.0
READERS = 16
COMMENTS = 67


def posts(folder: Path, _: int) -> list[Figure]:
    with _server(folder) as (app, pid):
        tokens = [app.token(f"writer {number:02d} of many") for number in range(WRITERS)]
        began = cpu_seconds(pid)
        times, seconds = asyncio.run(_write(app, tokens))
        spent = cpu_seconds(pid) - began
    times.sort()
    return [
        Figure(f"acknowledged and fsynced posts, {WRITERS} clients over HTTP", len(times) / seconds, "a second"),
        Figure("the same, p99 of the answer", times[int(len(times) * 0.99)] * 1000, "ms"),
        Figure("the same, CPU of the server a post", spent / len(times) * 1e6, "µs"),
    ]


async def _write(app: Server, tokens: list[str]) -> tuple[list[float], float]:
    times: list[float] = []
    began = time.monotonic()

    async def write(number: int, token: str) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", app.port)
        count = 0
        while time.monotonic() - began < SECONDS:
            count += 1
            body = json.dumps({"body": f"Post {count} of **{number}**", "nonce": f"w{number:04d}-{count:016d}"})
            asked = time.monotonic()
            writer.write(
                f"POST /api/threads/posts-{number % 8}/comments HTTP/1.1\r\nHost: x\r\n"
                f"Authorization: Bearer {token}\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
            )
            assert (await _answer(reader)).startswith(b"HTTP/1.1 201")
            times.append(time.monotonic() - asked)
        writer.close()

    await asyncio.gather(*(write(number, token) for number, token in enumerate(tokens)))
    return times, time.monotonic() - began


def pages(folder: Path, _: int) -> list[Figure]:
    with _server(folder) as (app, pid):
        with app.commenter("page") as client:
            for number in range(COMMENTS):
                comment = {"body": f"Comment {number}, *which* says something.", "nonce": f"page-{number:020d}"}
                client.post("/api/threads/page/comments", json=comment)
        began = cpu_seconds(pid)
        count, seconds = asyncio.run(_read(app))
        spent = cpu_seconds(pid) - began
    return [
        Figure(f"page of {COMMENTS} comments, anonymous, unchanged thread", count / seconds, "a second"),
        Figure("the same, CPU of the server a page", spent / count * 1e6, "µs"),
    ]


async def _read(app: Server) -> tuple[int, float]:
    count = 0
    began = time.monotonic()

    async def read() -> None:
        nonlocal count
        reader, writer = await asyncio.open_connection("127.0.0.1", app.port)
        while time.monotonic() - began < SECONDS:
            writer.write(b"GET /t/page HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await _answer(reader)).startswith(b"HTTP/1.1 200")
            count += 1
        writer.close()

    await asyncio.gather(*(read() for _ in range(READERS)))
    return count, time.monotonic() - began


async def _answer(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    with contextlib.suppress(asyncio.IncompleteReadError):
        await reader.readexactly(length)
    return head
