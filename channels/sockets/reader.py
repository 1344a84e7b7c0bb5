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


class Wanted:
    """A thread that a reader wants to join: `who` takes turns with others, an address."""

    __slots__ = ("after", "epoch", "reader", "thread", "who")

    def __init__(self, reader: Reader, thread: str, epoch: str | None, after: int | None, who: str) -> None:
        self.reader = reader
        self.thread = thread
        self.epoch = epoch
        self.after = after
        self.who = who

    @property
    def is_wanted(self) -> bool:
        """The reader is still there, has not left, and has not asked again."""
        return self.reader.joining.get(self.thread) is self


_NONE: dict[str, Wanted] = {}


class Reader:
    """Frames go out by `offer`, which never blocks.

    Who lets more than 1 MiB pile up is cut: it comes back and resumes by version.
    """

    __slots__ = ("account", "behind_since", "joining", "name", "threads", "typed_at", "waits_for", "wire")

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.threads: tuple[str, ...] = ()
        # Threads that nobody has used yet, by their places in the lobby.
        self.waits_for: tuple[int, ...] = ()
        self.joining = _NONE
        self.account: int | None = None
        self.name = ""
        self.typed_at = float("-inf")
        # Since when more is unwritten than the high-water mark, in monotonic seconds; None: it keeps up.
        self.behind_since: float | None = None

    @property
    def following(self) -> int:
        return len(self.threads) + len(self.waits_for) + len(self.joining)

    def forget(self, thread: str) -> None:
        self.threads = tuple(followed for followed in self.threads if followed != thread)

    def joins(self, wanted: Wanted) -> None:
        # As most readers join nothing most of the time, they share one empty dict.
        self.joining = {**self.joining, wanted.thread: wanted}

    def no_longer_joins(self, wanted: Wanted) -> None:
        """It is in, or has left, or has asked again."""
        if wanted.is_wanted:
            self.joining = {thread: other for thread, other in self.joining.items() if other is not wanted} or _NONE

    def could_not_join(self, thread: str) -> None:
        """The thread cannot be read right now: the reader may try again in a moment."""

    def offer(self, frame: bytes) -> bool:
        """Write one or more whole frames; False if too much is unwritten: then it is cut.

        It is also cut if the wire fails; the error is passed on.
        """
        if self.wire.unwritten_bytes + len(frame) > MAX_UNWRITTEN_BYTES:
            self.cut()
            return False
        try:
            self.wire.write(frame)
        except BaseException:
            # What follows would come after a gap.
            self.cut()
            raise
        return True

    def end(self, close_code: int) -> None:
        self.wire.close(close_code)

    def cut(self) -> None:
        """Let go of a reader that does not read: a close frame would wait behind all the rest."""
        self.wire.abort()
