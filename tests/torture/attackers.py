"""The attacking process: `python -m tests.torture.attackers MODULE.FUNCTION PORT CONNECTIONS KEY`.

Opens that many connections, from many addresses of loopback, and says "standing" when each of them has been opened.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import resource
import socket
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import uvloop

AT_ONCE = 400
MAX_OPEN = 15_000
ADDRESSES = 200


@dataclass(frozen=True, slots=True)
class Peer:
    """One connection of an attack; `number` is its place among all, `key` a thread that is there."""

    wire: socket.socket
    number: int
    key: str

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.wire, data)

    async def send_for_ever(self, data: bytes) -> None:
        while True:
            await self.send(data)

    async def receive(self, most: int) -> bytes:
        return await asyncio.get_running_loop().sock_recv(self.wire, most)

    async def stay(self) -> None:
        """Keep the connection open until the other side ends it."""
        await self.receive(1)

    async def stay_deaf(self) -> None:
        """The same, and read nothing."""
        await asyncio.get_running_loop().create_future()


Attacking = Callable[[Peer], Awaitable[None]]


async def attack(one: Attacking, port: int, count: int, key: str) -> None:
    loop = asyncio.get_running_loop()
    opening, open_ = asyncio.Semaphore(AT_ONCE), asyncio.Semaphore(min(MAX_OPEN, count))
    started = 0
    all_started = loop.create_future()

    async def run(number: int) -> None:
        nonlocal started
        with socket.socket() as wire:
            wire.setblocking(False)
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            wire.bind((f"127.0.{number % ADDRESSES}.2", 0))
            try:
                async with opening:
                    await loop.sock_connect(wire, ("127.0.0.1", port))
                    working = asyncio.ensure_future(one(Peer(wire, number, key)))
                    with contextlib.suppress(OSError, TimeoutError):
                        await asyncio.wait_for(asyncio.shield(working), 0.2)
            finally:
                started += 1
                if started == count:
                    all_started.set_result(None)
            with contextlib.suppress(OSError):
                await working
        open_.release()

    async def start() -> None:
        async with asyncio.TaskGroup() as tasks:
            for number in range(count):
                await open_.acquire()
                tasks.create_task(_quietly(run(number)))

    starting = asyncio.ensure_future(start())
    # Those that are held open make room for no others: then all that can stand does.
    await asyncio.wait([starting, all_started], return_when=asyncio.FIRST_COMPLETED, timeout=60)
    print("standing", flush=True)
    await loop.create_future()


async def _quietly(work: Awaitable[None]) -> None:
    with contextlib.suppress(OSError):
        await work


def main() -> None:
    name, port, count, key = sys.argv[1:]
    # The reader shares a core with us, and measures the server.
    os.nice(10)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    module, _, function = name.rpartition(".")
    uvloop.run(
        attack(getattr(importlib.import_module(f"tests.torture.{module}"), function), int(port), int(count), key)
    )


if __name__ == "__main__":
    main()
