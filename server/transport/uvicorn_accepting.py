"""Empties the kernel's queue of new connections when it has grown: there all wait behind all others, here in turn.

The event loop takes one connection a turn, which is enough while turns are short.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from functools import partial

from server.web.requests.context import LiveContext

# So many may wait in the kernel before we look after them.
FEW = 16
AT_ONCE = 256
# Accepted and not begun: beyond it connections of an address that has others are closed, beyond twice as much all.
MAX_WAITING = 1024
# Of Linux: its place in `struct tcp_info`, which for a listener is the length of its queue.
_UNACKED = struct.Struct("24xI")


class Acceptor:
    """`begin` makes the protocol of a connection."""

    def __init__(
        self, listeners: list[socket.socket], begin: Callable[[], asyncio.Protocol], context: LiveContext
    ) -> None:
        self._listeners = listeners
        self._begin = begin
        self._context = context
        self._waiting = 0
        context.budget.rounds.on_turn = self.look

    def look(self) -> None:
        """Accept what waits, if it is more than a few; a descriptor is all that each of them costs at first."""
        for listener in self._listeners:
            if _queued(listener) > FEW:
                self._empty(listener)

    def _empty(self, listener: socket.socket) -> None:
        for _ in range(AT_ONCE):
            try:
                wire, peer = listener.accept()
            except OSError:
                # There is none, or none can be had: then the event loop says so, too.
                return
            self._take(wire, str(peer[0]))

    def _take(self, wire: socket.socket, peer: str) -> None:
        budget = self._context.budget
        address = self._context.clients.visitor(peer) if budget.asks_for_addresses else None
        is_heavy = address is not None and budget.load(address) > 0
        if self._waiting >= (MAX_WAITING if is_heavy else 2 * MAX_WAITING):
            budget.tally.refused += 1
            wire.close()
            return
        wire.setblocking(False)
        self._waiting += 1
        budget.rounds.later(address or f"connection {wire.fileno()}", partial(self._open, wire))

    def _open(self, wire: socket.socket) -> None:
        self._waiting -= 1
        opening = asyncio.get_running_loop().connect_accepted_socket(self._begin, wire)
        self._context.hub.tasks.start("accepting a connection", opening, expects=(OSError,))


def _queued(listener: socket.socket) -> int:
    try:
        told = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _UNACKED.size)
        return int(_UNACKED.unpack(told)[0])
    except (AttributeError, OSError, struct.error):
        # A Unix socket has no such queue; neither has another system.
        return 0
