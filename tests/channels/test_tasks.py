"""What dies is noticed: started again, or the end of the process. And it takes nothing else with it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import pytest

from channels import tasks as tasks_
from channels.tasks import MOST_DEATHS, Health, Tasks
from tests.processes import eventually


class Service:
    """Fails as often as it is told to, then runs."""

    def __init__(self, *failures: BaseException | None) -> None:
        self.failures = list(failures)
        self.began = 0
        self.is_running = False
        self.task: asyncio.Task[object] | None = None

    async def run(self) -> None:
        self.began += 1
        self.task = asyncio.current_task()
        if self.failures:
            error = self.failures.pop(0)
            if error is None:
                return
            raise error
        self.is_running = True
        await asyncio.Event().wait()


@pytest.mark.parametrize(
    "error", [RuntimeError("x"), MemoryError(), RecursionError(), StopAsyncIteration(), asyncio.CancelledError(), None]
)
async def test_a_service_that_dies_is_started_again(
    error: BaseException | None, caplog: pytest.LogCaptureFixture
) -> None:
    health, service = Health(), Service(error, error)
    async with Tasks(health) as tasks:
        tasks.keep("it", service.run)
        await eventually(lambda: service.is_running)
    assert (service.began, health.deaths["it"], health.restarts["it"]) == (3, 2, 2)
    assert health.failure is None
    assert "it died" in caplog.text


async def test_a_service_that_somebody_cancels_is_started_again() -> None:
    health, service = Health(), Service()
    async with Tasks(health) as tasks:
        tasks.keep("it", service.run)
        await eventually(lambda: service.is_running)
        assert service.task is not None
        service.task.cancel()
        await eventually(lambda: service.began == 2)
    assert health.restarts["it"] == 1


async def test_a_service_that_dies_again_and_again_ends_the_process() -> None:
    health, told = Health(), list[str]()
    health.on_failure.append(lambda: told.append("end"))
    service, sibling = Service(*[RuntimeError("for ever")] * 99), Service()
    async with Tasks(health) as tasks:
        tasks.keep("sibling", sibling.run)
        tasks.keep("it", service.run)
        await eventually(lambda: health.failure)
        assert sibling.is_running
    assert service.began == MOST_DEATHS + 1
    assert told == ["end"]
    assert health.failure is not None
    assert "for ever" in health.failure


async def test_deaths_that_lie_far_apart_end_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks_, "PERIOD_SECONDS", 0.0)
    monkeypatch.setattr(tasks_, "FIRST_PAUSE_SECONDS", 0.0)
    health, service = Health(), Service(*[RuntimeError()] * 20)
    async with Tasks(health) as tasks:
        tasks.keep("it", service.run)
        await eventually(lambda: service.is_running)
    assert (health.failure, health.restarts["it"]) == (None, 20)


async def test_what_ends_by_itself_may_fail_alone(caplog: pytest.LogCaptureFixture) -> None:
    async def fail(error: Exception) -> None:
        raise error

    health, sibling = Health(), Service()
    async with Tasks(health) as tasks:
        tasks.keep("sibling", sibling.run)
        tasks.start("job", fail(RuntimeError("unexpected")))
        answer = tasks.start("question", fail(KeyError("expected")), expects=(KeyError,))
        with pytest.raises(KeyError):
            await answer
        await eventually(lambda: health.deaths["job"])
        assert sibling.is_running
    assert (health.deaths["question"], health.failure) == (0, None)
    assert "unexpected" in caplog.text


@pytest.mark.parametrize("how", ["soon", "later"])
async def test_an_error_in_a_callback_is_counted_and_told_to_its_owner(how: str) -> None:
    health = Health()
    told: list[BaseException] = []

    def fail() -> None:
        raise RuntimeError("in a callback")

    async with Tasks(health) as tasks:
        starts: dict[str, Callable[[], object]] = {
            "soon": lambda: tasks.soon("callback", fail, failed=told.append),
            "later": lambda: tasks.later("callback", 0.0, fail, failed=told.append),
        }
        starts[how]()
        await eventually(lambda: told)
    assert [str(error) for error in told] == ["in a callback"]
    assert health.deaths["callback"] == 1


async def test_a_flood_of_failures_is_counted_whole_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    health = Health()
    with caplog.at_level(logging.ERROR):
        for _ in range(1_000):
            health.died("it", RuntimeError())
    assert health.deaths["it"] == 1_000
    assert len(caplog.records) == 1


async def test_all_tasks_have_ended_as_the_block_ends() -> None:
    service = Service()
    async with Tasks(Health()) as tasks:
        tasks.keep("it", service.run)
        await eventually(lambda: service.is_running)
    assert service.task is not None
    assert service.task.done()
    late = tasks.start("late", service.run())
    with pytest.raises(asyncio.CancelledError):
        await late
