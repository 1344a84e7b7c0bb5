"""One owner for a database however it is reached, and no acknowledgement for what went into a file that is gone."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import httpx2
import pytest

from server.app import with_secret
from server.errors import CannotStart
from server.settings import read
from server.storage.engine import backup
from server.storage.engine.database import Database
from server.storage.engine.schema import WAL_BYTES
from server.storage.engine.write import Write
from server.storage.threads import threads
from tests.processes import ROOT, Server, until

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount, and be another user")
STRANGER = 65534


async def test_a_link_and_its_database_have_one_owner(tmp_path: Path) -> None:
    folder, link = tmp_path / "real", tmp_path / "linked.db"
    folder.mkdir()
    link.symlink_to(folder / "kept.db")
    async with Database.opened(link):
        with pytest.raises(CannotStart, match="is already in use"):
            async with Database.opened(folder / "kept.db"):
                pass
    assert {path.name for path in tmp_path.iterdir()} == {"real", "linked.db"}


async def test_a_restore_through_a_link_keeps_the_link(tmp_path: Path) -> None:
    folder, link = tmp_path / "real", tmp_path / "linked.db"
    folder.mkdir()
    link.symlink_to(folder / "kept.db")
    async with Database.opened(link):
        backup.copy(link, tmp_path / "backup.db")
    _, aside = backup.restore(link, tmp_path / "backup.db")
    assert link.is_symlink()
    assert aside is not None
    assert aside.parent == folder
    assert backup.examine(folder / "kept.db").form > 0


def test_the_secret_lies_beside_the_database_and_not_beside_a_link_to_it(tmp_path: Path) -> None:
    folder, link = tmp_path / "real", tmp_path / "linked.db"
    folder.mkdir()
    link.symlink_to(folder / "kept.db")
    through_link = with_secret(read({"LIVETHREAD_DATABASE": str(link)}))
    assert through_link.secret == with_secret(read({"LIVETHREAD_DATABASE": str(folder / "kept.db")})).secret
    assert (folder / "kept.db.secret").stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / "linked.db.secret").exists()


def test_a_secret_that_an_earlier_version_kept_beside_a_link_still_holds(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "linked.db").symlink_to(tmp_path / "real" / "kept.db")
    (tmp_path / "linked.db.secret").write_text("a secret of years ago")
    assert with_secret(read({"LIVETHREAD_DATABASE": str(tmp_path / "linked.db")})).secret == "a secret of years ago"


@pytest.mark.parametrize(
    "content", [b"\n", b"short", b"\xff" * 40, b" \t\n" * 20], ids=["line feed", "short", "no text", "spaces"]
)
def test_a_secret_file_without_a_secret_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "test.db.secret"
    path.write_bytes(content)
    with pytest.raises(CannotStart, match=r"LIVETHREAD_SECRET: .*test\.db\.secret holds none") as refused:
        with_secret(read({"LIVETHREAD_DATABASE": str(tmp_path / "test.db")}))
    assert "short" not in str(refused.value)
    assert path.read_bytes() == content


def test_a_secret_file_that_a_crash_left_empty_is_filled(tmp_path: Path) -> None:
    (tmp_path / "test.db.secret").touch()
    assert len(with_secret(read({"LIVETHREAD_DATABASE": str(tmp_path / "test.db")})).secret) > 30
    assert [path.name for path in tmp_path.iterdir()] == ["test.db.secret"]


async def test_a_database_with_a_second_name_is_refused(tmp_path: Path) -> None:
    async with Database.opened(tmp_path / "test.db"):
        pass
    (tmp_path / "other.db").hardlink_to(tmp_path / "test.db")
    with pytest.raises(CannotStart, match="has another name as well"):
        async with Database.opened(tmp_path / "other.db"):
            pass


@as_root
def test_a_database_that_is_mounted_without_its_folder_is_refused(tmp_path: Path) -> None:
    mounted, outside = tmp_path / "a b.db", tmp_path / "outside.db"
    outside.touch()
    mounted.touch()
    bound = subprocess.run(["mount", "--bind", outside, mounted], capture_output=True, text=True, check=False)
    if bound.returncode:
        pytest.skip(f"nothing can be mounted here: {bound.stderr.strip()}")
    try:
        with pytest.raises(CannotStart, match="is mounted by itself"):
            with_secret(read({"LIVETHREAD_DATABASE": str(mounted)}))
        with pytest.raises(CannotStart, match="is mounted by itself"):
            backup.restore(mounted, outside)
    finally:
        subprocess.run(["umount", mounted], check=True)


@pytest.mark.parametrize("ending", ["", "-wal", ".lock"])
@pytest.mark.parametrize("is_replaced", [False, True])
def test_an_app_whose_file_is_gone_acknowledges_nothing_and_ends(
    tmp_path: Path, ending: str, is_replaced: bool
) -> None:
    app = Server(tmp_path)
    with app, app.commenter("Ana") as ana:
        process = app.process
        path = tmp_path / f"test.db{ending}"
        if is_replaced:
            shutil.copy(path, tmp_path / "copy")
            (tmp_path / "copy").replace(path)
        else:
            path.unlink()
        try:
            answer = ana.post("/api/threads/t/comments", json={"body": "Words", "nonce": "n" * 16})
            assert answer.status_code == 503, answer.text
        except httpx2.TransportError:
            # It had noticed by itself, and ended.
            pass
        assert process is not None
        until(lambda: process.poll() is not None)
        assert process.returncode == 1
        app.died()
    assert f"test.db{ending} is {'another file' if is_replaced else 'gone'}" in app.log.read_text()
    assert "Traceback" not in app.log.read_text()


def test_an_app_without_requests_notices_as_well(tmp_path: Path) -> None:
    app = Server(tmp_path)
    with app:
        (tmp_path / "test.db").unlink()
        until(app.died)
    assert "test.db is gone" in app.log.read_text()


async def test_the_log_is_cut_after_a_long_reader(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    wal = tmp_path / "test.db-wal"

    def grow(write: Write) -> None:
        write.sql.execute("CREATE TABLE IF NOT EXISTS ballast (x)")
        write.sql.execute("INSERT INTO ballast VALUES (zeroblob(1000000))")

    async with Database.opened(path) as database:
        reader = sqlite3.connect(path, isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM clock").fetchone()
        while wal.stat().st_size < 2 * WAL_BYTES:
            await database.write(grow)
        reader.close()
        for _ in range(3):
            await database.write(grow)
        assert wal.stat().st_size <= WAL_BYTES
        assert await database.read(threads.clock)


@as_root
def test_what_root_makes_before_the_first_start_belongs_to_the_owner_of_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "service"
    folder.mkdir()
    os.chown(folder, STRANGER, STRANGER)
    app = Server(folder)
    app.run("account", "create", "Chief", stdin="a long password\n")
    app.run("backup", str(folder / "copy.db"))
    app.run("restore", str(folder / "copy.db"))
    with_secret(read({"LIVETHREAD_DATABASE": str(folder / "test.db")}))
    found = {path.name: (path.stat().st_uid, path.stat().st_mode & 0o777) for path in folder.iterdir()}
    assert {"test.db", "test.db.lock", "test.db.secret", "copy.db"} < set(found)
    assert set(found.values()) == {(STRANGER, 0o600)}


# A start as another user: all that Python needs is read before.
STARTING = f"""
import asyncio, encodings.ascii, os, pathlib, sys
from server.app import with_secret
from server.settings import read
from server.storage.engine.database import Database
os.setgroups([]); os.setgid({STRANGER}); os.setuid({STRANGER})
async def start():
    settings = with_secret(read({{"LIVETHREAD_DATABASE": sys.argv[1]}}))
    async with Database.opened(settings.database): pass
