"""The owner of all background tasks: a task that dies is noticed and restarted, or ends the process.

No other module of `channels` or `server` creates a task; a test holds that.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from functools import partial
from typing import Any, TypeVar

log = logging.getLogger("livethread.tasks")

Result = TypeVar("Result")

# As a supervisor of Erlang does it: more deaths than this within the period, and starting again does not help.
MOST_DEATHS = 5
PERIOD_SECONDS = 20.0
FIRST_PAUSE_SECONDS = 0.05
# A failure that comes a thousand times a second is one line of the log.
LOG_EVERY_SECONDS = 1.0


# Nobody cancels a callback: there it is an error like any other.
CALLBACK_ERRORS = (Exception, asyncio.CancelledError)


class Health:
    """How the process is: what died in it, and whether it can go on. One for each process.

    `deaths` counts by the task's name. `failure` says why the process must end; None while it may go on.
    """

    def __init__(self) -> None:
        self.deaths: Counter[str] = Counter()
        self.restarts: Counter[str] = Counter()
        self.failure: str | None = None
        # Called once, when the process must end. They must not raise.
        self.on_failure: list[Callable[[], None]] = []
        self._recent: dict[str, deque[float]] = {}
        self._said_at: dict[str, float] = {}

    def died(self, name: str, error: BaseException | None) -> None:
        """Count and log an end that nobody wanted. `error`: None if it returned, or was cancelled from outside."""
        self.deaths[name] += 1
        now = time.monotonic()
        if now - self._said_at.get(name, float("-inf")) >= LOG_EVERY_SECONDS:
            self._said_at[name] = now
            why = "it ended by itself" if error is None else f"{type(error).__name__}: {error}"
            log.error("%s died (%d times so far): %s", name, self.deaths[name], why, exc_info=error)

    def pause_after(self, name: str, error: BaseException | None, *, is_vital: bool = True) -> float | None:
        """Note that a service died; return how many seconds to wait before it starts again, None if it must not."""
        self.died(name, error)
        now = time.monotonic()
        recent = self._recent.setdefault(name, deque(maxlen=MOST_DEATHS + 1))
        recent.append(now)
        while recent[0] < now - PERIOD_SECONDS:
            recent.popleft()
        if len(recent) > MOST_DEATHS and is_vital:
            self.fail(f"{name} died {len(recent)} times within {PERIOD_SECONDS:.0f} s, the last time of {error!r}")
        if self.failure is not None:
            return None
        self.restarts[name] += 1
        return float(FIRST_PAUSE_SECONDS * 2 ** (len(recent) - 1))

    def fail(self, why: str) -> None:
        """Say that the process cannot do its work any more. It ends with an exit status other than 0."""
        if self.failure is None:
            self.failure = why
            log.critical("livethread must end: %s", why)
            for told in self.on_failure:
                told()

    @contextlib.contextmanager
    def guarding(self, name: str) -> Iterator[None]:
        """Guard a step that its owner repeats anyway: an error ends this step, and the process when it comes often."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 — the outer edge of the step
            self.pause_after(name, error)

    def heard_by_loop(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Take what the event loop has nobody else to tell of: errors in callbacks, its own and those of transports."""
        error = context.get("exception")
        self.died("callback", error if isinstance(error, BaseException) else RuntimeError(context.get("message")))


class Tasks:
    """The tasks of one part of the process. As the block ends they are cancelled, and awaited.

    The death of one never touches another.
    """

    def __init__(self, health: Health) -> None:
        self.health = health
        self._tasks: set[asyncio.Task[Any]] = set()
        self._is_closing = False

    async def __aenter__(self) -> Tasks:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        self._is_closing = True
        while self._tasks:
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(set(self._tasks))

    def keep(self, name: str, run: Callable[[], Awaitable[None]], *, is_vital: bool = True) -> None:
        """Run a service for as long as the block lasts: started again when it dies, with pauses that grow.

        One that is vital and dies again and again ends the process (see `Health.failure`); another goes on trying.
        """
        self.start(name, self._keep(name, run, is_vital=is_vital))

    def start(
        self,
        name: str,
        work: Coroutine[Any, Any, Result],
        *,
        expects: tuple[type[Exception], ...] = (),
        failed: Callable[[BaseException | None], None] = lambda error: None,
    ) -> asyncio.Task[Result]:
        """Start what ends by itself. An error in it is logged and counted, but for those that an awaiter `expects`.

        `failed` is called with any error, or None if somebody else than the owner cancelled it, even before it
        began: clean-up that must always happen belongs there, since nothing in `work` may have run.
        """
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(partial(self._ended, expects, failed))
        if self._is_closing:
            task.cancel()
        return task

    def later(
        self, name: str, seconds: float, call: Callable[[], None], *, failed: Callable[[BaseException], None]
    ) -> asyncio.TimerHandle:
        """Call `call` after `seconds`. An error in it is logged and counted, and then given to `failed`.

        As with `start`, it may have come before anything in `call` has run.
        """
        return asyncio.get_running_loop().call_later(seconds, self._run, name, call, failed)

    def soon(self, name: str, call: Callable[[], None], *, failed: Callable[[BaseException], None]) -> asyncio.Handle:
        """Call `call` in the next round of the loop; see `later`."""
        return asyncio.get_running_loop().call_soon(self._run, name, call, failed)

    def _run(self, name: str, call: Callable[[], None], failed: Callable[[BaseException], None]) -> None:
        error = self._call(name, call)
        if error is not None:
            self._call(name, failed, error)

    def _call(self, name: str, call: Callable[..., None], *given: Any) -> BaseException | None:
        """Return the error in `call`, logged and counted; None if there was none."""
        try:
            call(*given)
        except CALLBACK_ERRORS as error:
            self.health.died(name, error)
            return error
        return None

    def _ended(
        self,
        expects: tuple[type[Exception], ...],
        failed: Callable[[BaseException | None], None],
        task: asyncio.Task[Any],
    ) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, expects):
            self.health.died(task.get_name(), error)
        if (error is not None or task.cancelled()) and not self._is_closing:
            self._call(task.get_name(), failed, error)

    async def _keep(self, name: str, run: Callable[[], Awaitable[None]], *, is_vital: bool) -> None:
        pause: float | None = 0.0
        while pause is not None:
            error: BaseException | None = None
            try:
                await asyncio.sleep(pause)
                await run()
            except asyncio.CancelledError:
                if self._is_closing:
                    raise
                # Not by its owner: to be cancelled by somebody else is to die.
                asyncio.current_task().uncancel()  # type: ignore[union-attr]
            except Exception as died:  # noqa: BLE001 — the outer edge of the service
                error = died
            if self._is_closing:
                return
            pause = self.health.pause_after(name, error, is_vital=is_vital)


def is_cancelled() -> bool:
    """Say whether somebody wants the present task to end, rather than what it waits for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
