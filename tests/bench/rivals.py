"""The same task given to others: what a delivery and an idle connection cost there, as far as they can be had here."""

from __future__ import annotations

import contextlib
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.bench.crowd import Crowd, masked
from tests.bench.fan_out import FRAME_BYTES, FRAMES, NAP_SECONDS, idle, ours
from tests.bench.figure import Figure, cpu_seconds, on_the_servers_core, resident_bytes

PROGRAM = Path(__file__).with_suffix(".mjs")
PACKAGES = ["ws@8.23.0", "socket.io@4.8.4", "bun@1.4.5"]
FIRST_READERS = 200
NCHAN_MODULES = ("/usr/lib/nginx/modules/ngx_nchan_module.so", "/usr/share/nginx/modules/ngx_nchan_module.so")
NCHAN = """
load_module {module};
daemon off; master_process off; pid {folder}/pid; error_log {folder}/log; worker_rlimit_nofile 20000;
events {{ worker_connections 15000; }}
http {{
    access_log off; client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
    uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location = /live {{ nchan_subscriber websocket; nchan_channel_id bench; }}
        location = /post {{ nchan_publisher; nchan_channel_id bench; }}
    }}
}}
"""


@dataclass(frozen=True, slots=True)
class Rival:
    """A running server: how its readers connect, and what makes it send one frame to all of them."""

    process: subprocess.Popen[str]
    port: int
    go: Callable[[Crowd], None] = lambda crowd: crowd.say("go")
    path: str = "/live"
    greeting: bytes = b""


def rivals(folder: Path, readers: int) -> list[Figure]:
    """CPU of a delivery of 600 bytes and memory of an idle connection, beside those of others."""
    delivery, memory = ours(folder, readers), idle(folder, readers)[0].value
    what = f"fan-out of {FRAME_BYTES} B to {readers:,} readers, CPU per delivery"
    figures = []
    for name, start in _those_at_hand(folder).items():
        with start() as rival:
            their_delivery, their_memory = _measured(rival, readers)
        figures += [
            Figure(what, delivery, "µs", name, their_delivery),
            Figure(f"idle connection of {readers:,}, memory of the server", memory, "KiB", name, their_memory),
        ]
    return figures


def _those_at_hand(folder: Path) -> dict[str, Callable[[], contextlib.AbstractContextManager[Rival]]]:
    """Return how to start each; what is not installed here, or cannot be fetched, is named and left out."""
    found: dict[str, Callable[[], contextlib.AbstractContextManager[Rival]]] = {}
    module = next((path for path in NCHAN_MODULES if Path(path).exists()), None)
    if module and shutil.which("nginx"):
        found["nchan"] = lambda: _nchan(folder, module)
    else:
        _leave_out("nchan", "nginx with its module is not installed")
    npm, node = shutil.which("npm"), shutil.which("node")
    if not npm or not node:
        _leave_out("ws, socket.io and bun", "node and npm are not installed")
        return found
    fetched = subprocess.run([npm, "install", "--prefix", str(folder), "--silent", *PACKAGES], check=False)
    if fetched.returncode:
        _leave_out("ws, socket.io and bun", "npm cannot fetch them")
        return found
    shutil.copy(PROGRAM, folder)
    program = str(folder / PROGRAM.name)
    found["ws"] = lambda: _script(node, program, "ws")
    found["socket.io"] = lambda: _script(node, program, "socketio")
    found["bun"] = lambda: _script(str(folder / "node_modules/.bin/bun"), program, "bun")
    return found


def _measured(rival: Rival, readers: int) -> tuple[float, float]:
    """Return microseconds of a delivery (median of the frames) and KiB of an idle connection."""
    pid = rival.process.pid
    with contextlib.closing(Crowd(NAP_SECONDS)) as crowd:
        crowd.connect(rival.port, FIRST_READERS, rival.greeting, rival.path)
        crowd.drain(0.5)
        before = resident_bytes(pid)
        crowd.connect(rival.port, readers - FIRST_READERS, rival.greeting, rival.path)
        crowd.drain(1.0)
        memory = (resident_bytes(pid) - before) / (readers - FIRST_READERS) / 1024
        costs = []
        for _ in range(FRAMES):
            crowd.forget()
            began = cpu_seconds(pid)
            rival.go(crowd)
            crowd.expect(readers * (FRAME_BYTES - 10))
            crowd.drain(0.3)
            costs.append((cpu_seconds(pid) - began) / readers * 1e6)
    return statistics.median(costs[2:]), memory


@contextlib.contextmanager
def _script(interpreter: str, program: str, name: str) -> Iterator[Rival]:
    with on_the_servers_core():
        process = subprocess.Popen([interpreter, program, name], stdout=subprocess.PIPE, text=True)
    with _ended(process):
        assert process.stdout is not None
        port = int(process.stdout.readline())
        if name == "socketio":
            go = masked('42["go"]')
            yield Rival(
                process, port, lambda crowd: next(iter(crowd.sockets.values())).sendall(go),
                "/socket.io/?EIO=4&transport=websocket", masked("40"),
            )  # fmt: skip
        else:
            yield Rival(process, port)


@contextlib.contextmanager
def _nchan(folder: Path, module: str) -> Iterator[Rival]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = folder / "nginx.conf"
    settings.write_text(NCHAN.format(module=module, folder=folder, port=port), encoding="utf-8")
    nginx = shutil.which("nginx")
    assert nginx
    with on_the_servers_core():
        process = subprocess.Popen([nginx, "-c", str(settings)], text=True)

    def post(_: Crowd) -> None:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/post", data=b"x" * (FRAME_BYTES - 4)).close()

    with _ended(process):
        time.sleep(1)
        yield Rival(process, port, post)


@contextlib.contextmanager
def _ended(process: subprocess.Popen[str]) -> Iterator[None]:
    try:
        yield
    finally:
        process.kill()
        process.communicate()


def _leave_out(what: str, why: str) -> None:
    print(f"rivals: without {what}: {why}", file=sys.stderr)
