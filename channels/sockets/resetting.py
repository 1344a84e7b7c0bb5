"""How a connection is cut: with all that its peer has not read."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import socket
import struct
import termios

_AT_ONCE = struct.pack("ii", 1, 0)


def reset(transport: asyncio.Transport) -> None:
    """Close the connection now, and drop what was written and not read.

    Where the peer does not read, an ordinary close leaves that to the kernel, which holds it for minutes.
    """
    wire = transport.get_extra_info("socket")
    if wire is not None and not is_read(transport):
        with contextlib.suppress(OSError):
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    transport.abort()


def is_read(transport: asyncio.Transport) -> bool:
    """Say whether the peer's kernel has taken all that was written."""
    if transport.get_write_buffer_size():
        return False
    wire = transport.get_extra_info("socket")
    if wire is None or wire.fileno() < 0:
        return True
    return not struct.unpack("i", fcntl.ioctl(wire.fileno(), termios.TIOCOUTQ, bytes(4)))[0]
