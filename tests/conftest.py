"""What every test may ask for."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from server.storage.database import Database
from tests.processes import Server, Valkey, valkey


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
