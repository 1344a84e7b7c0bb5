"""Opens the page of a thread: `opener PORT COUNT SECONDS`, for the accounts whose tokens stdin has, one after another.

Prints the p99 of the answers (ms), each from when it was due.
"""

from __future__ import annotations

import asyncio
import sys
import time


async def opened(port: int, count: int, seconds: float, tokens: list[str]) -> float:
    began = time.monotonic()

    async def one(number: int) -> float:
        due = began + number * seconds / count
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            f"GET /t/bench?sort=newest HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\nConnection: close\r\n"
            f"Authorization: Bearer {tokens[number % len(tokens)]}\r\n\r\n".encode()
        )
        assert (await reader.read()).startswith(b"HTTP/1.1 200")
        writer.close()
        return time.monotonic() - due

    waits = sorted(await asyncio.gather(*map(one, range(count))))
    return waits[int(count * 0.99)] * 1000


if __name__ == "__main__":
    port, count, seconds = sys.argv[1:]
    print(asyncio.run(opened(int(port), int(count), float(seconds), sys.stdin.read().split())))
