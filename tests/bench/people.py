"""Those who write and those who arrive: posts that are on the disk, and pages."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from pathlib import Path

import httpx2

from tests.bench.fan_out import _server
from tests.bench.figure import Figure, cpu_seconds
from tests.bench.rounds import EFFORT, in_rounds
from tests.processes import Server

WRITERS = 64
SECONDS = 5.0
READERS = 16
COMMENTS = 67
MANY = 200
CHANGES = 8
# What a post leaves to be done beside requests is no cost of a page.
SETTLING_SECONDS = 0.1
READ_SECONDS = 2.0


def posts(folder: Path, _: int) -> list[Figure]:
    with _server(folder) as (app, pid):
        # Each has a password, which is dear to hash.
        tokens = [app.token(f"writer {number:02d} of many") for number in range(EFFORT.many(WRITERS))]
        began = cpu_seconds(pid)
        times, seconds = asyncio.run(_write(app, tokens))
        spent = cpu_seconds(pid) - began
    times.sort()
    return [
        Figure(f"acknowledged and fsynced posts, {len(tokens)} clients over HTTP", len(times) / seconds, "a second"),
        Figure("the same, p99 of the answer", times[int(len(times) * 0.99)] * 1000, "ms"),
        Figure("the same, CPU of the server a post", spent / len(times) * 1e6, "µs"),
    ]


async def _write(app: Server, tokens: list[str]) -> tuple[list[float], float]:
    times: list[float] = []
    began = time.monotonic()

    async def write(number: int, token: str) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", app.port)
        count = 0
        while time.monotonic() - began < EFFORT.some(SECONDS):
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
    with _server(folder) as (app, pid), app.commenter("page") as client:
        for key, comments in (("page", COMMENTS), ("many", MANY), ("again", MANY)):
            for number in range(comments):
                comment = {"body": f"Comment {number}, *which* says something.", "nonce": f"{key}-{number:020d}"}
                client.post(f"/api/threads/{key}/comments", json=comment)
        token = app.token("reads pages")
        began = cpu_seconds(pid)
        # Drawn for the first time: all of it by the template.
        assert httpx2.get(f"{app.origin}/t/again?sort=newest", trust_env=False).is_success
        drawn = (cpu_seconds(pid) - began) * 1000

        def rate(key: str, token: str = "") -> float:
            count, seconds = asyncio.run(_read(app, key, token))
            return count / seconds

        def after_a_change(token: str = "") -> float:
            used = 0.0
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            for _ in range(CHANGES):
                client.post("/api/threads/many/comments", json={"body": "More", "nonce": f"{time.time_ns():020d}"})
                time.sleep(SETTLING_SECONDS)
                used -= cpu_seconds(pid)
                assert httpx2.get(f"{app.origin}/t/many?sort=newest", headers=headers, trust_env=False).is_success
                used += cpu_seconds(pid)
            return used / CHANGES * 1000

        began = cpu_seconds(pid)
        read, _seconds = asyncio.run(_read(app, "page"))
        spent = cpu_seconds(pid) - began
        found = in_rounds(
            {
                "page": lambda: rate("page"),
                "anonymous": lambda: rate("many"),
                "logged in": lambda: rate("many", token),
                "changed": after_a_change,
                "changed, logged in": lambda: after_a_change(token),
            }
        )
    many = f"page of {MANY} comments"
    whole = [drawn] * len(found["changed"])
    return [
        Figure.of_rounds(f"page of {COMMENTS} comments, anonymous, unchanged thread", "a second", found["page"]),
        Figure("the same, CPU of the server a page", spent / read * 1e6, "µs"),
        Figure.of_rounds(f"{many}, logged in", "a second", found["logged in"], "anonymous", found["anonymous"]),
        Figure.of_rounds(f"{many} after a change", "ms", found["changed"], "all drawn", whole),
        Figure.of_rounds(f"{many} after a change, logged in", "ms", found["changed, logged in"], "all drawn", whole),
    ]


async def _read(app: Server, key: str, token: str = "") -> tuple[int, float]:
    count = 0
    sent = f"Authorization: Bearer {token}\r\n" if token else ""
    began = time.monotonic()

    async def read() -> None:
        nonlocal count
        reader, writer = await asyncio.open_connection("127.0.0.1", app.port)
        while time.monotonic() - began < EFFORT.some(READ_SECONDS):
            writer.write(f"GET /t/{key} HTTP/1.1\r\nHost: x\r\n{sent}\r\n".encode())
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
