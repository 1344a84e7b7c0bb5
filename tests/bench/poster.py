"""Posts at a steady rate: `poster PORT TOKEN RATE SECONDS BYTES [THREAD]`; prints how many were acknowledged, and
in how many seconds."""

from __future__ import annotations

import asyncio
import json
import random
import secrets
import sys
import time

CONNECTIONS = 8
# Compression finds as much to save in them as in what people write, or less.
WORDS = ["".join(chr(97 + place * number % 26) for place in range(2, 3 + number % 8)) for number in range(3, 1500, 2)]


async def post(port: int, token: str, rate: float, seconds: float, size: int, thread: str) -> tuple[int, float]:
    began = time.monotonic()
    total = int(rate * seconds)
    run = secrets.token_hex(8)
    chance = random.Random(size)

    async def one_of(first: int) -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        acknowledged = 0
        for number in range(first, total, CONNECTIONS):
            await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
            words = " ".join(chance.choices(WORDS, k=size // 5))
            body = json.dumps({"body": f"{number} {words}"[:size], "nonce": f"{run}-{number:08d}"})
            writer.write(
                f"POST /api/threads/{thread}/comments HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
            )
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(length)
            acknowledged += head.startswith(b"HTTP/1.1 201")
        writer.close()
        return acknowledged

    return sum(await asyncio.gather(*map(one_of, range(CONNECTIONS)))), time.monotonic() - began


if __name__ == "__main__":
    port, token, rate, seconds, size = sys.argv[1:6]
    thread = sys.argv[6] if len(sys.argv) > 6 else "bench"
    print(*asyncio.run(post(int(port), token, float(rate), float(seconds), int(size), thread)))
