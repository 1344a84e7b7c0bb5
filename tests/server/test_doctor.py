"""The doctor names what is wrong with a broken installation, and tells scripts by its status."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from server.doctor import at_start, disk, examination
from server.settings import read
from server.storage.engine.database import Database
from tests.ports import free_port
from tests.processes import ROOT, Valkey

SECRET = "kq9-XxH3_pL0vR7tZy2WbN5c"
Break = Callable[[Path], dict[str, str]]


@pytest.fixture
async def installation(tmp_path: Path) -> Path:
    """A folder with a database, as the first start leaves it."""
    async with Database.opened(tmp_path / "talk.db"):
        pass
    return tmp_path


def examined(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], **given: str) -> str:
    """Return what the doctor prints, after its status."""
    for name in [name for name in os.environ if name.startswith("LIVETHREAD_")]:
        monkeypatch.delenv(name)
    usual = {"LIVETHREAD_DATABASE": str(folder / "talk.db"), "LIVETHREAD_SECRET": SECRET, "LIVETHREAD_PORT": "0"}
    for name, value in (usual | given).items():
        monkeypatch.setenv(name, value)
    status = examination.examine(is_gateway=False, asks_public=False)
    return f"{status} {capsys.readouterr().out}"


def settings(**given: str) -> Break:
    return lambda folder: {f"LIVETHREAD_{name}": value for name, value in given.items()}


def _readable_secret(folder: Path) -> dict[str, str]:
    (folder / "talk.db.secret").write_text(SECRET)
    (folder / "talk.db.secret").chmod(0o644)
    return {"LIVETHREAD_SECRET": ""}


def _short_secret(folder: Path) -> dict[str, str]:
    (folder / "talk.db.secret").write_text("\n")
    (folder / "talk.db.secret").chmod(0o600)
    return {"LIVETHREAD_SECRET": ""}


def _open_folder(folder: Path) -> dict[str, str]:
    folder.chmod(0o777)
    return {}


def _no_database(folder: Path) -> dict[str, str]:
    (folder / "talk.db").write_bytes(b"This is a letter. " * 400)
    return {}


def _newer_database(folder: Path) -> dict[str, str]:
    with contextlib.closing(sqlite3.connect(folder / "talk.db")) as sql:
        sql.execute("PRAGMA user_version = 4711")
    return {}


def _second_name(folder: Path) -> dict[str, str]:
    os.link(folder / "talk.db", folder / "other.db")
    return {}


def _provider(folder: Path) -> dict[str, str]:
    (folder / "oidc.toml").write_text('[corp]\nissuer = "http://127.0.0.1:9"\nclient_id = "us"\n')
    return {"LIVETHREAD_OIDC": str(folder / "oidc.toml")}


BROKEN: list[tuple[str, Break, int, str]] = [
    ("an unreadable setting", settings(LIMIT_POSTS_ACCOUNT="often"), 2, "settings: LIVETHREAD_LIMIT_POSTS_ACCOUNT"),
    ("a misspelt setting", settings(ORIGN="https://a.example"), 1, "Did you mean LIVETHREAD_ORIGIN?"),
    ("passwords in clear text", settings(ORIGIN="http://talk.example"), 1, "cross the network in clear text"),
    ("nobody else can write", settings(HOST="0.0.0.0"), 1, "nothing they write is accepted"),
    ("a plain socket", settings(ORIGIN="https://a.example", LIVE_URL="ws://a.example"), 2, "Give a wss:// address"),
    ("a plain site", settings(ORIGIN="https://a.example", SITES="http://b.example"), 1, "can be changed by anybody"),
    ("a secret from a manual", settings(SECRET="please-change-me-soon"), 2, "LIVETHREAD_SECRET: can be guessed"),
    ("one character", settings(SECRET="x" * 40), 2, "LIVETHREAD_SECRET: can be guessed"),
    ("the same secret twice", settings(SECRET_PREVIOUS=SECRET), 1, "LIVETHREAD_SECRET_PREVIOUS: is LIVETHREAD_SECRET"),
    ("everybody is a proxy", settings(PROXIES="0.0.0.0/0"), 2, "each visitor can claim any other"),
    ("no limits", settings(LIMITS="off"), 1, "guess passwords without end"),
    ("a short token", settings(METRICS_TOKEN="abc"), 1, "LIVETHREAD_METRICS_TOKEN: is short"),
    ("a short keep-alive", settings(KEEP_ALIVE_SECONDS="5"), 1, "become a 502"),
    ("a secret for all to read", _readable_secret, 2, "has mode 0644"),
    ("an empty secret", _short_secret, 2, "holds none of at least 16 characters"),
    ("a folder for all to write", _open_folder, 2, "can be written by everybody"),
    ("no folder", settings(DATABASE="/nowhere/at/all.db"), 2, "the folder /nowhere/at does not exist"),
    ("no database", _no_database, 2, "cannot be read as a database"),
    ("a newer database", _newer_database, 2, "was written by a newer livethread"),
    ("two names", _second_name, 2, "two owners could not see each other"),
    ("no staff", lambda _: {}, 1, "nobody can moderate"),
    ("no provider", _provider, 2, "OpenID provider corp: /.well-known/openid-configuration: "),
    ("no Redis", settings(REDIS_URL="redis://127.0.0.1:9"), 2, "FAULT   Redis at 127.0.0.1:9: does not answer"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "how", "status", "said"), BROKEN, ids=[one[0] for one in BROKEN])
async def test_a_fault_is_named(
    what: str,
    how: Break,
    status: int,
    said: str,
    installation: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = how(installation)
    # The doctor runs a loop of its own.
    found = await asyncio.to_thread(lambda: examined(installation, monkeypatch, capsys, **given))
    assert found.startswith(f"{status} "), found
    assert said in found
    assert SECRET not in found


async def test_a_sound_installation_has_no_fault(
    installation: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = await asyncio.to_thread(lambda: examined(installation, monkeypatch, capsys))
    assert "FAULT" not in found
    assert {path.name for path in installation.iterdir()} <= {"talk.db", "talk.db.lock", "talk.db-wal", "talk.db-shm"}


async def test_another_program_on_the_port_is_named(
    installation: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        found = await asyncio.to_thread(lambda: examined(installation, monkeypatch, capsys, LIVETHREAD_PORT=port))
    assert found.startswith("2 ")
    assert "another program listens there" in found


async def test_what_a_redis_forbids_and_whom_it_lets_in_is_named(
    installation: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    port = free_port()
    store = Valkey(installation, "--port", str(port))
    store.start()
    try:
        store.say(
            "ACL", "SETUSER", "deaf", "on", ">p%w", "resetchannels", "&other:*", "+ping", "+publish", "+subscribe"
        )
        for user, said in (
            ("deaf:p%25w", "the user lacks a permission"),
            ("deaf:wrong", "does not accept the user and password"),
            ("deaf:p%25w", "answers without a password too"),
        ):
            given = {"LIVETHREAD_REDIS_URL": f"redis://{user}@127.0.0.1:{port}"}
            found = await asyncio.to_thread(examined, installation, monkeypatch, capsys, **given)
            assert found.startswith("2 ")
            assert said in found
            assert "p%25w" not in found
        found = await asyncio.to_thread(
            lambda: examined(installation, monkeypatch, capsys, LIVETHREAD_REDIS_URL=store.url)
        )
        assert "answers, and lets us publish and subscribe" in found
    finally:
        store.kill()


def test_few_descriptors_are_told_at_the_start_as_well(tmp_path: Path) -> None:
    def few() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (400, 400))

    done = subprocess.run(
        [sys.executable, str(ROOT / "run.py"), "doctor"], check=False, capture_output=True, text=True, preexec_fn=few,
        env=os.environ | {"LIVETHREAD_DATABASE": str(tmp_path / "a.db"), "LIVETHREAD_NO_VENV": "1"},
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    assert "this process may open 400 files" in done.stdout
    said_at_start = at_start.look(read({"LIVETHREAD_LIMITS": "off"}), has_database=True)
    assert [one.subject for one in said_at_start if one.grade == "warning"] == ["LIVETHREAD_LIMITS"]


def test_the_room_on_a_disk_is_graded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    real = os.statvfs(tmp_path)
    for mebibytes, grade in ((10, "fault"), (200, "warning"), (5_000, "fine")):
        fields = [*real]
        fields[4] = (mebibytes << 20) // real.f_frsize
        monkeypatch.setattr("os.statvfs", lambda _, fields=fields: os.statvfs_result(fields))
        assert [one.grade for one in disk._room(tmp_path)] == [grade]
