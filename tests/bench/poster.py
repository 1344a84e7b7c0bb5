"""Posts at a steady rate: `poster PORT TOKEN RATE SECONDS BYTES [THREAD]`; prints how many were acknowledged."""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
import time

CONNECTIONS = 8


async def post(port: int, token: str, rate: float, seconds: float, size: int, thread: str) -> int:
    began = time.monotonic()
    total = int(rate * seconds)
    run = secrets.token_hex(8)

    async def one_of(first: int) -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        acknowledged = 0
        for number in range(first, total, CONNECTIONS):
            await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
            body = json.dumps({"body": f"{number} ".ljust(size, "x"), "nonce": f"{run}-{number:08d}"})
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

    return sum(await asyncio.gather(*map(one_of, range(CONNECTIONS))))


if __name__ == "__main__":
    port, token, rate, seconds, size = sys.argv[1:6]
    thread = sys.argv[6] if len(sys.argv) > 6 else "bench"
    print(asyncio.run(post(int(port), token, float(rate), float(seconds), int(size), thread)))
