"""What a room does not pass on: typing in a crowd, and a change that is too large for everybody."""

from __future__ import annotations

import itertools

import pytest

from channels.brokers.in_process import MemoryBroker
from channels.changes_source import Question
from channels.messages import MAX_ROWS, Answer, Change, Message, Reset, Typing
from channels.rooms.hub import TYPING_READERS, Hub
from tests.channels.test_hub import Screen, Truth, hub_over, join
from tests.processes import eventually

ANA_TYPES = Typing(thread="t", parent=None, names=("Ana",))


@pytest.mark.parametrize(("elsewhere", "told"), [(TYPING_READERS - 1, [ANA_TYPES]), (TYPING_READERS, [])])
async def test_nobody_says_in_a_crowd_that_they_type(elsewhere: int, told: list[Message]) -> None:
    heard: list[Message] = []
    hub = Hub(Truth())
    hub.broker = MemoryBroker(heard.append)
    async with hub.running():
        writer = Screen()
        await join(hub, writer, "t", "first", 1)
        writer.name = "Ana"
        hub.presence.heard("another process", {"t": elsewhere})
        hub.typing(writer, "t", None)
        assert heard == told


@pytest.mark.parametrize(("elsewhere", "told"), [(TYPING_READERS - 1, ["Ana"]), (TYPING_READERS, [])])
async def test_nobody_in_a_crowd_is_told_that_somebody_types(elsewhere: int, told: list[str]) -> None:
    truth = Truth()
    hub = hub_over(truth)
    async with hub.running():
        reader = Screen()
        await join(hub, reader, "t", "first", 1)
        hub.presence.heard("another process", {"t": elsewhere})
        hub.hear(ANA_TYPES)
        # What comes later has come: so has whatever was to be told.
        hub.deliver(truth.write(1))
        await eventually(lambda: reader.version == truth.version)
        names = itertools.chain.from_iterable(f["names"] for f in reader.frames if f["type"] == "typing")
        assert list(names) == told


async def test_only_a_follower_with_a_name_says_that_they_type_and_once_in_a_while() -> None:
    heard: list[Message] = []
    hub = Hub(Truth())
    hub.broker = MemoryBroker(heard.append)
    async with hub.running():
        writer, other = Screen(), Screen()
        await join(hub, writer, "t", "first", 1)
        hub.typing(writer, "t", None)
        other.name = "Bo"
        hub.typing(other, "t", None)
        assert heard == []
        writer.name = "Ana"
        for _ in range(5):
            hub.typing(writer, "t", None)
        assert heard == [ANA_TYPES]


class Bounded(Truth):
    """As the real source does, it has no diff that is too large."""

    def answer(self, question: Question) -> Answer | None:
        found = super().answer(question)
        if isinstance(found, Change) and found.is_too_large:
            return Reset(thread="t", epoch=self.epoch, version=self.version)
        return found


async def test_a_change_that_is_too_large_is_not_sent_but_asked_for() -> None:
    truth = Bounded()
    hub = hub_over(truth)
    async with hub.running():
        reader = Screen()
        await join(hub, reader, "t", "first", 1)
        hub.deliver(truth.write(*range(MAX_ROWS)))
        await eventually(lambda: reader.version == truth.version)
        assert reader.kinds() == ["joined", "changes"]
        hub.deliver(truth.write(*range(MAX_ROWS + 1)))
        await eventually(lambda: len(reader.frames) > 2)
        assert reader.kinds() == ["joined", "changes", "reset"]