asyncio.run(start())
"""


@as_root
@pytest.mark.parametrize("ending", ["", "-wal", ".lock", ".secret"])
def test_a_file_that_belongs_to_somebody_else_is_named_with_its_owner(ending: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for one in ("", "-wal", ".lock", ".secret"):
            path = folder / f"test.db{one}"
            path.touch(0o600)
            if one == ".secret":
                path.write_text("a secret that is long enough")
            if one != ending:
                os.chown(path, STRANGER, STRANGER)
        os.chown(folder, STRANGER, STRANGER)
        done = subprocess.run(
            [sys.executable, "-c", STARTING, str(folder / "test.db")],
            cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert f"test.db{ending} belongs to root (mode 0600), and this process, which runs as " in done.stderr
        assert "CannotStart: LIVETHREAD_" in done.stderr


@as_root
@pytest.mark.parametrize(
    "command",
    [
        "", "export jsonl FOLDER/e --thread k", "account create Ana --role staff --password words-of-hers", "site list",
        "thread list", "backup FOLDER/b", "backup -", "restore FOLDER/file", "restore -", "doctor",
    ],
)  # fmt: skip
@pytest.mark.parametrize("below", ["", "further/"])
def test_a_folder_that_may_not_be_entered_is_named(command: str, below: str, tmp_path: Path) -> None:
    closed = closed_folder(tmp_path)
    (tmp_path / "file").write_bytes(b"")
    done = powerless(tmp_path, command, LIVETHREAD_DATABASE=f"{closed}/{below}kept.db")
    said = f"{closed} belongs to nobody (mode 0700), and this process, which runs as root, may not enter it.\n"
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert done.returncode == 2


@as_root
def test_files_that_may_not_be_read_or_written_are_named(tmp_path: Path) -> None:
    closed = closed_folder(tmp_path)
    theirs = tmp_path / "theirs.db"
    theirs.write_bytes(b"")
    theirs.chmod(0o600)
    os.chown(theirs, STRANGER, STRANGER)
    closed_to_us = f"{closed} belongs to nobody (mode 0700), and this process, which runs as root, may not enter it.\n"
    for command, said in (
        ("backup CLOSED/b", f"The backup cannot be written: {closed_to_us}"),
        ("restore CLOSED/b", f"{closed}/b cannot be read: {closed_to_us}"),
        ("restore FOLDER/theirs.db", f"{theirs} cannot be read: {theirs} belongs to nobody (mode 0600), and this "),
    ):
        done = powerless(tmp_path, command.replace("CLOSED", str(closed)))
        assert done.stderr.startswith(f"livethread: {said}"), done.stderr
        assert done.returncode in (1, 2)


@as_root
def test_a_gateway_needs_no_way_to_a_database(tmp_path: Path) -> None:
    gateway = Server(tmp_path, "gateway", LIVETHREAD_DATABASE=f"{closed_folder(tmp_path)}/kept.db")
    gateway.program = (*POWERLESS, *gateway.program)
    with gateway:
        assert httpx2.get(f"{gateway.origin}/health", trust_env=False).status_code == 200


# Root's word counts for no more than a user's.
POWERLESS = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--")


def closed_folder(above: Path) -> Path:
    folder = above / "closed"
    folder.mkdir(mode=0o700)
    os.chown(folder, STRANGER, STRANGER)
    return folder


def powerless(folder: Path, command: str, **settings: str) -> subprocess.CompletedProcess[str]:
    server = Server(folder, **settings)
    words = command.replace("FOLDER", str(folder)).split()
    return subprocess.run(
        [*POWERLESS, *server.program, *words],
        env=server.environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
