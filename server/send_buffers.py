"""Larger send buffers for large answers, lent to a few connections at a time.

What our usual buffer does not hold goes out piece by piece, one in each turn of the event loop: a page of a megabyte
takes fifty turns, each as long as the others make it. What lies in these buffers is the kernel's memory.
"""

from __future__ import annotations

import asyncio
import socket

from channels.sockets.resetting import is_read

MOST_BYTES = 2 * 1024 * 1024
MOST_LENT = 32


class SendBuffers:
    def __init__(self) -> None:
        # With the size that each had before.
        self._lent: dict[asyncio.Transport, int] = {}

    def __len__(self) -> int:
        return len(self._lent)

    def lend(self, transport: asyncio.Transport) -> None:
        """Let the kernel take over what `transport` could not write yet, if a buffer can be had."""
        if transport in self._lent or (len(self._lent) >= MOST_LENT and not self.take_back()):
            return
        wire = transport.get_extra_info("socket")
        usual = wire.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
        wanted = min(usual + transport.get_write_buffer_size(), MOST_BYTES)
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, wanted)
        # Linux doubles what it is given, for its own needs.
        self._lent[transport] = usual // 2

    def take_back(self) -> int:
        """Take the buffers of those who have read everything, or are gone; return how many these are."""
        free = [one for one in self._lent if one.is_closing() or is_read(one)]
        for transport in free:
            usual = self._lent.pop(transport)
            if not transport.is_closing():
                transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, usual)
        return len(free)
