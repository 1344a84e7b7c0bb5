"""The image without an engine: its entry point as the first process of a name space, and its health checks."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.processes import ROOT, Server, until
from tests.programs import missing, path_of

PROBES = re.findall(r"python\"?, \"?-c\"?, (\".*?\")\]", (ROOT / "Dockerfile").read_text()) + re.findall(
    r"python, -c, (\".*?\")\]", (ROOT / "docker-compose.yml").read_text()
)
# Before Python is there, while it reads run.py and the libraries, while the database is opened, and after.
MOMENTS = [0, 0.02, 0.1, 0.3, 0.7, 1.5]


@pytest.mark.parametrize("proxies", [{}, dict.fromkeys(("http_proxy", "HTTP_PROXY"), "http://127.0.0.1:9")])
def test_health_checks_go_past_a_proxy(proxies: dict[str, str], tmp_path: Path) -> None:
    assert len(PROBES) == 2
    with Server(tmp_path) as app:
        for probe in PROBES:
            command = [sys.executable, "-c", json.loads(probe).replace("8000", str(app.port))]
            assert subprocess.run(command, env=os.environ | proxies, check=False).returncode == 0
    assert subprocess.run(command, env=os.environ | proxies, check=False, capture_output=True).returncode == 1


@pytest.mark.parametrize("seconds", MOMENTS)
def test_a_signal_at_any_moment_ends_the_first_process_with_0(seconds: float, tmp_path: Path) -> None:
    if os.geteuid():
        missing("only root can be the first process: the image's entry point was not tried")
    assert stopped_after(seconds, tmp_path) == 0


def stopped_after(seconds: float, folder: Path) -> int:
    """Start the image's entry point as process 1 of a name space, send SIGTERM then, and return the exit status."""
    entry = json.loads(re.findall(r"^ENTRYPOINT (.*)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)[0])
    command = [sys.executable if word == "python" else word for word in entry]
    command[0] = path_of((entry[0],), "no tini: the image's entry point was not tried")
    command[-1] = str(ROOT / command[-1])
    settings = Server(folder).environment
    outside = subprocess.Popen(
        ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "--", *command],
        env=settings, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    children = Path(f"/proc/{outside.pid}/task/{outside.pid}/children")
    try:
        until(lambda: children.read_text().strip() or outside.poll() is not None)
        inside = int(children.read_text())
        # tini keeps signals before it starts anything.
        until(lambda: Path(f"/proc/{inside}/task/{inside}/children").read_text().strip())
        time.sleep(seconds)
        os.kill(inside, signal.SIGTERM)
        return outside.wait(timeout=30)
    finally:
        outside.kill()
        outside.wait()


if __name__ == "__main__":
    # Many restarts: python3 -m tests.deploy.test_image 200
    import random
    import tempfile

    statuses = []
    for _ in range(int(sys.argv[1])):
        with tempfile.TemporaryDirectory() as made:
            statuses.append(stopped_after(random.uniform(0, 2), Path(made)))
    print({status: statuses.count(status) for status in set(statuses)})
