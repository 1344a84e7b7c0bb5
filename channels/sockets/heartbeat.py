"""One timer that pings every connection in turn, and drops those that have been silent for a minute."""

from __future__ import annotations

import asyncio

from channels.sockets.connection import PING_FRAME, Connection

BEAT_SECONDS = 20.0
SILENT_BEATS = 2
SLICES = 100


class Heartbeat:
    """Add a connection when it is accepted, drop it when it is lost."""

    def __init__(self, beat_seconds: float = BEAT_SECONDS) -> None:
        self._beat_seconds = beat_seconds
        self._connections: set[Connection] = set()

    def __len__(self) -> int:
        return len(self._connections)

    def add(self, connection: Connection) -> None:
        self._connections.add(connection)

    def drop(self, connection: Connection) -> None:
        self._connections.discard(connection)

    async def run(self) -> None:
        """Ping all within each beat, in slices, so that neither we nor the network notice."""
        while True:
            connections = list(self._connections)
            step = max(1, -(-len(connections) // SLICES))
            for start in range(0, step * SLICES, step):
                for connection in connections[start : start + step]:
                    self._ping(connection)
                await asyncio.sleep(self._beat_seconds / SLICES)

    @staticmethod
    def _ping(connection: Connection) -> None:
        if connection.silent_beats >= SILENT_BEATS:
            connection.abort()
        else:
            connection.silent_beats += 1
            connection.write(PING_FRAME)
