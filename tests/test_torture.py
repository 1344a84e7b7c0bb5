"""The quick form of every torture; the long one is `python3 run.py torture`."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.processes import ROOT
from tests.torture.__main__ import SCENARIOS


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_promise_is_kept_under(name: str) -> None:
    command = [sys.executable, "-m", "tests.torture", "--quick", name]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if "skipped: " in done.stdout and os.environ.get("CI") != "true":
        pytest.skip(done.stdout.partition("skipped: ")[2].splitlines()[0])
    assert done.returncode == 0, done.stdout + done.stderr
    assert "kept" in done.stdout, done.stdout
