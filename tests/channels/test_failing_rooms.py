"""An error in a room, at a connection or at the source: it ends there, and whoever is concerned is told."""

from __future__ import annotations

import asyncio

import pytest

from channels.messages import Answer, Typing
from tests.channels.test_hub import Screen, Truth, hub_over, join
from tests.processes import eventually


async def test_an_error_at_one_connection_ends_that_one_and_no_other() -> None:
    truth = Truth()
    hub = hub_over(truth)
    broken, whole = Screen(), Screen()
    async with hub.running():
        for reader in (broken, whole):
            await join(hub, reader, "t", "first", 1)

        def fail(_: bytes) -> None:
            raise RuntimeError

        broken.write = fail  # type: ignore[assignment,method-assign]
        hub.deliver(truth.write(1))
        await eventually(lambda: whole.version == truth.version)
        assert (broken.is_cut, whole.is_cut) == (True, False)
        assert hub.tasks.health.deaths["writing to a reader"] == 1


async def test_a_room_that_fails_lets_its_readers_go_and_takes_them_in_again(monkeypatch: pytest.MonkeyPatch) -> None:
    truth = Truth()
    hub = hub_over(truth)
    before, after = Screen(), Screen()
    async with hub.running():
        await join(hub, before, "t", "first", 1)
        with monkeypatch.context() as patched:
            patched.setattr("channels.rooms.fan_out.fits", fail_for_ever)
            hub.deliver(truth.write(1))
            hub.deliver(truth.write(2))
            hub.deliver(truth.write(3))
            await eventually(lambda: before.is_cut)
        assert hub.readers_here("t") == 0
        await join(hub, after, "t", "first", 1)
        hub.deliver(truth.write(4))
        await eventually(lambda: after.version == truth.version)
        assert after.comments == truth.comments


def fail_for_ever(*_: object) -> bool:
    raise MemoryError


@pytest.mark.parametrize("error", [RuntimeError(), MemoryError(), RecursionError(), asyncio.CancelledError()])
async def test_whatever_befalls_the_source_who_joins_is_told(error: BaseException) -> None:
    truth = Truth()
    hub = hub_over(truth)

    async def fail(*_: object) -> Answer:
        raise error

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(truth, "changes", fail)
        async with hub.running():
            refused = Screen()
            await join(hub, refused, "t", "first", 1)
            assert refused.refused == ["t"]
            patched.undo()
            reader = Screen()
            truth.write(1)
            await join(hub, reader, "t", "first", 1)
            assert reader.version == truth.version


async def test_whatever_befalls_a_catch_up_its_reader_is_let_go() -> None:
    truth = Truth()
    hub = hub_over(truth)
    slow, quick = Screen(), Screen()
    async with hub.running():
        for reader in (slow, quick):
            await join(hub, reader, "t", "first", 1)
        hub.fell_behind(slow)
        hub.deliver(truth.write(1))
        await eventually(lambda: quick.version == truth.version)

        async def fail(*_: object) -> Answer:
            raise RecursionError

        truth.changes = fail  # type: ignore[assignment,method-assign]
        hub.drained(slow)
        await eventually(lambda: slow.is_cut)
        assert not quick.is_cut


async def test_a_repair_that_ends_before_it_began_lets_the_readers_go() -> None:
    truth = Truth()
    hub = hub_over(truth)
    before, after = Screen(), Screen()
    async with hub.running():
        await join(hub, before, "t", "first", 1)
        truth.write(1)
        # A gap: what came before was never delivered.
        hub.deliver(truth.write(2))
        for task in asyncio.all_tasks():
            if task.get_name() == "repairing a room":
                task.cancel()
        await eventually(lambda: before.is_cut)
        await join(hub, after, "t", "first", 1)
        truth.write(3)
        hub.deliver(truth.write(4))
        await eventually(lambda: after.comments == truth.comments)


@pytest.mark.parametrize("error", [RuntimeError(), MemoryError(), asyncio.CancelledError()])
async def test_a_slice_of_a_sweep_that_fails_leaves_no_room_silent(
    error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("channels.rooms.fan_out.SLICE", 1)
    truth = Truth()
    hub = hub_over(truth)
    before, after = [Screen(), Screen()], Screen()
    async with hub.running():
        for reader in before:
            await join(hub, reader, "t", "first", 1)
        hub.deliver(truth.write(1))

        def fail(*_: object) -> None:
            raise error

        with monkeypatch.context() as patched:
            # The first slice is written; the next comes in a callback.
            patched.setattr("channels.rooms.fan_out._Sweep.next_readers", fail)
            await eventually(lambda: all(reader.is_cut for reader in before))
        await join(hub, after, "t", "first", 1)
        hub.deliver(truth.write(2))
        await eventually(lambda: after.comments == truth.comments)


async def test_a_request_that_could_not_be_made_is_told_and_the_next_one_is_made() -> None:
    hub = hub_over(Truth())
    refused, reader = Screen(), Screen()
    async with hub.running():
        with pytest.MonkeyPatch.context() as patched:
            # Nothing of it runs.
            patched.setattr("channels.rooms.changes_requests.Questions._send", fail_for_ever)
            await join(hub, refused, "t", "first", 1)
        assert refused.refused == ["t"]
        await join(hub, reader, "t", "first", 1)
        assert reader.kinds() == ["joined"]


async def test_a_reader_whose_answer_to_a_join_could_not_be_written_is_let_go() -> None:
    hub = hub_over(Truth())
    broken, whole = Screen(), Screen()
    broken.write = fail_for_ever  # type: ignore[assignment,method-assign]
    async with hub.running():
        await join(hub, broken, "t", "first", 1)
        # At once, and not only when the next message is written to it.
        assert broken.is_cut
        await join(hub, whole, "t", "first", 1)
        assert (whole.kinds(), whole.is_cut) == (["joined"], False)


async def test_after_an_error_in_telling_who_types_the_next_one_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("channels.rooms.room.TOLD_EVERY_SECONDS", 0.01)
    hub = hub_over(Truth())
    reader = Screen()
    async with hub.running():
        await join(hub, reader, "t", "first", 1)
        hub.hear(Typing(thread="t", parent=None, names=("Ana",)))
        with monkeypatch.context() as patched:
            patched.setattr("channels.rooms.room.Typists.next", fail_for_ever)
            await eventually(lambda: hub.tasks.health.deaths["typing"] == 1)
        hub.hear(Typing(thread="t", parent=None, names=("Bo",)))
        await eventually(lambda: reader.kinds().count("typing") == 2)
