"""The rooms of this process: who follows which thread, in what order changes reach them, and what to do about gaps.

It knows no socket beyond `Reader`, and asks a Source for whatever it did not hear.
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
from channels.change import Answer, Change, Joined, Message, Readers, Reset, Retry, Typing, merge
from channels.diffs import Diffs, Question
from channels.fan_out import FanOut
from channels.frames import Text
from channels.presence import Presence
from channels.reader import Reader
from channels.room import Room
from channels.sign_ins import SignIns
from channels.source import Source, SourceUnavailable
from channels.tally import Tally

log = logging.getLogger("livethread.hub")

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
MAX_BEHIND_SECONDS = 20.0
MAX_UNWRITTEN_BYTES = 256 * 1024 * 1024


class Hub:
    """Deliver changes to the readers of this process, each thread in order and without a gap."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._rooms: dict[str, Room] = {}
        self._behind: set[Reader] = set()
        self._tasks: asyncio.TaskGroup
        self.is_draining = False
        self.tally = Tally()
        self._diffs = Diffs()
        self._fan_out = FanOut(self.tally, self._diffs)
        self.broker: Broker
        self.presence = Presence(self.readers_here)
        self.sign_ins = SignIns()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Hold the hub's tasks; `broker` must have been set."""
        async with asyncio.TaskGroup() as self._tasks:
            watching = [
                self._tasks.create_task(self._announce_readers()),
                self._tasks.create_task(self._cut_the_slow()),
            ]
            try:
                yield
            finally:
                for task in watching:
                    task.cancel()
                for room in self._rooms.values():
                    room.stop_timers()
                    for pending in (room.subscribed, room.asking, *room.questions.values()):
                        if pending:
                            pending.cancel()

    def readers_here(self, thread: str) -> int:
        room = self._rooms.get(thread)
        return room.following if room else 0

    @property
    def behind(self) -> int:
        """How many readers have not read what was written to them."""
        return len(self._behind)

    def heads(self) -> dict[str, tuple[int, int]]:
        """Return (readers, version) of every room, by thread."""
        return {thread: (room.following, room.version or 0) for thread, room in self._rooms.items()}

    def enter(self, reader: Reader, thread: str, epoch: str | None, after: int | None) -> bool:
        """Let `reader` into a room at once, where nothing need be asked to catch it up; else False: `join`.

        So it is for all but the first of those who come back at the same version.
        """
        room = self._rooms.get(thread)
        if room is None or room.version is None or not room.readers or epoch not in (None, room.epoch):
            return False
        if after is None or (after == room.version and epoch is not None):
            diff: Change | None = Change(thread=thread, epoch=room.epoch, after=room.version, version=room.version)
        else:
            diff = self._diffs.get(thread, (epoch, after))
        if diff is None or diff.version != room.version:
            return False
        self._enter(room, reader, diff, after)
        return True

    async def join(self, reader: Reader, thread: str, epoch: str | None, after: int | None) -> None:
        """Catch `reader` up from `after` and let it into the room. Raises SourceUnavailable."""
        room = self._rooms.get(thread)
        if room is None:
            room = self._rooms[thread] = Room(thread)
        try:
            with room.holding():
                answer = await self._whole_diff(room, epoch, after)
                if isinstance(answer, Reset):
                    self._offer(reader, _reset_frame(answer))
                    return
                self._enter(room, reader, answer, after)
        finally:
            self._forget_if_empty(room)

    def leave(self, reader: Reader, thread: str) -> None:
        reader.forget(thread)
        room = self._rooms.get(thread)
        if room is not None:
            room.readers.pop(reader, None)
            room.behind.pop(reader, None)
            self._forget_if_empty(room)

    def fell_behind(self, reader: Reader) -> None:
        """More is unwritten to `reader` than should be: it leaves the fast path until it has drained."""
        if reader.behind_since is None:
            reader.behind_since = time.monotonic()
            self._behind.add(reader)

    def drained(self, reader: Reader) -> None:
        """`reader` has read what was written: catch it up with what it missed meanwhile."""
        reader.behind_since = None
        self._behind.discard(reader)
        for thread in reader.threads:
            room = self._rooms.get(thread)
            if room is not None and reader in room.behind:
                self._tasks.create_task(self._catch_up(room, reader))

    def part(self, reader: Reader) -> None:
        self.sign_ins.part(reader)
        self._behind.discard(reader)
        for thread in reader.threads:
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
            self._fan_out.send(room, _text(Typing(thread=room.thread, parent=parent, names=names)))
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
        self._fan_out.queue(room, change)

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
        readers = list({reader for room in self._rooms.values() for reader in (*room.readers, *room.behind)})
        spread = min(MAX_RETRY_SPREAD_MS, MIN_RETRY_MS + RETRY_SPREAD_MS_PER_READER * len(readers))
        for start in range(0, len(readers), DRAIN_SLICE):
            for reader in readers[start : start + DRAIN_SLICE]:
                self._offer(reader, _frame(Retry(random.randint(MIN_RETRY_MS, spread))))
            # Not all at once: the loop has others to serve.
            await asyncio.sleep(DRAIN_PAUSE_SECONDS)

    async def _subscribe(self, room: Room) -> None:
        if room.subscribed is None:
            room.subscribed = self._tasks.create_task(self.broker.subscribe(room.thread))
        await asyncio.shield(room.subscribed)

    async def _whole_diff(self, room: Room, epoch: str | None, after: int | None) -> Answer:
        """Return the diff after `after` up to what this process knows of. Raises SourceUnavailable.

        To be called while the room holds: live changes are kept meanwhile, and whoever is let into the room stands at
        the room's version or later.
        """
        # Subscribed before the diff is read: what is committed in between is heard, not lost.
        await self._subscribe(room)
        answer = await self._ask_together(room, (epoch, after))
        while isinstance(answer, Change):
            answer = room.bridge(answer)
            if answer.version >= room.present(answer.epoch):
                break
            answer = await self._ask_on(answer)
        if isinstance(answer, Change):
            self._diffs.keep(room.thread, (epoch, after), answer)
        return answer

    async def _ask_together(self, room: Room, question: Question) -> Answer:
        """Ask the source; those who ask the same meanwhile share the answer."""
        asking = room.questions.get(question)
        if asking is None:
            self.tally.diffs += 1
            epoch, after = question
            asking = asyncio.ensure_future(self._source.changes(room.thread, after, epoch))
            room.questions[question] = asking

            def answered(task: asyncio.Task[Answer]) -> None:
                del room.questions[question]
                # Looked at: all who asked may be gone.
                _ = task.cancelled() or task.exception()

            asking.add_done_callback(answered)
        return await asyncio.shield(asking)

    async def _ask_on(self, answer: Change) -> Answer:
        more = await self._source.changes(answer.thread, answer.version, answer.epoch)
        return merge(answer, more) if isinstance(more, Change) and more.version > answer.version else more

    async def _catch_up(self, room: Room, reader: Reader) -> None:
        """Bring a reader back that stood aside; who cannot be brought back comes back by itself."""
        try:
            with room.holding():
                after = room.behind.get(reader)
                if after is None:
                    return
                answer = await self._whole_diff(room, room.epoch, after)
                # It may have left, or fallen behind once more, in between.
                if reader not in room.behind or reader.behind_since is not None:
                    return
                if isinstance(answer, Reset):
                    self.leave(reader, room.thread)
                    self._offer(reader, _reset_frame(answer))
                    return
                del room.behind[reader]
                self._enter(room, reader, answer, after, is_new=False)
        except SourceUnavailable:
            self._cut(reader)
        finally:
            self._forget_if_empty(room)

    def _enter(self, room: Room, reader: Reader, answer: Change, after: int | None, *, is_new: bool = True) -> None:
        if room.version is not None and room.epoch != answer.epoch:
            self._reset(room, answer.epoch, answer.version)
        if room.version is None or not room.readers:
            room.epoch, room.version = answer.epoch, answer.version
        frames = b""
        if after is not None and answer.version > after:
            frames = answer.text.frame(deflated=reader.wire.deflates)
        if is_new:
            readers = self.presence.count(room.thread) + (reader not in room.readers)
            frames += _frame(Joined(room.thread, answer.epoch, answer.version, readers))
            if room.thread not in reader.threads:
                # One string for all who follow the thread.
                reader.threads += (room.thread,)
        room.readers[reader] = None
        self._offer(reader, frames)
        if answer.version > room.version:
            self._ask(room, answer.version)

    async def _cut_the_slow(self) -> None:
        """Every second: who has been behind for too long goes, and where all together leave too much, the slowest."""
        while True:
            await asyncio.sleep(1)
            unwritten = 0
            for reader in sorted(self._behind, key=lambda one: one.wire.unwritten_bytes):
                unwritten += reader.wire.unwritten_bytes
                is_late = time.monotonic() - (reader.behind_since or 0.0) > MAX_BEHIND_SECONDS
                if is_late or unwritten > MAX_UNWRITTEN_BYTES:
                    self._cut(reader)

    def _offer(self, reader: Reader, frame: bytes) -> None:
        if not reader.offer(frame):
            self.tally.slow_readers += 1

    def _cut(self, reader: Reader) -> None:
        self.tally.slow_readers += 1
        reader.cut()

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
                    self._fan_out.queue(room, answer)
                if room.version is None or room.version >= room.wanted:
                    return
                await asyncio.sleep(0.02 * 2**asks * random.random())
        finally:
            room.asking = None
            room.wanted = 0
            self._forget_if_empty(room)

    def _reset(self, room: Room, epoch: str, version: int) -> None:
        """Send everybody away to fetch the thread anew, spread over some seconds."""
        self._fan_out.flush(room)
        self.tally.resets += room.following
        for reader in (*room.readers, *room.behind):
            reader.forget(room.thread)
            self._offer(reader, _reset_frame(Reset(thread=room.thread, epoch=epoch, version=version)))
        room.readers.clear()
        room.behind.clear()
        self._diffs.forget(room.thread)
        room.version = None

    def _forget_if_empty(self, room: Room) -> None:
        if room.following or room.joining or room.asking or self._rooms.get(room.thread) is not room:
            return
        room.stop_timers()
        del self._rooms[room.thread]
        self._diffs.forget(room.thread)
        self.broker.unsubscribe(room.thread)

    async def _announce_readers(self) -> None:
        while True:
            await asyncio.sleep(ANNOUNCE_SECONDS)
            for room in tuple(self._rooms.values()):
                count = self.presence.count(room.thread)
                if count != room.announced:
                    room.announced = count
                    self._fan_out.send(room, _text(Readers(room.thread, count)))


def _text(message: msgspec.Struct) -> Text:
    return Text(msgspec.json.encode(message))


def _frame(message: msgspec.Struct) -> bytes:
    return _text(message).plain


def _reset_frame(reset: Reset) -> bytes:
    return _frame(msgspec.structs.replace(reset, after_ms=random.randrange(RESET_SPREAD_MS)))
