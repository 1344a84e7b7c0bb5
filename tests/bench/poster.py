"""Posts at a steady rate: `poster PORT TOKEN RATE SECONDS BYTES [THREAD]`.

Prints how many were acknowledged, in how many seconds, and the p99 of the answers (ms).
"""

from __future__ import annotations

import asyncio
import json
import random
import secrets
import sys
import time

CONNECTIONS = 8
# As many a second as one connection is asked for, where the server is slow to answer.
RATE_OF_EACH = 10
# Compression finds as much to save in them as in what people write, or less.
WORDS = ["".join(chr(97 + place * number % 26) for place in range(2, 3 + number % 8)) for number in range(3, 1500, 2)]


async def post(port: int, token: str, rate: float, seconds: float, size: int, thread: str) -> tuple[int, float, float]:
    began = time.monotonic()
    total = int(rate * seconds)
    run = secrets.token_hex(8)
    chance = random.Random(size)
    connections = max(CONNECTIONS, int(rate) // RATE_OF_EACH)
    waits: list[float] = []

    async def one_of(first: int) -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        acknowledged = 0
        for number in range(first, total, connections):
            await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
            words = " ".join(chance.choices(WORDS, k=size // 5))
            body = json.dumps({"body": f"{number} {words}"[:size], "nonce": f"{run}-{number:08d}"})
            writer.write(
                f"POST /api/threads/{thread}/comments HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
            )
            asked = time.monotonic()
            acknowledged += (await _head(reader)).startswith(b"HTTP/1.1 201")
            waits.append(time.monotonic() - asked)
        writer.close()
        return acknowledged

    acknowledged = sum(await asyncio.gather(*map(one_of, range(connections))))
    taken = time.monotonic() - began
    waits.sort()
    return acknowledged, taken, waits[int(len(waits) * 0.99)] * 1000


async def _head(reader: asyncio.StreamReader) -> bytes:
    """Read an answer; return its head."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    await reader.readexactly(length)
    return head


if __name__ == "__main__":
    port, token, rate, seconds, size = sys.argv[1:6]
    thread = sys.argv[6] if len(sys.argv) > 6 else "bench"
    print(*asyncio.run(post(int(port), token, float(rate), float(seconds), int(size), thread)))
