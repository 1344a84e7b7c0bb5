"""The rooms: whatever is lost, doubled or late on the way, every reader ends where the source stands."""

from __future__ import annotations

import asyncio
import json
import random
import zlib
from collections.abc import Sequence
from typing import Any

import pytest

from channels.brokers.in_process import MemoryBroker
from channels.changes_source import Question, SourceUnavailable
from channels.messages import Answer, Change, Comment, Info, Reset
from channels.rooms.hub import Hub
from channels.sockets.reader import Reader
from tests.processes import eventually


class Truth:
    """A source that holds one thread in memory: a comment's text is the version that last changed it."""

    def __init__(self) -> None:
        self.epoch = "first"
        # Somebody has used the thread already.
        self.version = 1
        self.comments: dict[int, int] = {1_000: 1}
        self.asked = self.asking = self.most_asking = 0
        self.is_away = False

    def write(self, *ids: int) -> Change:
        after, self.version = self.version, self.version + 1
        self.comments |= dict.fromkeys(ids, self.version)
        return self.diff(after)

    def diff(self, after: int) -> Change:
        changed = tuple(
            Comment(id=id_, version=version, parent=None, state="visible", html=str(version))
            for id_, version in self.comments.items()
            if version > after
        )
        info = Info(comments=len(self.comments))
        return Change(thread="t", epoch=self.epoch, after=after, version=self.version, comments=changed, info=info)

    async def changes(self, asked: Sequence[Question]) -> list[Answer | None]:
        self.asked += len(asked)
        self.asking += 1
        self.most_asking = max(self.most_asking, self.asking)
        # What is read now is answered a moment later.
        answers = [self.answer(question) for question in asked]
        is_away = self.is_away
        await asyncio.sleep(0.002)
        self.asking -= 1
        if is_away:
            raise SourceUnavailable("away")
        return answers

    def answer(self, question: Question) -> Answer | None:
        after, epoch = question.after, question.epoch
        if question.thread != "t":
            return Change(thread=question.thread, epoch=self.epoch, after=0, version=0)
        if (epoch is not None and epoch != self.epoch) or (after or 0) > self.version:
            return Reset(thread="t", epoch=self.epoch, version=self.version)
        return self.diff(self.version if after is None else after)


class Screen(Reader):
    """A reader that is its own wire, and applies what comes by the rules of docs/protocol.md."""

    def __init__(self, *, deflates: bool = False) -> None:
        super().__init__(self)
        self.deflates = deflates
        self.unwritten_bytes = 0
        self.got: list[bytes] = []
        self.is_cut = False
        self.refused: list[str] = []
        # What is on the page that the reader comes with.
        self.version = 1
        self.comments = {1_000: 1}
        self.frames: list[dict[str, Any]] = []

    def could_not_join(self, thread: str) -> None:
        self.refused.append(thread)

    def close(self, code: int) -> None:
        self.is_cut = True

    def abort(self) -> None:
        self.is_cut = True

    def write(self, frame: bytes) -> None:
        self.got.append(frame)
        # Several frames may come in one piece; in these tests they are short: the head has two or four bytes.
        while frame:
            start = 4 if frame[1] == 126 else 2
            end = start + (int.from_bytes(frame[2:4]) if start == 4 else frame[1])
            content = frame[start:end]
            if frame[0] & 0x40:
                assert self.deflates
                content = zlib.decompressobj(-15).decompress(content + b"\0\0\xff\xff")
            self.show(json.loads(content))
            frame = frame[end:]

    def show(self, message: dict[str, Any]) -> None:
        self.frames.append(message)
        if message["type"] == "changes":
            assert message["after"] <= self.version, "a gap was sent to a reader"
            for comment in message["comments"]:
                self.comments[comment["id"]] = max(comment["version"], self.comments.get(comment["id"], 0))
            self.version = max(self.version, message["version"])
        elif message["type"] == "joined":
            self.version = max(self.version, message["version"])

    def kinds(self) -> list[str]:
        return [frame["type"] for frame in self.frames]


async def join(hub: Hub, reader: Screen, thread: str, epoch: str | None, after: int | None) -> None:
    """Join, and return when the reader is in or was refused."""
    hub.join(reader, thread, epoch, after)
    await eventually(lambda: not reader.joining)


def hub_over(truth: Truth) -> Hub:
    hub = Hub(truth)
    hub.broker = MemoryBroker(hub.hear)
    return hub


