"""From a change to the transports of a room's readers: merged if a thread is hot, built once, written in slices."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

from channels.messages import MAX_BYTES, MAX_ROWS, Change, fits, merge
from channels.metrics import Tally
from channels.sockets.frames import Text, Texts
from channels.sockets.reader import Reader
from channels.tasks import Tasks

TICK_SECONDS = 0.1
# Of a tick that is stretched a third is left to everything else.
TICKS_A_SWEEP = 1.5
SLICE = 200


class _Unsent:
    """Changes that follow each other and become one: together they are no larger than a change may be."""

    __slots__ = ("_bytes", "_rows", "changes")

    def __init__(self, first: Change) -> None:
        self.changes = [first]
        self._rows, self._bytes = len(first.comments), len(first.frame)

    def takes(self, change: Change) -> bool:
        """Add the change, if it belongs here."""
        rows, size = self._rows + len(change.comments), self._bytes + len(change.frame)
        if rows > MAX_ROWS or size > MAX_BYTES or not fits(self.changes[-1], change):
            return False
        self.changes.append(change)
        self._rows, self._bytes = rows, size
        return True


class _Sweep:
    """One message on its way to the readers who were in the room when it was built."""

    __slots__ = ("_done", "_readers", "began", "change", "text")

    def __init__(self, text: Text, change: Change | None, readers: list[Reader]) -> None:
        self.text = text
        # The first that is in it. None: what may be missed without a loss.
        self.change = change
        self.began = 0.0
        self._readers = readers
        self._done = 0

    @property
    def is_through(self) -> bool:
        return self._done >= len(self._readers)

    def next_readers(self) -> list[Reader]:
        start = self._done
        self._done += SLICE
        return self._readers[start : self._done]


class FanOut:
    """Delivery to `readers`, the members of one room, who may change while it runs.

    A reader that lags gets no change any more: `stand_aside` is told from which version it must be caught up.
    `give_up` is called with the error if a sweep fails unexpectedly.
    """

    __slots__ = (
        "_flush_at", "_give_up", "_last_flush", "_readers", "_stand_aside", "_sweep_seconds", "_sweeping_at",
        "_sweeps", "_tally", "_tasks", "_unsent",
    )  # fmt: skip

    def __init__(
        self,
        readers: dict[Reader, None],
        stand_aside: Callable[[Reader, int], None],
        give_up: Callable[[BaseException], None],
        tally: Tally,
        tasks: Tasks,
    ) -> None:
        self._readers = readers
        self._stand_aside = stand_aside
        self._give_up = give_up
        self._tally = tally
        self._tasks = tasks
        self._unsent: list[_Unsent] = []
        self._flush_at: asyncio.TimerHandle | None = None
        self._last_flush = float("-inf")
        # The first of them is under way.
        self._sweeps: deque[_Sweep] = deque()
        self._sweeping_at: asyncio.Handle | None = None
        self._sweep_seconds = 0.0

    def queue(self, change: Change) -> None:
        """The first change of a quiet thread goes out at once; those within a tick of it, or of a sweep, become one."""
        if not (self._unsent and self._unsent[-1].takes(change)):
            self._unsent.append(_Unsent(change))
        self._go_on()

    def _go_on(self) -> None:
        """Send what is unsent when its time has come: never while a sweep is under way, or frames would queue.

        A sweep that takes longer than a tick lets more changes become one.
        """
        if self._sweeps or not self._unsent:
            return
        wait = self._last_flush + max(TICK_SECONDS, TICKS_A_SWEEP * self._sweep_seconds) - time.monotonic()
        if wait <= 0:
            self.flush()
        elif self._flush_at is None:
            self._flush_at = self._tasks.later("fan-out", wait, self._in_time, failed=self._give_up)

    def _in_time(self) -> None:
        self._flush_at = None
        self._go_on()

    def flush(self) -> None:
        if self._flush_at is not None:
            self._flush_at.cancel()
            self._flush_at = None
        unsent, self._unsent = self._unsent, []
        if unsent:
            self._last_flush = time.monotonic()
            changes = [merge(*one.changes) for one in unsent]
            # One sweep, however many frames: else more comments would make longer sweeps, and those more frames.
            text = changes[0].text if len(changes) == 1 else Texts([change.text for change in changes])
            self.send(text, changes[0])

    def send(self, text: Text, change: Change | None = None) -> None:
        """Write the message to all current readers, after earlier messages, in slices so that other work can run."""
        self._sweeps.append(_Sweep(text, change, list(self._readers)))
        if len(self._sweeps) == 1:
            self._sweep()

    def stop(self) -> None:
        """Send nothing any more."""
        for timer in (self._flush_at, self._sweeping_at):
            if timer:
                timer.cancel()
        self._flush_at = self._sweeping_at = None
        self._unsent.clear()
        self._sweeps.clear()

    def _sweep(self) -> None:
        self._sweeping_at = None
        sweep = self._sweeps[0]
        # From the first slice to the last: written data leaves between them.
        sweep.began = sweep.began or time.perf_counter()
        delivered, readers = 0, self._readers
        plain, deflated = sweep.text.plain, None
        for reader in sweep.next_readers():
            # Readers who have left the room since then want no more of it, or are already set aside.
            if reader not in readers:
                continue
            if reader.behind_since is None:
                # Below the high-water mark there is room for any frame.
                wire = reader.wire
                if wire.deflates:
                    # Made for the first who takes it, and in a room if nobody does, not at all.
                    deflated = deflated or sweep.text.deflated
                try:
                    wire.write(deflated if wire.deflates and deflated else plain)
                    delivered += 1
                except Exception as error:  # noqa: BLE001 — one connection must not affect the others
                    self._tasks.health.died("writing to a reader", error)
                    reader.cut()
            elif sweep.change is not None:
                self._stand_aside(reader, sweep.change.after)
        self._tally.deliveries += delivered
        if not sweep.is_through:
            self._sweeping_at = self._tasks.soon("fan-out", self._sweep, failed=self._give_up)
            return
        self._sweeps.popleft()
        seconds = time.perf_counter() - sweep.began
        self._tally.frames += 1
        self._tally.fan_out.observe(seconds)
        if sweep.change is not None:
            self._sweep_seconds = time.monotonic() - self._last_flush
            self._tally.lag.observe(max(0.0, time.time() - sweep.change.committed))
        if self._sweeps:
            self._sweeping_at = self._tasks.soon("fan-out", self._sweep, failed=self._give_up)
        else:
            self._go_on()
