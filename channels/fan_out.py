"""From a change to the transports of a room's readers: merged where a thread is hot, built once, written in slices."""

from __future__ import annotations

import asyncio
import time

from channels.change import Change, fits, merge
from channels.diffs import Diffs
from channels.frames import Text
from channels.room import Room, Sweep
from channels.tally import Tally

TICK_SECONDS = 0.1
# Of a tick that is stretched a third is left to everything else.
TICKS_A_SWEEP = 1.5
MAX_SWEEP_SECONDS = 0.125


class FanOut:
    def __init__(self, tally: Tally, diffs: Diffs) -> None:
        self._tally = tally
        self._diffs = diffs

    def queue(self, room: Room, change: Change) -> None:
        """The first change of a quiet thread goes out at once; those within a tick of it become one."""
        self._diffs.forget(room.thread)
        if room.unsent is not None:
            if fits(room.unsent, change):
                merged = merge(room.unsent, change)
                if not merged.is_too_large:
                    room.unsent = merged
                    return
            self.flush(room)
        room.unsent = change
        # A sweep that takes longer than a tick lets more changes become one.
        wait = room.last_flush + max(TICK_SECONDS, TICKS_A_SWEEP * room.sweep_seconds) - time.monotonic()
        if wait <= 0:
            self.flush(room)
        elif room.flush_at is None:
            room.flush_at = asyncio.get_running_loop().call_later(wait, self.flush, room)

    def flush(self, room: Room) -> None:
        if room.flush_at is not None:
            room.flush_at.cancel()
            room.flush_at = None
        change, room.unsent = room.unsent, None
        if change is not None:
            room.last_flush = time.monotonic()
            self.send(room, change.text, change)

    def send(self, room: Room, text: Text, change: Change | None = None) -> None:
        """Write the message to all who are in the room now, after those before it, in slices: others must breathe."""
        room.sweeps.append(Sweep(text, change, list(room.readers)))
        if len(room.sweeps) == 1:
            self._sweep(room)

    def _sweep(self, room: Room) -> None:
        room.sweeping_at = None
        sweep = room.sweeps[0]
        # From the first slice to the last: what is written leaves between them.
        sweep.began = sweep.began or time.perf_counter()
        delivered, readers = 0, room.readers
        plain, deflated = sweep.text.plain, None
        for reader in sweep.next_readers():
            # Who has left the room since then wants no more of it, or stands aside already.
            if reader not in readers:
                continue
            if reader.behind_since is None:
                # Below the high-water mark there is room for any frame.
                wire = reader.wire
                if wire.deflates:
                    # Made for the first who takes it, and in a room where nobody does, not at all.
                    deflated = deflated or sweep.text.deflated
                    wire.write(deflated)
                else:
                    wire.write(plain)
                delivered += 1
            elif sweep.change is not None:
                del readers[reader]
                room.behind[reader] = sweep.change.after
        self._tally.deliveries += delivered
        if not sweep.is_through:
            room.sweeping_at = asyncio.get_running_loop().call_soon(self._sweep, room)
            return
        room.sweeps.popleft()
        seconds = time.perf_counter() - sweep.began
        room.sweep_seconds = min(MAX_SWEEP_SECONDS, seconds)
        self._tally.frames += 1
        self._tally.fan_out.observe(seconds)
        if sweep.change is not None:
            self._tally.lag.observe(max(0.0, time.time() - sweep.change.committed))
        if room.sweeps:
            room.sweeping_at = asyncio.get_running_loop().call_soon(self._sweep, room)
