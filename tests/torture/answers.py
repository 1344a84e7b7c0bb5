"""Promise 3: a proxy cuts a fifth of the answers; the same nonce again never makes a second comment."""

from __future__ import annotations

import asyncio
import contextlib
import random

from tests.processes import Server
from tests.torture.clients import Posters, api, tokens
from tests.torture.findings import Finding, Plan, nothing

CUT = 0.2


async def answers(plan: Plan) -> list[Finding]:
    cut = 0

    with Server(plan.folder) as app:

        async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal cut
            up, down = await asyncio.open_connection("127.0.0.1", app.port)

            async def forward() -> None:
                while data := await reader.read(65536):
                    down.write(data)
                down.transport.abort()

            forwarding = asyncio.create_task(forward())
            with contextlib.suppress(OSError):
                while data := await up.read(65536):
                    if random.random() < CUT:
                        cut += 1
                        break
                    writer.write(data)
            for one in (writer, down):
                one.transport.abort()
            await asyncio.gather(forwarding, return_exceptions=True)

        given = await asyncio.to_thread(tokens, app, 20)
        server = await asyncio.start_server(proxy, "127.0.0.1", 0)
        async with server:
            posters = Posters(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", "answers", given)
            await posters.post_many(plan.either(600, 10_000))
            await posters.client.aclose()
        posters.client = api(app.origin)
        lost, doubled = await posters.lost_and_doubled()
    return [
        Finding("posts through a proxy that cuts a fifth of the answers", f"{len(posters.acknowledged):,}", True),
        Finding("answers cut", f"{cut:,}", cut > len(posters.acknowledged) * CUT / 2),
        nothing("acknowledged and lost", lost),
        nothing("doubled", doubled),
    ]
