"""One thread in this process: its readers, its position, and every rule about them.

A room asks for what it missed, and lets nobody in who would stand behind it. Knows no other room.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import msgspec

from channels.brokers.broker import Broker
from channels.cache import Shared, bytes_of
from channels.changes_source import Question, SourceUnavailable
from channels.messages import Answer, Change, Joined, Readers, Reset, Typing, text_of
from channels.metrics import Tally
from channels.presence import Presence
from channels.rooms.changes_requests import ROOMS, Questions
from channels.rooms.fan_out import FanOut
from channels.rooms.held_changes import HeldChanges
from channels.rooms.typists import TOLD_EVERY_SECONDS, Typists
from channels.sockets.reader import Reader, Wanted
from channels.tasks import CALLBACK_ERRORS, Tasks

RESET_SPREAD_MS = 5_000
ASKS_FOR_AN_ANNOUNCED_HEAD = 6


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all rooms of a process have in common. `left` is told of a room that may be empty now."""

    questions: Questions
    shared: Shared
    presence: Presence
    tally: Tally
    tasks: Tasks
    broker: Callable[[], Broker]
    left: Callable[[Room], None]


class Room:
    """All its readers stand at `version` or later; None: nobody was let in yet, or all were sent away.

    Those who read too slowly stand aside, `behind`, each with the version from which it must be caught up.
    """

    __slots__ = (
        "_announced", "_around", "_asking", "_fan_out", "_held", "_is_subscribed", "_typing_at",
        "_typists", "_wanted", "behind", "epoch", "readers", "thread", "version",
    )  # fmt: skip

    def __init__(self, thread: str, around: Surroundings) -> None:
        self.thread = thread
        self.epoch = ""
        self.version: int | None = None
        # In the order in which they came, as their sockets lie in memory: a sweep in another order costs 15 % more.
        self.readers: dict[Reader, None] = {}
        self.behind: dict[Reader, int] = {}
        self._around = around
        self._fan_out = FanOut(self.readers, self._stand_aside, self.give_up, around.tally, around.tasks)
        self._is_subscribed = False
        self._held = HeldChanges()
        self._asking: asyncio.Task[None] | None = None
        # The newest head that somebody told of.
        self._wanted = 0
        self._announced = -1
        self._typists: Typists | None = None
        self._typing_at: asyncio.TimerHandle | None = None

    @property
    def following(self) -> int:
        return len(self.readers) + len(self.behind)

    @property
    def is_unused(self) -> bool:
        """Nobody is here, comes, or is asked for."""
        return not (self.following or self._held.holders or self._asking)

    @property
    def _is_open(self) -> bool:
        return self.version is not None and bool(self.readers)

    def everybody(self) -> tuple[Reader, ...]:
        return (*self.readers, *self.behind)

    # Coming and going

    def enter_at_once(self, reader: Reader, epoch: str | None, after: int | None) -> bool:
        """Let `reader` in if nothing need be asked to catch it up; else False.

        So it is for all but the first of those who come back at the same version.
        """
        if self.version is None or not self.readers or epoch not in (None, self.epoch):
            return False
        if after is None or (after == self.version and epoch is not None):
            diff: Change | None = Change(thread=self.thread, epoch=self.epoch, after=self.version, version=self.version)
        else:
            kept = self._around.shared.peek(self.thread, Question(self.thread, after, epoch).diff)
            diff = kept if isinstance(kept, Change) and kept.epoch == self.epoch else None
        if diff is None or diff.version != self.version:
            return False
        self.enter(reader, diff, after)
        return True

    async def let_in(self, wanted: Wanted) -> Change | None:
        """Catch the reader up and let it in, or send it away; return the empty diff of a thread that nobody has used:
        then it is not in. Raises SourceUnavailable.
        """
        if self.enter_at_once(wanted.reader, wanted.epoch, wanted.after):
            # Somebody has asked the same while this one waited.
            wanted.reader.no_longer_joins(wanted)
            return None
        with self._holding():
            answer = await self._whole_diff(wanted.epoch, wanted.after, wanted.who)
            if not wanted.is_wanted:
                return None
            wanted.reader.no_longer_joins(wanted)
            if isinstance(answer, Reset):
                self._offer(wanted.reader, reset_frame(answer))
            elif not answer.version and not self.following:
                return answer
            else:
                self.enter(wanted.reader, answer, wanted.after)
        return None

    def enter(self, reader: Reader, answer: Change, after: int | None, *, is_new: bool = True) -> None:
        """Let `reader` in, who stands at `after` and whom `answer` catches up."""
        if self.version is not None and self.epoch != answer.epoch:
            self._reset(answer.epoch, answer.version)
        if self.version is None or not self.readers:
            self.epoch, self.version = answer.epoch, answer.version
        frames = b""
        if after is not None and answer.version > after:
            frames = answer.text.frame(deflated=reader.wire.deflates)
        if is_new:
            readers = self._around.presence.count(self.thread) + (reader not in self.readers)
            frames += text_of(Joined(self.thread, answer.epoch, answer.version, readers)).plain
            if self.thread not in reader.threads:
                # One string for all who follow the thread.
                reader.threads += (self.thread,)
        self.readers[reader] = None
        self._offer(reader, frames)
        if (newest := max(answer.version, self._wanted)) > self.version:
            self._ask(newest)

    def adopt(self, readers: tuple[Reader, ...], epoch: str) -> None:
        """Let in readers who waited for the first comment: their position is 0."""
        if self.version is None:
            self.epoch, self.version = epoch, 0
        for reader in readers:
            reader.threads += (self.thread,)
            if not self.version:
                self.readers[reader] = None
                continue
            self.behind[reader] = 0
            if reader.behind_since is None:
                self.catch_up(reader)

    def leave(self, reader: Reader) -> None:
        reader.forget(self.thread)
        self.readers.pop(reader, None)
        self.behind.pop(reader, None)
        self._around.left(self)

    def _stand_aside(self, reader: Reader, after: int) -> None:
        del self.readers[reader]
        self.behind[reader] = after

    def catch_up(self, reader: Reader) -> None:
        """Bring a reader back that stood aside; who cannot be brought back comes back by itself."""

        def failed(_: BaseException | None) -> None:
            self._around.tally.slow_readers += 1
            reader.cut()

        self._around.tasks.start("catching up", self._bring_back(reader), expects=(SourceUnavailable,), failed=failed)

    async def _bring_back(self, reader: Reader) -> None:
        try:
            with self._holding():
                after = self.behind.get(reader)
                if after is None:
                    return
                answer = await self._whole_diff(self.epoch, after, ROOMS)
                # It may have left, or fallen behind once more, in between.
                if reader not in self.behind or reader.behind_since is not None:
                    return
                if isinstance(answer, Reset):
                    self.leave(reader)
                    self._offer(reader, reset_frame(answer))
                    return
                del self.behind[reader]
                self.enter(reader, answer, after, is_new=False)
        finally:
            self._around.left(self)

    # What is new

    def deliver(self, change: Change) -> None:
        """Take one change: drop what is old, ask for what is missing, send the rest."""
        try:
            self._held.hear(change)
            if self.version is None or (change.epoch == self.epoch and change.version <= self.version):
                return
            if change.epoch != self.epoch or change.after > self.version or change.is_too_large:
                self._ask(change.version if change.epoch == self.epoch else 0)
                return
            self._move(change)
        except CALLBACK_ERRORS as error:
            # A failure in one room must not stop the writer or the broker.
            self.give_up(error)

    def ring(self, version: int = 0) -> None:
        """Somebody said that the thread has moved to `version` (0: perhaps): ask for it if we have not heard it."""
        if self._held.holders:
            self._wanted = max(self._wanted, version)
        if self.version is not None and (not version or version > self.version):
            self._ask(version)

    def announce(self) -> None:
        """Tell how many read the thread, where that has changed."""
        count = self._around.presence.count(self.thread)
        if count != self._announced:
            self._announced = count
            self._fan_out.send(text_of(Readers(self.thread, count)))

    def hear_typing(self, typing: Typing) -> None:
        self._typists = self._typists or Typists()
        self._typists.hear(typing)
        if self._typing_at is None:
            self._tell_typing()

    def _tell_typing(self) -> None:
        typing = self._typists.next(self.thread) if self._typists else None
        if typing is None:
            self._typists = self._typing_at = None
        else:
            self._fan_out.send(text_of(typing))
            self._typing_at = self._around.tasks.later(
                "typing", TOLD_EVERY_SECONDS, self._tell_typing, failed=self._forget_typing
            )

    def _forget_typing(self, _: BaseException) -> None:
        self._typists = self._typing_at = None

    # Where it may end

    def stop(self) -> None:
        self._fan_out.stop()
        if self._typing_at:
            self._typing_at.cancel()

    def give_up(self, error: BaseException | None) -> None:
        """The room failed unexpectedly: disconnect its readers. They reconnect and catch up."""
        self._around.tasks.health.died("room", error)
        if self._asking is not None and self._asking.done():
            # It may have ended before it began.
            self._asking, self._wanted = None, 0
        self.stop()
        readers = self.everybody()
        self._empty()
        for reader in readers:
            reader.cut()
        self._around.left(self)

    def _reset(self, epoch: str, version: int) -> None:
        """Send everybody away to fetch the thread again, spread over some seconds."""
        self._fan_out.flush()
        self._around.tally.resets += self.following
        readers = self.everybody()
        self._empty()
        for reader in readers:
            reader.forget(self.thread)
            self._offer(reader, reset_frame(Reset(thread=self.thread, epoch=epoch, version=version)))

    def _empty(self) -> None:
        self.version = None
        self.readers.clear()
        self.behind.clear()

    # What is missing

    def _ask(self, wanted: int) -> None:
        self._wanted = max(self._wanted, wanted)
        if self._asking is None:
            self._around.tally.gaps += 1
            self._asking = self._around.tasks.start("repairing a room", self._ask_until_whole(), failed=self.give_up)

    async def _ask_until_whole(self) -> None:
        """One diff in flight per room; an answer older than an announced head is asked for again."""
        try:
            asks = 0
            while self._is_open and asks < ASKS_FOR_AN_ANNOUNCED_HEAD:
                try:
                    # Only while a diff is read: a source may be away for long.
                    with self._holding():
                        has_moved = await self._take_diff()
                except SourceUnavailable:
                    await asyncio.sleep(random.uniform(0.2, 1.0))
                    continue
                asks += 1
                if self.version is None or self.version >= self._wanted:
                    return
                if has_moved:
                    # While it gets anywhere it goes on: meanwhile newer heads may have been announced.
                    asks = 0
                await asyncio.sleep(0.02 * 2**asks * random.random())
        finally:
            self._asking = None
            if not self._held.holders:
                self._wanted = 0
            self._around.left(self)

    async def _take_diff(self) -> bool:
        """Move on by a diff, and by what was heard while it was read; say whether the room has moved.

        Raises SourceUnavailable.
        """
        await self._subscribe()
        answer = await self._around.questions.ask(Question(self.thread, self.version, self.epoch))
        before = self.version
        if isinstance(answer, Reset) or answer.epoch != self.epoch:
            self._reset(answer.epoch, answer.version)
        elif self.version is not None and answer.version > self.version >= answer.after:
            self._move(answer)
            for change in self._held.following(self.epoch, self.version):
                self._move(change)
        return self.version != before

    def _move(self, change: Change) -> None:
        self.version = change.version
        self._around.shared.forget(self.thread)
        self._fan_out.queue(change)

    async def _whole_diff(self, epoch: str | None, after: int | None, who: str) -> Answer:
        """Return the diff after `after` up to what this process knows of. Raises SourceUnavailable.

        Call it while the room holds: live changes are kept meanwhile, and readers let into the room stand at
        the room's version or later.
        """
        question = Question(self.thread, after, epoch)
        answer = await self._around.questions.ask(question, who)
        if isinstance(answer, Change) and not answer.version and not self._present(answer.epoch):
            # Nobody has used the thread: there is nothing to subscribe to before somebody rings.
            return answer
        if not self._is_subscribed:
            # Subscribe before reading the diff, so that commits in between are heard, not lost.
            await self._subscribe()
            answer = await self._around.questions.ask(question, who)
        for _ in range(ASKS_FOR_AN_ANNOUNCED_HEAD):
            if isinstance(answer, Change):
                answer = self._held.bridged(answer)
            if isinstance(answer, Reset) or answer.version >= self._present(answer.epoch):
                break
            answer = await self._around.questions.ask(question, who)
        if isinstance(answer, Change) and after is not None:
            self._around.shared.keep(self.thread, question.diff, answer, bytes_of(answer))
        return answer

    async def _subscribe(self) -> None:
        if not self._is_subscribed:
            await self._around.broker().subscribe(self.thread)
            self._is_subscribed = True

    @contextmanager
    def _holding(self) -> Iterator[None]:
        self._held.hold()
        try:
            yield
        finally:
            self._held.release()
            if not self._held.holders and self._asking is None:
                self._wanted = 0

    def _present(self, epoch: str) -> int:
        """Return the newest version of `epoch` that this process knows of."""
        known = max(self._wanted, self._held.newest(epoch))
        return max(known, self.version) if self.version is not None and self.epoch == epoch else known

    def _offer(self, reader: Reader, frame: bytes) -> None:
        if not reader.offer(frame):
            self._around.tally.slow_readers += 1


def reset_frame(reset: Reset) -> bytes:
    return text_of(msgspec.structs.replace(reset, after_ms=random.randrange(RESET_SPREAD_MS))).plain
