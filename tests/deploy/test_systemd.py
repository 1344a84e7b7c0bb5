"""Under systemd as far as it can be had without its being the first process: sockets, words, and the hardened units."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from tests.ports import free_port
from tests.processes import ROOT, Server
from tests.programs import path_of

UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))
NO_SYSTEMD = "no systemd: the units of deploy/systemd were not tried"


def test_the_service_says_when_it_is_ready_alive_and_stopping(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(30)
        watched = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "2000000"}
        app = Server(tmp_path, **watched)
        app.start()
        try:
            assert manager.recv(500).decode().startswith(f"READY=1\nSTATUS=listens on {app.origin}")
            assert [manager.recv(500) for _ in range(2)] == [b"WATCHDOG=1"] * 2
        finally:
            app.stop()
        last = b""
        while last == b"WATCHDOG=1" or not last:
            last = manager.recv(500)
        assert last.startswith(b"STOPPING=1")


def test_a_socket_that_systemd_opened_is_served_with_what_had_arrived_before(tmp_path: Path) -> None:
    activate = path_of(("systemd-socket-activate",), NO_SYSTEMD)
    port = free_port()
    app = Server(tmp_path, LIVETHREAD_ORIGIN="https://talk.example")
    process = subprocess.Popen(
        [activate, "-l", f"127.0.0.1:{port}", *(f"-E{name}" for name in app.environment), sys.executable,
         str(ROOT / "run.py")],
        env=app.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        # The first connection starts it.
        transport = httpx2.HTTPTransport(retries=10)
        with httpx2.Client(trust_env=False, timeout=30, transport=transport) as client:
            assert client.get(f"http://127.0.0.1:{port}/health").json()["status"] == "ok"
        assert process.stdout is not None
        assert process.stdout.readline() == (
            f"livethread listens on http://127.0.0.1:{port}, seen as https://talk.example\n"
        )
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    assert process.returncode == 0


@pytest.mark.parametrize("unit", UNITS, ids=[unit.name for unit in UNITS])
def test_a_unit_is_valid_and_hardened(unit: Path, tmp_path: Path) -> None:
    analyze = path_of(("systemd-analyze",), NO_SYSTEMD)
    here = tmp_path / unit.name.replace("@", "@8001")
    # The program is where the operator will have put it.
    here.write_text(re.sub(r"/opt/livethread/bin/livethread", "/bin/true", unit.read_text()))
    verified = subprocess.run([analyze, "verify", "--man=no", here], check=False, capture_output=True, text=True)
    assert unit.stem.partition("@")[0] not in verified.stderr, verified.stderr
    threshold = subprocess.run(
        [analyze, "security", "--offline=true", "--threshold=15", "--no-pager", here],
        check=False, capture_output=True, text=True, env=os.environ | {"LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    assert threshold.returncode == 0, threshold.stdout[-300:]
