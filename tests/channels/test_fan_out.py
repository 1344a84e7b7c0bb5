"""When a hot thread's frames go out, on a clock that only they move."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from channels.messages import MAX_ROWS, Change, Comment
from channels.metrics import Tally
from channels.rooms import fan_out
from channels.rooms.fan_out import TICK_SECONDS, TICKS_A_SWEEP, FanOut
from channels.sockets.reader import Reader
from channels.tasks import Health, Tasks

READERS = 4


def contents(frames: bytes) -> Iterator[bytes]:
    """Yield what is in each of the server's frames."""
    while frames:
        wide = {126: 2, 127: 8}.get(frames[1], 0)
        start = 2 + wide
        end = start + (int.from_bytes(frames[2:start]) if wide else frames[1])
        yield frames[start:end]
        frames = frames[end:]


class Stage(Tasks):
    """A loop whose time passes only while frames are written, and between what is due."""

    def __init__(self, seconds_a_sweep: float) -> None:
        super().__init__(Health())
        self.now = 0.0
        self.fan_out = FanOut(self._readers(), lambda *_: None, self._failed, Tally(), self)
        self._seconds_a_write = seconds_a_sweep / READERS
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._cancelled = set[int]()
        # When the last reader had each frame.
        self.frames: list[tuple[float, list[Change]]] = []
        self._version = 0

    def _readers(self) -> dict[Reader, None]:
        wires = [SimpleNamespace(deflates=False, write=self._write if last else self._pass) for last in (0, 0, 0, 1)]
        return {Reader(wire): None for wire in wires}

    def _pass(self, _: bytes) -> None:
        self.now += self._seconds_a_write

    def _write(self, frame: bytes) -> None:
        self._pass(frame)
        self.frames.append((self.now, [msgspec.json.decode(one, type=Change) for one in contents(frame)]))

    def _failed(self, error: BaseException) -> None:
        raise error

    def later(self, name: str, seconds: float, call: Callable[[], None], **_: Any) -> Any:
        return self.at(self.now + seconds, call)

    def soon(self, name: str, call: Callable[[], None], **_: Any) -> Any:
        return self.at(self.now, call)

    def comes_at(self, when: float) -> None:
        self.at(when, partial(self.comes, when))

    def at(self, when: float, call: Callable[[], None]) -> Any:
        entry = (when, next(self._numbers), call)
        heapq.heappush(self._due, entry)
        return SimpleNamespace(cancel=lambda: self._cancelled.add(entry[1]))

    def run(self) -> None:
        while self._due:
            when, number, call = heapq.heappop(self._due)
            if number not in self._cancelled:
                self.now = max(self.now, when)
                call()

    def comes(self, came: float) -> None:
        self._version += 1
        comment = Comment(id=self._version, version=self._version, state="visible", created=str(came))
        self.fan_out.queue(
            Change(thread="t", epoch="e", after=self._version - 1, version=self._version, comments=(comment,))
        )


@pytest.fixture(autouse=True)
def a_slice_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fan_out, "SLICE", 1)


def stage(seconds_a_sweep: float, monkeypatch: pytest.MonkeyPatch) -> Stage:
    made = Stage(seconds_a_sweep)
    clock = lambda: made.now  # noqa: E731
    monkeypatch.setattr(fan_out, "time", SimpleNamespace(monotonic=clock, perf_counter=clock, time=clock))
    return made


def test_a_sweep_begins_when_the_last_is_through_and_others_had_their_share(monkeypatch: pytest.MonkeyPatch) -> None:
    hot = stage(0.8, monkeypatch)
    for moment in (0.0, 0.1, 0.3, 0.5, 0.7):
        hot.comes_at(moment)
    hot.run()
    assert [[len(change.comments) for change in changes] for _, changes in hot.frames] == [[1], [4]]
    assert [at for at, _ in hot.frames] == pytest.approx([0.8, TICKS_A_SWEEP * 0.8 + 0.8])


def test_a_tick_passes_between_short_sweeps(monkeypatch: pytest.MonkeyPatch) -> None:
    quiet = stage(0.004, monkeypatch)
    for moment in (0.0, 0.01, 0.05):
        quiet.comes_at(moment)
    quiet.run()
    assert [at for at, _ in quiet.frames] == pytest.approx([0.004, TICK_SECONDS + 0.004])


@pytest.mark.parametrize("a_second", [5, 50, 300, 1_500])
@pytest.mark.parametrize("sweep", [0.01, 0.2, 1.0])
def test_latency_levels_off_whatever_comes(a_second: int, sweep: float, monkeypatch: pytest.MonkeyPatch) -> None:
    hot = stage(sweep, monkeypatch)
    offered = max(100, 10 * int(sweep * a_second))
    for number in range(offered):
        hot.comes_at(number / a_second)
    hot.run()
    got = [(comment, at) for at, changes in hot.frames for change in changes for comment in change.comments]
    assert max(len(change.comments) for _, changes in hot.frames for change in changes) <= MAX_ROWS
    assert [comment.id for comment, _ in got] == list(range(1, offered + 1))
    longest = max(at - float(str(comment.created)) for comment, at in got)
    assert longest <= max(TICK_SECONDS, TICKS_A_SWEEP * sweep) + sweep + 0.01
