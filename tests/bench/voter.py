"""Votes at a steady rate, and an edit a second beside them: reads {port, rate, seconds, tokens, ids, author} as JSON.

Prints {votes, conflicts, edits, scores}: what was taken, edits that were refused, and the scores that must come of it.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections import Counter
from typing import Any

CONNECTIONS = 8


class Line:
    """One kept connection to the server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer

    async def ask(self, method: str, path: str, token: str, message: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        body = json.dumps(message)
        self.writer.write(
            f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
        )
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        return int(head.split(b" ", 2)[1]), json.loads(await self._reader.readexactly(length))


async def vote(given: dict[str, Any]) -> dict[str, Any]:
    chance = random.Random(5)
    tokens, ids, rate = given["tokens"], given["ids"], given["rate"]
    began, total = time.monotonic(), int(given["rate"] * given["seconds"])
    last: dict[tuple[str, int], int] = {}
    taken: Counter[str] = Counter()

    async def votes_of(first: int) -> None:
        """Each voter has a connection to itself at any moment: the last value sent is the last one taken."""
        line = Line(*await asyncio.open_connection("127.0.0.1", given["port"]))
        for number in range(first, total, CONNECTIONS):
            await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
            token, id_, value = tokens[number % len(tokens)], chance.choice(ids), chance.choice((-1, 0, 1, 1))
            status, _ = await line.ask("PUT", f"/api/comments/{id_}/vote", token, {"value": value})
            if status == 200:
                last[token, id_] = value
                taken["votes"] += 1
        line.writer.close()

    async def edits() -> None:
        line = Line(*await asyncio.open_connection("127.0.0.1", given["port"]))
        revision = 1
        while time.monotonic() < began + given["seconds"]:
            edited = {"body": f"Edited {revision} times", "revision": revision}
            status, _ = await line.ask("PATCH", f"/api/comments/{ids[0]}", given["author"], edited)
            taken["edits" if status == 200 else "conflicts"] += 1
            revision += 1
            await asyncio.sleep(1)
        line.writer.close()

    await asyncio.gather(edits(), *map(votes_of, range(CONNECTIONS)))
    scores = {id_: sum(value for (_, voted), value in last.items() if voted == id_) for id_ in ids}
    return {"votes": taken["votes"], "edits": taken["edits"], "conflicts": taken["conflicts"], "scores": scores}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(vote(json.load(sys.stdin)))))
