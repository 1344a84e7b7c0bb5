"""One connection: the threads it follows, whether it lags, and the wire to it. Never makes anybody wait."""

from __future__ import annotations

from typing import Protocol

MAX_UNWRITTEN_BYTES = 1024 * 1024
MAX_THREADS = 20
TOO_SLOW = 4008
SIGNED_OUT = 4001


class Wire(Protocol):
    """Takes frames as they go over the line."""

    @property
    def deflates(self) -> bool:
        """Whether compressed frames are taken, too."""

    @property
    def unwritten_bytes(self) -> int: ...

    def write(self, frame: bytes) -> None: ...

    def close(self, code: int) -> None: ...

    def abort(self) -> None: ...


class Reader:
    """Frames go out by `offer`, which never blocks.

    Who lets more than 1 MiB pile up is cut: it comes back and resumes by version.
    """

    __slots__ = ("account", "behind_since", "name", "threads", "typed_at", "wire")

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.threads: tuple[str, ...] = ()
        self.account: int | None = None
        self.name = ""
        self.typed_at = float("-inf")
        # Since when more is unwritten than the high-water mark, in monotonic seconds; None: it keeps up.
        self.behind_since: float | None = None

    def forget(self, thread: str) -> None:
        self.threads = tuple(followed for followed in self.threads if followed != thread)

    def offer(self, frame: bytes) -> bool:
        """Write one or more whole frames; False where too much is unwritten: then it is cut."""
        if self.wire.unwritten_bytes + len(frame) > MAX_UNWRITTEN_BYTES:
            self.cut()
            return False
        self.wire.write(frame)
        return True

    def end(self, close_code: int) -> None:
        self.wire.close(close_code)

    def cut(self) -> None:
        """Let go of a reader that does not read: a close frame would wait behind all the rest."""
        self.wire.abort()
