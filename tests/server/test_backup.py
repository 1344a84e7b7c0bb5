"""Copies of the database: made while it is written, and put back."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
from websockets.asyncio.client import connect

from tests.processes import ROOT, Server


def post(client: httpx2.Client, number: int) -> int:
    comment = {"body": f"Comment {number}", "nonce": f"backup-{number:020d}"}
    answer = client.post("/api/threads/kept/comments", json=comment)
    assert answer.status_code == 201, answer.text
    return int(answer.json()["comment"]["version"])


async def test_a_backup_of_a_running_server_holds_all_that_was_acknowledged_before_it(tmp_path: Path) -> None:
    with Server(tmp_path) as app, app.commenter("Ana") as client:
        for number in range(20):
            post(client, number)
        writing = asyncio.create_task(asyncio.to_thread(lambda: [post(client, n) for n in range(20, 120)]))
        said = await asyncio.to_thread(app.run, "backup", str(tmp_path / "kept.backup"))
        await writing
        assert "integrity ok" in said.stdout
        refused = app.run("backup", str(tmp_path / "kept.backup"), check=False)
        assert refused.returncode == 1
        assert "already exists" in refused.stderr
    with sqlite3.connect(tmp_path / "kept.backup") as sql:
        bodies = {body for (body,) in sql.execute("SELECT body FROM comments")}
        assert {f"Comment {number}" for number in range(20)} <= bodies
        assert sql.execute("PRAGMA integrity_check").fetchone() == ("ok",)


async def test_a_restored_database_has_a_new_epoch_and_open_pages_begin_anew(tmp_path: Path) -> None:
    with Server(tmp_path) as app:
        with app.commenter("Ana") as client:
            post(client, 1)
            app.run("backup", str(tmp_path / "kept.backup"))
            version = post(client, 2)
            before = client.get("/api/threads/kept").json()
        running = app.run("restore", str(tmp_path / "kept.backup"), check=False)
        assert running.returncode == 2
        assert "already in use" in running.stderr
        app.stop()
        app.run("restore", str(tmp_path / "kept.backup"))
        app.start()
        after = httpx2.get(f"{app.origin}/api/threads/kept", trust_env=False).json()
        assert after["epoch"] != before["epoch"]
        assert [one["html"] for one in after["comments"]] == ["<p>Comment 1</p>"]
        async with connect(app.live_url, proxy=None) as socket:
            join = {"type": "join", "thread": "kept", "epoch": before["epoch"], "after": version}
            await socket.send(json.dumps(join))
            assert json.loads(await socket.recv())["type"] == "reset"
    assert len(list(tmp_path.glob("test.db.before-*"))) == 1


def test_a_file_that_was_copied_back_by_hand_gets_a_new_epoch_in_its_place(tmp_path: Path) -> None:
    with Server(tmp_path) as app:
        with app.commenter("Ana") as client:
            post(client, 1)
            epoch = client.get("/api/threads/kept").json()["epoch"]
        app.run("backup", str(tmp_path / "kept.backup"))
        app.stop()
        shutil.copy(tmp_path / "kept.backup", tmp_path / "test.db")
        app.run("restore", str(tmp_path / "test.db"))
        app.start()
        page = httpx2.get(f"{app.origin}/api/threads/kept", trust_env=False).json()
        assert page["epoch"] != epoch
        assert len(page["comments"]) == 1


@pytest.mark.parametrize("content", [b"", b"no database at all"])
def test_what_is_no_backup_changes_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "test.db").write_bytes(b"as it was")
    (tmp_path / "wrong").write_bytes(content)
    refused = Server(tmp_path).run("restore", str(tmp_path / "wrong"), check=False)
    assert refused.returncode == 2
    assert "not a livethread database" in refused.stderr
    assert (tmp_path / "test.db").read_bytes() == b"as it was"


def test_a_backup_goes_through_a_pipe_and_comes_back_so(tmp_path: Path) -> None:
    program = [sys.executable, str(ROOT / "run.py")]
    copy, empty = tmp_path / "copy", tmp_path / "empty"
    empty.write_bytes(b"")
    with Server(tmp_path) as app:
        with app.commenter("Ana") as client:
            post(client, 1)
            with copy.open("wb") as out:
                done = subprocess.run(
                    [*program, "backup", "-"], env=app.environment, stdout=out, stderr=subprocess.PIPE, check=True
                )
            assert b"Backed up: 1 threads, 1 comments" in done.stderr
            post(client, 2)
            with copy.open("rb") as file:
                running = subprocess.run(
                    [*program, "restore", "-"], env=app.environment, stdin=file, capture_output=True, check=False
                )
            assert b"already in use" in running.stderr
        app.stop()
        for given, status in ((empty, 2), (copy, 0)):
            with given.open("rb") as read:
                restored = subprocess.run([*program, "restore", "-"], env=app.environment, stdin=read, check=False)
            assert restored.returncode == status
        app.start()
        page = httpx2.get(f"{app.origin}/api/threads/kept", trust_env=False).json()
        assert len(page["comments"]) == 1
    assert not list(tmp_path.glob("*.passing-*"))
