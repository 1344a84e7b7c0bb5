"""The same task given to others: what a delivery and an idle connection cost there, as far as they can be had here."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.bench.crowd import Crowd, masked
from tests.bench.fan_out import FRAME_BYTES, NAP_SECONDS, delivery_cost, idle, ours, printed, running
from tests.bench.figure import Figure, resident_bytes
from tests.bench.rounds import in_rounds

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
    memory = idle(folder, readers)[0].value
    theirs: dict[str, float] = {}

    def measured(name: str, start: Callable[[], contextlib.AbstractContextManager[Rival]]) -> float:
        with start() as rival:
            delivery, theirs[name] = _measured(rival, readers)
        return delivery

    at_hand = _those_at_hand(folder)
    found = in_rounds(
        {
            "livethread": lambda: ours(folder, readers),
            **{name: partial(measured, name, start) for name, start in at_hand.items()},
        }
    )
    what = f"fan-out of {FRAME_BYTES} B to {readers:,} readers, CPU per delivery"
    figures = []
    for name in at_hand:
        figures += [
            Figure.of_rounds(what, "µs", found["livethread"], name, found[name]),
            Figure(f"idle connection of {readers:,}, memory of the server", memory, "KiB", name, theirs[name]),
        ]
    return figures


def _those_at_hand(folder: Path) -> dict[str, Callable[[], contextlib.AbstractContextManager[Rival]]]:
    """Return how to start each; what is not installed here, or cannot be fetched, is named and left out."""
    found: dict[str, Callable[[], contextlib.AbstractContextManager[Rival]]] = {}
    module = next((path for path in NCHAN_MODULES if Path(path).exists()), None)
    nginx = shutil.which("nginx")
    if module and nginx:
        found["nchan"] = lambda: _nchan(folder, nginx, module)
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
        # Socket.IO's frame is a byte or two shorter.
        return delivery_cost(crowd, pid, lambda: rival.go(crowd), FRAME_BYTES - 10), memory


@contextlib.contextmanager
def _script(interpreter: str, program: str, name: str) -> Iterator[Rival]:
    with running(interpreter, program, name) as process:
        port = int(printed(process))
        if name == "socketio":
            go = masked('42["go"]')
            yield Rival(
                process, port, lambda crowd: next(iter(crowd.sockets.values())).sendall(go),
                "/socket.io/?EIO=4&transport=websocket", masked("40"),
            )  # fmt: skip
        else:
            yield Rival(process, port)


@contextlib.contextmanager
def _nchan(folder: Path, nginx: str, module: str) -> Iterator[Rival]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = folder / "nginx.conf"
    settings.write_text(NCHAN.format(module=module, folder=folder, port=port), encoding="utf-8")

    def post(_: Crowd) -> None:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/post", data=b"x" * (FRAME_BYTES - 4)).close()

    with running(nginx, "-c", str(settings)) as process:
        time.sleep(1)
        yield Rival(process, port, post)


def _leave_out(what: str, why: str) -> None:
    print(f"rivals: without {what}: {why}", file=sys.stderr)