@pytest.mark.parametrize("seed", range(30))
async def test_every_reader_ends_where_the_source_stands(seed: int) -> None:
    chance = random.Random(seed)
    truth = Truth()
    hub = hub_over(truth)
    readers: list[Screen] = []
    async with hub.running():
        late: list[Change] = []
        for _ in range(120):
            if chance.random() < 0.1:
                reader = Screen(deflates=chance.random() < 0.5)
                readers.append(reader)
                hub.join(reader, "t", truth.epoch, 1)
            if readers and chance.random() < 0.2:
                slow = chance.choice(readers)
                if slow.behind_since is None:
                    hub.fell_behind(slow)
                else:
                    hub.drained(slow)
            if readers and chance.random() < 0.05:
                gone = readers.pop(chance.randrange(len(readers)))
                hub.disconnect(gone)
                gone.end(0)
            change = truth.write(*(chance.randrange(1, 40) for _ in range(chance.randrange(1, 4))))
            fate = chance.random()
            if fate < 0.7:
                hub.deliver(change)
            elif fate < 0.85:
                late.append(change)
            if fate < 0.1:
                hub.deliver(change)
            if late and chance.random() < 0.3:
                hub.deliver(late.pop(chance.randrange(len(late))))
            if chance.random() < 0.3:
                await asyncio.sleep(chance.random() * 0.004)
        await asyncio.sleep(0.01)
        hub.ring("t", truth.version)
        for reader in readers:
            if reader.behind_since is not None:
                hub.drained(reader)
        await eventually(lambda: all(one.version == truth.version for one in readers if "joined" in one.kinds()))
        for reader in readers:
            if "joined" in reader.kinds():
                assert reader.comments == truth.comments
                assert reader.version == truth.version


async def test_a_gap_is_asked_once_however_many_changes_show_it() -> None:
    truth = Truth()
    hub = hub_over(truth)
    reader = Screen()
    async with hub.running():
        await join(hub, reader, "t", None, 1)
        truth.asked = truth.most_asking = 0
        truth.write(1)
        for number in range(2, 50):
            hub.deliver(truth.write(number))
        await eventually(lambda: reader.version == truth.version)
        assert truth.most_asking == 1
        assert reader.comments == truth.comments


async def test_another_epoch_sends_every_reader_to_fetch_anew() -> None:
    truth = Truth()
    hub = hub_over(truth)
    readers = [Screen(), Screen()]
    async with hub.running():
        truth.write(1)
        for reader in readers:
            await join(hub, reader, "t", "first", 1)
        truth.epoch = "restored"
        hub.ring("t", 0)
        await eventually(lambda: all(reader.kinds()[-1] == "reset" for reader in readers))
        assert hub.readers_here("t") == 0
        assert all(0 <= reader.frames[-1]["after_ms"] < 5_000 for reader in readers)


async def test_who_joins_under_another_epoch_or_ahead_of_the_head_is_reset() -> None:
    truth = Truth()
    hub = hub_over(truth)
    async with hub.running():
        truth.write(1)
        for epoch, after in (("another", 1), ("first", 99)):
            reader = Screen()
            await join(hub, reader, "t", epoch, after)
            assert reader.kinds() == ["reset"]
            assert hub.readers_here("t") == 0


async def test_the_changes_of_one_tick_are_one_frame() -> None:
    truth = Truth()
    hub = hub_over(truth)
    reader = Screen()
    async with hub.running():
        await join(hub, reader, "t", None, None)
        for number in range(20):
            hub.deliver(truth.write(number))
        await eventually(lambda: reader.version == truth.version)
        assert reader.kinds().count("changes") == 2
        assert reader.comments == truth.comments


async def test_a_frame_is_built_once_in_each_form_whatever_the_number_of_readers() -> None:
    truth = Truth()
    hub = hub_over(truth)
    readers = [Screen(deflates=place % 2 == 0) for place in range(6)]
    async with hub.running():
        for reader in readers:
            await join(hub, reader, "t", None, None)
        hub.deliver(truth.write(*range(20)))
        await eventually(lambda: all(reader.version == truth.version for reader in readers))
    sent = [reader.got[-1] for reader in readers]
    assert len({id(frame) for frame in sent[::2]}) == len({id(frame) for frame in sent[1::2]}) == 1
    assert len(sent[0]) < len(sent[1]) / 2


async def test_while_the_source_is_away_joining_fails_and_gaps_are_asked_again_later() -> None:
    truth = Truth()
    hub = hub_over(truth)
    reader = Screen()
    async with hub.running():
        await join(hub, reader, "t", None, 1)
        truth.is_away = True
        truth.write(1)
        hub.ring("t", truth.version)
        refused = Screen()
        await join(hub, refused, "t", None, 0)
        assert refused.refused == ["t"]
        # Nothing that comes meanwhile is kept, or an outage would fill the memory.
        await eventually(lambda: not hub._rooms["t"]._held.holders)
        truth.is_away = False
        await eventually(lambda: reader.version == truth.version)
        assert reader.comments == truth.comments


