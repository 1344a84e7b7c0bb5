"""What every test may ask for."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from server.storage.engine.database import Database
from tests.processes import Server, Valkey, valkey

TESTS = Path(__file__).parent
# Where nothing is kept of what was compiled, each of the thousand processes of a run compiles all of it.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# A machine that is busy elsewhere makes nothing wrong.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")
WORKERS = 3
# What `run.py test quick` leaves out: the fixtures of browsers, and the files and folders that take longest. Of the
# journeys, each of which starts servers, it takes two that pass through most of the program.
SLOW_FIXTURES = {"browser", "firefox"}
SLOW_PATHS = (
    "channels/test_empty_threads.py",
    "channels/test_writing.py",
    "conformance",
    "deploy",
    "server/test_backup.py",
    "server/test_erasing_beside_requests.py",
    "test_bench.py",
    "test_installed.py",
    "test_patterns.py",
    "test_run.py",
    "test_torture.py",
)
QUICK_JOURNEYS = {"test_conversation.py", "test_plain_forms.py"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help="leave out browsers, damage and what else takes long")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Say True of what is left out; None leaves it to others."""
    is_journey = collection_path.parent == TESTS / "journeys" and collection_path.name.startswith("test_")
    is_slow = any(collection_path == TESTS / slow for slow in SLOW_PATHS) or (
        is_journey and collection_path.name not in QUICK_JOURNEYS
    )
    return True if is_slow and config.option.quick else None


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """The whole suite is shared by three processes, since two leave half of two cores idle; a part of it needs one."""
    is_whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    return WORKERS if is_whole and not config.option.keyword and config.option.capture != "no" else 0


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """By far the longest file is first, or the others would wait for it at the end."""
    if config.option.quick:
        slow = [item for item in items if SLOW_FIXTURES & {*getattr(item, "fixturenames", ())}]
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in slow]
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: item.path.name != "test_torture.py")


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with Database.opened(tmp_path / "test.db") as opened:
        yield opened


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    with valkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """An app without Redis, shared by the tests of a module: each uses threads and names of its own."""
    with Server(tmp_path_factory.mktemp("app")) as server:
        yield server


_numbers = itertools.count(1)


@pytest.fixture
def key() -> str:
    """A thread that nobody has used."""
    return f"thread-{next(_numbers)}"


@pytest.fixture
def name() -> str:
    """A name that nobody has."""
    number = next(_numbers)
    return "Ana " + "".join("bcdfghkmpq"[int(digit)] for digit in str(number))
