"""Nothing that holds secrets can be read by another user, and no other user stands at the operator's socket."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from server import control_socket
from server.storage.engine import backup
from server.storage.engine.database import Database
from tests.processes import Server, until

STRANGER = 65534
# What a stranger runs: it listens at a path, and writes down whatever it is told.
LISTENING = f"""
import os, socket, sys
os.setgid({STRANGER}); os.setuid({STRANGER})
listener = socket.socket(socket.AF_UNIX); listener.bind(sys.argv[1]); listener.listen(); os.chmod(sys.argv[1], 0o666)
peer, _ = listener.accept()
while said := peer.recv(4096):
    with open(sys.argv[2], "ab") as heard: heard.write(said)
"""
SPEAKING = f"""
import os, socket, sys
os.setgid({STRANGER}); os.setuid({STRANGER})
peer = socket.socket(socket.AF_UNIX); peer.connect(sys.argv[1])
try:
    peer.sendall(b'{{"command":"origin","arguments":{{}}}}\\n'); print(peer.recv(4096))
except OSError:
    print(b"")
"""
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")


def modes(folder: Path) -> dict[str, int]:
    return {path.name: path.lstat().st_mode & 0o777 for path in folder.iterdir() if path.is_file() or path.is_socket()}


@pytest.fixture
def wide_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("wide_umask")
def test_a_new_house_has_no_file_that_others_read(tmp_path: Path) -> None:
    with Server(tmp_path, LIVETHREAD_SECRET="") as app:
        app.token("Ana")
        found = modes(tmp_path)
        log = app.log.name
    assert {"test.db", "test.db-wal", "test.db-shm", "test.db.secret", "test.db.control", "test.db.lock"} <= set(found)
    assert {name: mode for name, mode in found.items() if mode & 0o077 and name != log} == {}


@pytest.mark.usefixtures("wide_umask")
def test_files_that_others_could_read_are_taken_from_them(tmp_path: Path) -> None:
    app = Server(tmp_path, LIVETHREAD_SECRET="")
    with app:
        app.token("Ana")
        # What is in the WAL stays there.
        app.kill()
    for name in ("test.db", "test.db-wal", "test.db-shm", "test.db.secret"):
        (tmp_path / name).chmod(0o644)
    with app:
        found = modes(tmp_path)
    assert {name: mode for name, mode in found.items() if mode & 0o077 and name != app.log.name} == {}


@pytest.mark.usefixtures("wide_umask")
def test_the_files_behind_a_link_are_taken_as_well(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    (real / "kept.db").touch(0o644)
    (tmp_path / "test.db").symlink_to(real / "kept.db")
    with Server(tmp_path) as app:
        app.token("Ana")
        assert {name: mode for name, mode in modes(real).items() if mode & 0o077} == {}


@pytest.mark.usefixtures("wide_umask")
async def test_backups_exports_and_what_a_restore_puts_aside_are_private(tmp_path: Path) -> None:
    house = tmp_path / "house"
    house.mkdir()
    database = house / "test.db"
    async with Database.opened(database):
        backup.copy(database, house / "backup.db")
    database.chmod(0o644)
    backup.restore(database, house / "backup.db")
    app = Server(house)
    app.run("import", "jsonl", str(_a_thread(tmp_path)), "--thread", "t")
    app.run("export", "jsonl", str(house / "export.jsonl"), "--thread", "t")
    found = modes(house)
    assert any("before" in name for name in found)
    assert {name: mode for name, mode in found.items() if mode & 0o077} == {}


def _a_thread(folder: Path) -> Path:
    path = folder / "thread.jsonl"
    path.write_text('{"id": "1", "parent": null, "author": "Bo", "created": 1700000000, "body_md": "Words"}\n')
    return path


@pytest.fixture
def common() -> Iterator[Path]:
    """A folder where everybody may write."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)


def deep(folder: Path) -> Path:
    """Return a folder whose path no Unix socket takes."""
    deep = folder / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)
    return deep


@pytest.mark.parametrize("name", ["test.db", "n" * 200 + ".db"])
def test_a_long_path_has_its_socket_beside_the_database_too(tmp_path: Path, common: Path, name: str) -> None:
    folder, shared = deep(tmp_path), common
    with Server(folder, LIVETHREAD_DATABASE=str(folder / name), TMPDIR=str(shared)) as app:
        place = control_socket.place(folder / name)
        assert place.parent == folder
        assert place.is_socket()
        app.run("account", "create", "Chief", stdin="a long password\n")
        # Nothing whose name could be foreseen stays where everybody may write.
        assert list(shared.iterdir()) == []


@as_root
@pytest.mark.parametrize("is_deep", [False, True])
def test_a_password_is_not_sent_to_a_stranger_who_listens(common: Path, is_deep: bool) -> None:
    folder = deep(common) if is_deep else common
    folder.chmod(0o777)
    place, heard = control_socket.place(folder / "test.db"), folder / "heard"
    # By a name that is short enough.
    with tempfile.TemporaryDirectory() as way:
        Path(way).chmod(0o755)
        Path(way, "f").symlink_to(folder)
        name = str(Path(way, "f", place.name))
        listening = subprocess.Popen([sys.executable, "-c", LISTENING, name, str(heard)])
        until(lambda: place.exists() and place.lstat().st_mode & 0o777 == 0o666)
    try:
        refused = Server(folder).run("account", "create", "Chief", check=False, stdin="a long password\n")
    finally:
        listening.kill()
        listening.wait()
    assert refused.returncode == 2
    assert "belongs to another user" in refused.stderr
    assert not heard.exists()


@as_root
def test_a_stranger_is_not_answered(common: Path) -> None:
    with Server(common) as app:
        place = control_socket.place(common / "test.db")
        place.chmod(0o666)
        asked = subprocess.run(
            [sys.executable, "-c", SPEAKING, str(place)], capture_output=True, text=True, timeout=30, check=True
        )
        assert asked.stdout.strip() == "b''"
        # The owner is.
        app.run("account", "create", "Chief", stdin="a long password\n")
