"""The rooms of this process: who follows which thread, in what order changes reach them, and what to do about gaps.

It knows no socket beyond `Reader.offer`, and asks a Source for whatever it did not hear.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from channels.broker import Broker
from channels.change import Answer, Change, Message, Reset, Typing, fits, merge
from channels.presence import Presence
from channels.reader import Reader, text_frame
from channels.room import Room, Sweep
from channels.sign_ins import SignIns
from channels.source import Source, SourceUnavailable
from channels.tally import Tally

log = logging.getLogger("livethread.hub")

TICK_SECONDS = 0.1
ANNOUNCE_SECONDS = 10.0
RESET_SPREAD_MS = 5_000
DRAIN_SLICE = 200
DRAIN_PAUSE_SECONDS = 0.05
MIN_RETRY_MS = 500
RETRY_SPREAD_MS_PER_READER = 5
MAX_RETRY_SPREAD_MS = 30_000
ASKS_FOR_AN_ANNOUNCED_HEAD = 6
TYPING_SECONDS = 2.0
TYPING_READERS = 200
TYPING_NAMES = 5
MAX_SWEEP_SECONDS = 0.125


class Joined(msgspec.Struct, frozen=True, tag="joined", tag_field="type"):
    thread: str
    epoch: str
    version: int
    readers: int


class Readers(msgspec.Struct, frozen=True, tag="readers", tag_field="type"):
    thread: str
    count: int


class Retry(msgspec.Struct, frozen=True, tag="retry", tag_field="type"):
    after_ms: int


class Hub:
    """Deliver changes to the readers of this process, each thread in order and without a gap."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._rooms: dict[str, Room] = {}
        self._tasks: asyncio.TaskGroup
        self.is_draining = False
        self.tally = Tally()
        self.broker: Broker
        self.presence = Presence(self.readers_here)
        self.sign_ins = SignIns()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Hold the hub's tasks; `broker` must have been set."""
        async with asyncio.TaskGroup() as self._tasks:
            announcing = self._tasks.create_task(self._announce_readers())
            try:
                yield
            finally:
                announcing.cancel()
                for room in self._rooms.values():
                    room.stop_timers()
                    for task in (room.subscribed, room.asking):
                        if task:
                            task.cancel()

    def readers_here(self, thread: str) -> int:
        room = self._rooms.get(thread)
        return len(room.readers) if room else 0

    def heads(self) -> dict[str, tuple[int, int]]:
        """Return (readers, version) of every room, by thread."""
        return {thread: (len(room.readers), room.version or 0) for thread, room in self._rooms.items()}

    async def join(self, reader: Reader, thread: str, epoch: str | None, after: int | None) -> None:
        """Catch `reader` up from `after` and let it into the room. Raises SourceUnavailable.

        Live changes are held meanwhile: whoever is in the room stands at the room's version or later.
        """
        room = self._rooms.get(thread)
        if room is None:
            room = self._rooms[thread] = Room(thread)
        try:
            with room.holding():
                # Subscribed before the diff is read: what is committed in between is heard, not lost.
                await self._subscribe(room)
                answer = await self._source.changes(thread, after, epoch)
                while isinstance(answer, Change):
                    answer = _bridge(room, answer)
                    if answer.version >= _present(room, answer.epoch):
                        break
                    answer = await self._ask_on(answer)
                if isinstance(answer, Reset):
                    reader.offer(_frame(msgspec.structs.replace(answer, after_ms=_spread())))
                    return
                self._enter(room, reader, answer, after)
        finally:
            self._forget_if_empty(room)

    def leave(self, reader: Reader, thread: str) -> None:
        reader.threads.discard(thread)
        room = self._rooms.get(thread)
        if room is not None:
            room.readers.discard(reader)
            self._forget_if_empty(room)

    def part(self, reader: Reader) -> None:
        self.sign_ins.part(reader)
        for thread in tuple(reader.threads):
            self.leave(reader, thread)

    def hear(self, message: Message) -> None:
        """Take whatever a broker brings."""
        if isinstance(message, Change):
            self.deliver(message)
        elif isinstance(message, Typing):
            self._hear_typing(message)

    def typing(self, reader: Reader, thread: str, parent: int | None) -> None:
        """Tell the thread's readers that this one writes: at most once in 2 s, and not in a crowd."""
        now = time.monotonic()
        if thread not in reader.threads or not reader.name or now - reader.typed_at < TYPING_SECONDS:
            return
        reader.typed_at = now
        if self.presence.count(thread) <= TYPING_READERS:
            self.broker.publish(Typing(thread=thread, parent=parent, names=(reader.name,)))

    def _hear_typing(self, typing: Typing) -> None:
        room = self._rooms.get(typing.thread)
        if room is None or self.presence.count(typing.thread) > TYPING_READERS:
            return
        names = room.typing.setdefault(typing.parent, {})
        names.update(dict.fromkeys(typing.names))
        if room.typing_at is None:
            self._tell_typing(room)

    def _tell_typing(self, room: Room) -> None:
        """One frame in 2 s, whatever the number of writers; those who answer another comment wait their turn."""
        room.typing_at = None
        if room.typing:
            parent = next(iter(room.typing))
            names = tuple(room.typing.pop(parent))[:TYPING_NAMES]
            self._send(room, _frame(Typing(thread=room.thread, parent=parent, names=names)))
            room.typing_at = asyncio.get_running_loop().call_later(TYPING_SECONDS, self._tell_typing, room)

    def deliver(self, change: Change) -> None:
        """Take one change from the writer or the broker: drop what is old, ask for what is missing, send the rest."""
        room = self._rooms.get(change.thread)
        if room is None:
            return
        if room.joining:
            room.held.append(change)
        if room.version is None or (change.epoch == room.epoch and change.version <= room.version):
            return
        if change.epoch != room.epoch or change.after > room.version or change.is_too_large:
            self._ask(room, change.version if change.epoch == room.epoch else 0)
            return
        room.version = change.version
        self._queue(room, change)

    def ring(self, thread: str, version: int = 0) -> None:
        """Somebody said that `thread` has moved to `version` (0: perhaps): ask the source if we have not heard it."""
        room = self._rooms.get(thread)
        if room is not None and room.version is not None and (not version or version > room.version):
            self._ask(room, version)

    def ring_all(self) -> None:
        for thread in tuple(self._rooms):
            self.ring(thread)

    async def drain(self) -> None:
        """Ask every reader to come back a little later, each at a time of its own: the process is about to end."""
        self.is_draining = True
        readers = list({reader for room in self._rooms.values() for reader in room.readers})
        spread = min(MAX_RETRY_SPREAD_MS, MIN_RETRY_MS + RETRY_SPREAD_MS_PER_READER * len(readers))
        for start in range(0, len(readers), DRAIN_SLICE):
            for reader in readers[start : start + DRAIN_SLICE]:
                reader.offer(_frame(Retry(random.randint(MIN_RETRY_MS, spread))))
            # Not all at once: the loop has others to serve.
            await asyncio.sleep(DRAIN_PAUSE_SECONDS)

    async def _subscribe(self, room: Room) -> None:
        if room.subscribed is None:
            room.subscribed = self._tasks.create_task(self.broker.subscribe(room.thread))
        await asyncio.shield(room.subscribed)

    async def _ask_on(self, answer: Change) -> Answer:
        more = await self._source.changes(answer.thread, answer.version, answer.epoch)
        return merge(answer, more) if isinstance(more, Change) and more.version > answer.version else more

    def _enter(self, room: Room, reader: Reader, answer: Change, after: int | None) -> None:
        if room.version is not None and room.epoch != answer.epoch:
            self._reset(room, answer.epoch, answer.version)
        if room.version is None or not room.readers:
            room.epoch, room.version = answer.epoch, answer.version
        if after is not None and answer.version > after:
            reader.offer(text_frame(answer.frame))
        room.readers.add(reader)
        reader.threads.add(room.thread)
        readers = self.presence.count(room.thread)
        reader.offer(_frame(Joined(room.thread, answer.epoch, answer.version, readers)))
        if answer.version > room.version:
            self._ask(room, answer.version)

    def _queue(self, room: Room, change: Change) -> None:
        """The first change of a quiet thread goes out at once; those within a tick of it become one."""
        if room.unsent is not None:
            if fits(room.unsent, change):
                merged = merge(room.unsent, change)
                if not merged.is_too_large:
                    room.unsent = merged
                    return
            self._flush(room)
        room.unsent = change
        # A sweep that takes longer than a tick lets more changes become one.
        wait = room.last_flush + max(TICK_SECONDS, 2 * room.sweep_seconds) - time.monotonic()
        if wait <= 0:
            self._flush(room)
        elif room.flush_at is None:
            room.flush_at = asyncio.get_running_loop().call_later(wait, self._flush, room)

    def _flush(self, room: Room) -> None:
        if room.flush_at is not None:
            room.flush_at.cancel()
            room.flush_at = None
        change, room.unsent = room.unsent, None
        if change is not None:
            room.last_flush = time.monotonic()
            self._send(room, text_frame(change.frame), change.committed)

    def _send(self, room: Room, frame: bytes, committed: float | None = None) -> None:
        """Write the frame to all who are in the room now, after those before it, in slices: others must breathe."""
        room.sweeps.append(Sweep(frame, committed, list(room.readers)))
        if len(room.sweeps) == 1:
            self._sweep(room)

    def _sweep(self, room: Room) -> None:
        room.sweeping_at = None
        began = time.perf_counter()
        sweep = room.sweeps[0]
        for reader in sweep.next_readers():
            # Who has left the room since then wants no more of it.
            if room.thread in reader.threads:
                reader.offer(sweep.frame)
                self.tally.deliveries += 1
        sweep.seconds += time.perf_counter() - began
        room.sweep_seconds = min(MAX_SWEEP_SECONDS, sweep.seconds)
        if not sweep.is_through:
            room.sweeping_at = asyncio.get_running_loop().call_soon(self._sweep, room)
            return
        room.sweeps.popleft()
        self.tally.frames += 1
        self.tally.fan_out.observe(sweep.seconds)
        if sweep.committed is not None:
            self.tally.lag.observe(max(0.0, time.time() - sweep.committed))
        if room.sweeps:
            room.sweeping_at = asyncio.get_running_loop().call_soon(self._sweep, room)

    def _ask(self, room: Room, wanted: int) -> None:
        room.wanted = max(room.wanted, wanted)
        if room.asking is None:
            self.tally.gaps += 1
            room.asking = self._tasks.create_task(self._ask_until_whole(room))

    async def _ask_until_whole(self, room: Room) -> None:
        """One diff in flight per room; an answer older than an announced head is asked for again."""
        try:
            asks = 0
            while room.readers and asks < ASKS_FOR_AN_ANNOUNCED_HEAD:
                try:
                    answer = await self._source.changes(room.thread, room.version, room.epoch)
                except SourceUnavailable:
                    await asyncio.sleep(random.uniform(0.2, 1.0))
                    continue
                asks += 1
                if isinstance(answer, Reset) or answer.epoch != room.epoch:
                    self._reset(room, answer.epoch, answer.version)
                elif room.version is not None and answer.version > room.version >= answer.after:
                    room.version = answer.version
                    self._queue(room, answer)
                if room.version is None or room.version >= room.wanted:
                    return
                await asyncio.sleep(0.02 * 2**asks * random.random())
        finally:
            room.asking = None
            room.wanted = 0
            self._forget_if_empty(room)

    def _reset(self, room: Room, epoch: str, version: int) -> None:
        """Send everybody away to fetch the thread anew, spread over some seconds."""
        self._flush(room)
        self.tally.resets += len(room.readers)
        for reader in room.readers:
            reader.threads.discard(room.thread)
            reader.offer(_frame(Reset(thread=room.thread, epoch=epoch, version=version, after_ms=_spread())))
        room.readers.clear()
        room.version = None

    def _forget_if_empty(self, room: Room) -> None:
        if room.readers or room.joining or room.asking or self._rooms.get(room.thread) is not room:
            return
        room.stop_timers()
        del self._rooms[room.thread]
        self.broker.unsubscribe(room.thread)

    async def _announce_readers(self) -> None:
        while True:
            await asyncio.sleep(ANNOUNCE_SECONDS)
            for room in tuple(self._rooms.values()):
                count = self.presence.count(room.thread)
                if count != room.announced:
                    room.announced = count
                    self._send(room, _frame(Readers(room.thread, count)))


def _present(room: Room, epoch: str) -> int:
    """Return the newest version of `epoch` that this process knows of."""
    known = [change.version for change in room.held if change.epoch == epoch]
    if room.version is not None and room.epoch == epoch:
        known.append(room.version)
    return max(known, default=0)


def _bridge(room: Room, answer: Change) -> Change:
    """Continue a diff with the changes that were held while it was read, as far as they follow it."""
    for change in room.held:
        if fits(answer, change):
            answer = merge(answer, change)
    return answer


def _frame(message: msgspec.Struct) -> bytes:
    return text_frame(msgspec.json.encode(message))


def _spread() -> int:
    return random.randrange(RESET_SPREAD_MS)