async def test_an_empty_room_is_forgotten() -> None:
    hub = hub_over(Truth())
    reader = Screen()
    async with hub.running():
        await join(hub, reader, "t", None, None)
        assert list(hub.heads()) == ["t"]
        hub.disconnect(reader)
        assert not hub.heads()


async def test_a_reader_that_lags_gets_nothing_until_it_has_drained_and_then_all_it_missed() -> None:
    truth = Truth()
    hub = hub_over(truth)
    slow, quick = Screen(), Screen()
    async with hub.running():
        for reader in (slow, quick):
            await join(hub, reader, "t", "first", 1)
        hub.fell_behind(slow)
        before = len(slow.frames)
        for number in range(10):
            hub.deliver(truth.write(number))
            await asyncio.sleep(0.02)
        await eventually(lambda: quick.version == truth.version)
        assert len(slow.frames) == before
        assert hub.readers_here("t") == 2
        hub.drained(slow)
        await eventually(lambda: slow.version == truth.version)
        assert slow.comments == truth.comments
        assert slow.kinds().count("changes") == 1
        hub.deliver(truth.write(99))
        await eventually(lambda: slow.version == truth.version)


async def test_a_reader_that_leaves_while_it_lags_is_not_brought_back() -> None:
    truth = Truth()
    hub = hub_over(truth)
    slow, quick = Screen(), Screen()
    async with hub.running():
        for reader in (slow, quick):
            await join(hub, reader, "t", "first", 1)
        hub.fell_behind(slow)
        hub.deliver(truth.write(1))
        await eventually(lambda: quick.version == truth.version)
        hub.drained(slow)
        hub.leave(slow, "t")
        await asyncio.sleep(0.02)
        assert hub.readers_here("t") == 1
        assert "changes" not in slow.kinds()


async def test_who_lags_for_half_a_minute_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("channels.rooms.hub.MAX_BEHIND_SECONDS", 0.0)
    hub = hub_over(Truth())
    slow, quick = Screen(), Screen()
    async with hub.running():
        for reader in (slow, quick):
            await join(hub, reader, "t", "first", 1)
        hub.fell_behind(slow)
        await eventually(lambda: slow.is_cut)
        assert not quick.is_cut
        assert hub.tally.slow_readers == 1


async def test_where_all_together_leave_too_much_unread_the_slowest_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("channels.rooms.hub.MAX_UNWRITTEN_BYTES", 1_000)
    hub = hub_over(Truth())
    slow, slower = Screen(), Screen()
    async with hub.running():
        for reader, unwritten in ((slow, 600), (slower, 700)):
            await join(hub, reader, "t", "first", 1)
            reader.unwritten_bytes = unwritten
            hub.fell_behind(reader)
        await eventually(lambda: slower.is_cut)
        assert not slow.is_cut


async def test_a_thousand_who_come_back_at_the_same_version_cost_one_diff() -> None:
    truth = Truth()
    hub = hub_over(truth)
    async with hub.running():
        first = Screen()
        await join(hub, first, "t", None, None)
        for number in range(10):
            hub.deliver(truth.write(number))
        await eventually(lambda: first.version == truth.version)
        truth.asked = 0
        readers = [Screen() for _ in range(1_000)]
        for reader in readers:
            reader.version, reader.comments = 3, {}
        for reader in readers[:500]:
            hub.join(reader, "t", "first", 3)
        await eventually(lambda: all(reader.version == truth.version for reader in readers[:500]))
        for reader in readers[500:]:
            hub.join(reader, "t", "first", 3)
            assert reader.threads == ("t",)
        assert truth.asked == 1
        assert all(reader.comments == {n: v for n, v in truth.comments.items() if v > 3} for reader in readers)


class Hot(Truth):
    """A thread that changes while each diff of it is read."""

    hub: Hub

    async def changes(self, asked: Sequence[Question]) -> list[Answer | None]:
        answers = await super().changes(asked)
        self.hub.deliver(self.write(self.version))
        return answers


async def test_a_thread_that_changes_while_each_diff_is_read_is_joined_by_one_diff() -> None:
    truth = Hot()
    truth.hub = hub = hub_over(truth)
    first, late = Screen(), Screen()
    async with hub.running():
        await join(hub, first, "t", "first", 1)
        truth.asked, late.version, late.comments = 0, 0, {}
        await join(hub, late, "t", "first", 0)
        assert truth.asked == 1
        assert late.version == truth.version
        await eventually(lambda: first.version == truth.version)
        assert first.comments == late.comments == truth.comments
