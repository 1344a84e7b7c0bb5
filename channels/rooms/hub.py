"""The rooms of this process: which reader follows or waits for which thread.

It knows no socket beyond `Reader`, and asks a Source for changes it missed.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from channels.brokers.broker import Broker
from channels.cache import Shared
from channels.changes_source import Source
from channels.messages import Change, Joined, Message, PollNow, Retry, Typing, text_of
from channels.metrics import Tally
from channels.presence import Presence
from channels.readers_by_account import SignIns
from channels.rooms.changes_requests import Questions
from channels.rooms.empty_threads import Lobby
from channels.rooms.joins import Joins
from channels.rooms.room import Room, Surroundings
from channels.sockets.reader import Reader, Wanted
from channels.tasks import Health, Tasks

ANNOUNCE_SECONDS = 10.0
DRAIN_SLICE = 200
DRAIN_PAUSE_SECONDS = 0.05
MIN_RETRY_MS = 500
RETRY_SPREAD_MS_PER_READER = 5
MAX_RETRY_SPREAD_MS = 30_000
TYPING_SECONDS = 2.0
TYPING_READERS = 200
MAX_BEHIND_SECONDS = 20.0
MAX_UNWRITTEN_BYTES = 256 * 1024 * 1024
# So many threads that nobody has used may have a room here, where readers see each other come and go.
MAX_UNUSED_ROOMS = 1_000
RESTART = 1012


class Hub:
    """Deliver changes to the readers of this process, each thread in order and without a gap."""

    def __init__(self, source: Source, health: Health | None = None, shared: Shared | None = None) -> None:
        self.tasks = Tasks(health or Health())
        self.tally = Tally()
        self.broker: Broker
        self.is_draining = False
        self.presence = Presence(self.readers_here)
        self.sign_ins = SignIns()
        self.lobby = Lobby()
        self._lobby_epoch = ""
        self.hears_of_all = True
        self._rooms: dict[str, Room] = {}
        self._unused_rooms: set[str] = set()
        self._behind: set[Reader] = set()
        self._joins = Joins(self.tasks, self._let_in)
        self._around = Surroundings(
            Questions(source, self.tasks, self.tally),
            shared or Shared(self.tasks),
            self.presence,
            self.tally,
            self.tasks,
            lambda: self.broker,
            self._left,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Hold the hub's tasks; `broker` must have been set."""
        async with self.tasks:
            self.broker.start(self.tasks)
            self.tasks.keep("announcing readers", self._announce_readers)
            self.tasks.keep("cutting slow readers", self._cut_the_slow)
            try:
                yield
            finally:
                for room in self._rooms.values():
                    room.stop()

    def readers_here(self, thread: str) -> int:
        room = self._rooms.get(thread)
        return (room.following if room else 0) + self.lobby.here(thread)

    @property
    def behind(self) -> int:
        """How many readers have unread data and are set aside."""
        return len(self._behind)

    def heads(self) -> dict[str, tuple[int, int]]:
        """Return (readers, version) of every room of a thread that somebody has used, by thread."""
        is_all = not self.hears_of_all
        return {
            thread: (room.following, room.version or 0)
            for thread, room in self._rooms.items()
            if room.version or is_all
        }

    @property
    def rooms(self) -> int:
        return len(self._rooms)

    @property
    def following(self) -> int:
        """How many readers all threads have here, used or not."""
        return sum(room.following for room in self._rooms.values()) + sum(1 for _ in self.lobby.readers())

    def everybody(self) -> set[Reader]:
        here = {reader for room in self._rooms.values() for reader in room.everybody()}
        return here.union(self.lobby.readers())

    # Readers

    def join(self, reader: Reader, thread: str, epoch: str | None, after: int | None, who: str = "") -> None:
        """Let `reader` into a room, at once or when it has been caught up from `after`; `who` takes turns, an address.

        If that cannot be done, it is told by `could_not_join`.
        """
        if self.follows(reader, thread):
            self.leave(reader, thread)
        room = self._rooms.get(thread)
        if room is not None and room.enter_at_once(reader, epoch, after):
            return
        if not self._joins.add(Wanted(reader, thread, epoch, after, who)):
            reader.could_not_join(thread)

    def follows(self, reader: Reader, thread: str) -> bool:
        return thread in reader.threads or thread in reader.joining or self.lobby.holds(reader, thread)

    def leave(self, reader: Reader, thread: str) -> None:
        if thread in reader.joining:
            reader.no_longer_joins(reader.joining[thread])
        if self.lobby.holds(reader, thread):
            self.lobby.leave(reader, hash(thread))
        reader.forget(thread)
        room = self._rooms.get(thread)
        if room is not None:
            room.leave(reader)

    def disconnect(self, reader: Reader) -> None:
        self.sign_ins.disconnect(reader)
        self._behind.discard(reader)
        reader.joining = {}
        for thread in reader.threads:
            self.leave(reader, thread)
        for place in reader.waits_for:
            self.lobby.leave(reader, place)

    def fell_behind(self, reader: Reader) -> None:
        """More is unwritten to `reader` than should be: it leaves the fast path until it has drained."""
        if reader.behind_since is None:
            reader.behind_since = time.monotonic()
            self._behind.add(reader)

    def drained(self, reader: Reader) -> None:
        """`reader` has drained: bring it up to date with one diff."""
        reader.behind_since = None
        self._behind.discard(reader)
        for thread in reader.threads:
            room = self._rooms.get(thread)
            if room is not None and reader in room.behind:
                room.catch_up(reader)

    def typing(self, reader: Reader, thread: str, parent: int | None) -> None:
        """Tell the thread's readers that this one writes: at most once in 2 s, and not in a crowd."""
        now = time.monotonic()
        if not reader.name or now - reader.typed_at < TYPING_SECONDS or not self.follows(reader, thread):
            return
        reader.typed_at = now
        if self.lobby.holds(reader, thread):
            self._open(thread)
        if self.presence.count(thread) <= TYPING_READERS:
            self.broker.want(thread)
            self.broker.publish(Typing(thread=thread, parent=parent, names=(reader.name,)))

    async def _let_in(self, wanted: Wanted) -> None:
        reader, thread = wanted.reader, wanted.thread
        room = self._room(thread)
        try:
            nothing = await room.let_in(wanted)
            if nothing is not None:
                self._wait(reader, thread, nothing)
            elif room.version and self.lobby.here(thread):
                # It turns out that somebody has used it.
                self._open(thread)
        finally:
            self._left(room)

    def _wait(self, reader: Reader, thread: str, answer: Change) -> None:
        """Nobody has used the thread: let the reader wait until somebody does."""
        if answer.epoch != self._lobby_epoch:
            self._send_away(tuple(self.lobby.readers()))
            self._lobby_epoch = answer.epoch
        self.lobby.enter(reader, thread)
        joined = Joined(thread, answer.epoch, answer.version, self.presence.count(thread))
        reader.offer(text_of(joined).plain)
        has_room = self.lobby.here(thread) > 1 and len(self._unused_rooms) < MAX_UNUSED_ROOMS
        if has_room or not self.hears_of_all:
            self._open(thread)

    def _open(self, thread: str) -> Room:
        """Return a room with the readers who waited for it."""
        room = self._room(thread)
        readers = self.lobby.take(thread)
        if readers:
            self._unused_rooms.add(thread)
            room.adopt(readers, self._lobby_epoch)
        return room

    def _send_away(self, readers: tuple[Reader, ...]) -> None:
        """Let go of readers who would wait in vain, as under an epoch that is over: they come back and join again."""
        for reader in readers:
            reader.end(RESTART)

    # What happens

    def hear(self, message: Message) -> None:
        """Handle a message from a broker."""
        if isinstance(message, Change):
            self.deliver(message)
        elif isinstance(message, Typing):
            room = self._rooms.get(message.thread)
            if room is not None and self.presence.count(message.thread) <= TYPING_READERS:
                room.hear_typing(message)

    def publish(self, change: Change) -> None:
        """Tell everybody, here and elsewhere, of a change that was written by this process."""
        if not change.after:
            self._begin(change.thread)
        self.broker.publish(change)
        self.ring(change.thread, change.version)
        if not change.after:
            # Elsewhere readers of a thread without comments do not subscribe to it.
            self.broker.publish(PollNow())

    def _begin(self, thread: str) -> None:
        """Let those who wait hear the first change itself: a diff may be far behind when it comes."""
        if self.lobby.here(thread):
            self._open(thread)
        if thread in self._rooms:
            self.broker.want(thread)

    def deliver(self, change: Change) -> None:
        """Take one change from the writer or the broker."""
        room = self._rooms.get(change.thread)
        if room is not None:
            room.deliver(change)

    def ring(self, thread: str, version: int = 0) -> None:
        """Somebody said that `thread` has moved to `version` (0: perhaps)."""
        room = self._rooms.get(thread)
        if version and self.lobby.here(thread):
            room = self._open(thread)
        if room is not None:
            self._unused_rooms.discard(thread)
            room.ring(version)

    def ring_all(self, epoch: str) -> None:
        """Anything may have happened, also that the database is another one: its epoch is now `epoch`."""
        if epoch != self._lobby_epoch:
            self._send_away(tuple(self.lobby.readers()))
        for thread in tuple(self._rooms):
            self.ring(thread)

    def hears_of(self, *, all_threads: bool) -> None:
        """Say whether somebody rings for every thread that moves; else only for those that `heads` names."""
        if not all_threads and self.hears_of_all:
            # Nobody would ring for the threads that they wait for.
            self._send_away(tuple(self.lobby.readers()))
        self.hears_of_all = all_threads

    async def drain(self) -> None:
        """Ask every reader to come back a little later, each at a time of its own: the process is about to end."""
        self.is_draining = True
        readers = list(self.everybody())
        spread = min(MAX_RETRY_SPREAD_MS, MIN_RETRY_MS + RETRY_SPREAD_MS_PER_READER * len(readers))
        for start in range(0, len(readers), DRAIN_SLICE):
            for reader in readers[start : start + DRAIN_SLICE]:
                reader.offer(text_of(Retry(random.randint(MIN_RETRY_MS, spread))).plain)
            # Not all at once: the loop has others to serve.
            await asyncio.sleep(DRAIN_PAUSE_SECONDS)

    def _room(self, thread: str) -> Room:
        room = self._rooms.get(thread)
        if room is None:
            room = self._rooms[thread] = Room(thread, self._around)
        return room

    def _left(self, room: Room) -> None:
        if room.is_unused and self._rooms.get(room.thread) is room:
            room.stop()
            del self._rooms[room.thread]
            self._unused_rooms.discard(room.thread)
            self.broker.unsubscribe(room.thread)

    async def _cut_the_slow(self) -> None:
        """Every second: cut readers that have been behind for too long, and the slowest ones if all hold too much."""
        while True:
            await asyncio.sleep(1)
            unwritten = 0
            for reader in sorted(self._behind, key=lambda one: one.wire.unwritten_bytes):
                unwritten += reader.wire.unwritten_bytes
                is_late = time.monotonic() - (reader.behind_since or 0.0) > MAX_BEHIND_SECONDS
                if is_late or unwritten > MAX_UNWRITTEN_BYTES:
                    self.tally.slow_readers += 1
                    reader.cut()

    async def _announce_readers(self) -> None:
        while True:
            await asyncio.sleep(ANNOUNCE_SECONDS)
            for room in tuple(self._rooms.values()):
                room.announce()
