"""Many connections that come at once do not keep one of somebody else waiting in the kernel's queue."""

from __future__ import annotations

import asyncio
import socket
from typing import Any, cast

from channels.tasks import Health, Tasks
from server.client_address import Clients
from server.connection_budget import HttpBudget
from server.settings import read
from server.transport import uvicorn_accepting
from server.transport.uvicorn_accepting import AT_ONCE, FEW, Acceptor
from tests.processes import eventually


class Met(asyncio.Protocol):
    came: list[str]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.came.append(transport.get_extra_info("peername")[0])
        cast("asyncio.Transport", transport).abort()


class Surroundings:
    """What of a context an acceptor uses."""

    def __init__(self, tasks: Tasks) -> None:
        self.budget = HttpBudget(1_000)
        self.clients = Clients(read({}))
        self.hub = self
        self.tasks = tasks


def knock(listener: socket.socket, address: str, times: int = 1) -> list[socket.socket]:
    peers = []
    for _ in range(times):
        peer = socket.socket()
        peer.bind((address, 0))
        peer.connect(listener.getsockname())
        peers.append(peer)
    return peers


async def test_of_a_long_queue_an_address_with_little_is_served_first() -> None:
    came: list[str] = []
    met = type("Meeting", (Met,), {"came": came})
    with socket.create_server(("127.0.0.1", 0), backlog=AT_ONCE) as listener:
        listener.setblocking(False)
        async with Tasks(Health()) as tasks:
            around = Surroundings(tasks)
            acceptor = Acceptor([listener], met, cast("Any", around))
            peers = knock(listener, "127.0.0.2", FEW)
            acceptor.look()
            assert not around.budget.rounds.is_busy
            peers += knock(listener, "127.0.0.2", 100) + knock(listener, "127.0.0.3")
            around.budget.rounds.accepted()
            await eventually(lambda: len(came) == FEW + 101)
            assert "127.0.0.3" in came[:3]
            for peer in peers:
                peer.close()


async def test_more_than_can_wait_are_closed_first_those_of_an_address_that_has_others(monkeypatch: Any) -> None:
    monkeypatch.setattr(uvicorn_accepting, "MAX_WAITING", FEW + 4)
    came: list[str] = []
    met = type("Meeting", (Met,), {"came": came})
    with socket.create_server(("127.0.0.1", 0), backlog=AT_ONCE) as listener:
        listener.setblocking(False)
        async with Tasks(Health()) as tasks:
            around = Surroundings(tasks)
            around.budget.load = lambda address: int(address == "127.0.0.2")  # type: ignore[method-assign]
            acceptor = Acceptor([listener], met, cast("Any", around))
            peers = knock(listener, "127.0.0.2", 2 * FEW) + knock(listener, "127.0.0.3", 3)
            acceptor.look()
            await eventually(lambda: not around.budget.rounds.is_busy and len(came) == FEW + 7)
            assert came.count("127.0.0.3") == 3
            assert around.budget.tally.refused == FEW - 4
            for peer in peers:
                peer.close()


async def test_each_of_several_listeners_is_looked_after() -> None:
    came: list[str] = []
    met = type("Meeting", (Met,), {"came": came})
    with (
        socket.create_server(("127.0.0.1", 0)) as first,
        socket.create_server(("127.0.0.1", 0), backlog=AT_ONCE) as second,
    ):
        first.setblocking(False)
        second.setblocking(False)
        async with Tasks(Health()) as tasks:
            around = Surroundings(tasks)
            acceptor = Acceptor([first, second], met, cast("Any", around))
            peers = knock(second, "127.0.0.2", 2 * FEW)
            acceptor.look()
            await eventually(lambda: len(came) == 2 * FEW)
            for peer in peers:
                peer.close()
