"""What an operator is told when something around livethread is not as it should be, and that the rest goes on."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import subprocess
from pathlib import Path

import httpx2
import pytest

from server import operator_commands
from server.errors import CannotStart
from server.settings import read
from tests.processes import Server, until

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")


def test_a_gateway_with_another_secret_says_so(tmp_path: Path) -> None:
    with Server(tmp_path) as app:
        gateway = Server(
            tmp_path, "gateway", LIVETHREAD_APP_URL=app.origin, LIVETHREAD_SECRET="another-secret-than-there"
        )
        with gateway:
            until(lambda: "LIVETHREAD_SECRET is another one there" in gateway.log.read_text())
            assert "another-secret" not in gateway.log.read_text()


def test_a_gateway_whose_app_is_something_else_says_so(tmp_path: Path) -> None:
    # Another gateway answers no polls.
    with (
        Server(tmp_path, "gateway") as other,
        Server(tmp_path, "gateway", LIVETHREAD_APP_URL=other.origin) as gateway,
    ):
        until(lambda: "answers 404, as livethread does not: LIVETHREAD_APP_URL" in gateway.log.read_text())


async def test_a_command_does_not_wait_for_an_app_that_is_frozen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operator_commands, "ANSWER_SECONDS", 0.2)
    with Server(tmp_path) as app:
        assert app.process is not None
        settings = read({"LIVETHREAD_DATABASE": str(tmp_path / "test.db")})
        async with asyncio.timeout(60), operator_commands.owner(settings) as owner:
            assert (await owner.ask("origin", {}))["origin"] == app.origin
        app.process.send_signal(signal.SIGSTOP)
        try:
            with pytest.raises(CannotStart, match="has not answered"):
                async with asyncio.timeout(60), operator_commands.owner(settings):
                    pass
        finally:
            app.process.send_signal(signal.SIGCONT)


def test_redirects_lead_to_where_the_browser_is(tmp_path: Path) -> None:
    with Server(tmp_path) as app, httpx2.Client(base_url=app.origin, trust_env=False) as client:
        # A proxy that passes on the host without its port.
        client.headers["host"] = "talk.example"
        found = {path: client.get(path) for path in ("/search/?q=words", "/t/key/", "/account/")}
        assert {path: (answer.status_code, answer.headers.get("location")) for path, answer in found.items()} == {
            "/search/?q=words": (307, "/search?q=words"),
            "/t/key/": (307, "/t/key"),
            "/account/": (307, "/account"),
        }
        # Two slashes would begin the name of another host.
        answer = client.get(app.origin + "//evil.example/t/key/")
        assert not answer.headers.get("location", "").startswith("//")


@as_root
@pytest.mark.parametrize("is_running", [False, True])
def test_a_backup_into_a_folder_that_is_read_only_says_so(tmp_path: Path, is_running: bool) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "ro", "none", folder], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"nothing can be mounted here: {mounted.stderr.strip()}")
    app = Server(tmp_path)
    try:
        if is_running:
            app.start()
        done = app.run("backup", str(folder / "copy.db"), check=False)
    finally:
        app.stop()
        subprocess.run(["umount", folder], check=True)
    assert done.returncode in (1, 2)
    assert done.stderr == f"livethread: The backup cannot be written: {folder} is read-only for this process.\n"


def test_an_app_without_file_descriptors_says_so_and_goes_on(tmp_path: Path) -> None:
    app = Server(tmp_path)
    with app:
        assert app.process is not None
        before = resource.prlimit(app.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(app.process.pid, resource.RLIMIT_NOFILE, (3, before[1]))
        until(lambda: "no file descriptor is left of 3" in app.log.read_text())
        resource.prlimit(app.process.pid, resource.RLIMIT_NOFILE, before)
        app.token("Ana")
    assert app.log.read_text().count("no file descriptor is left") == 1


def test_a_rename_by_an_operator_says_both_names(tmp_path: Path) -> None:
    app = Server(tmp_path)
    app.run("account", "create", "Ana", stdin="a long password\n")
    assert app.run("account", "rename", "Ana", "Maria").stdout == "Ana is now called Maria\n"
