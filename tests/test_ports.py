"""Programs of the tests do not get into each other's way."""

from __future__ import annotations

import subprocess
import sys

from tests import ports
from tests.processes import ROOT


def test_a_port_that_was_given_away_is_given_to_nobody_else() -> None:
    given = {ports.free_port() for _ in range(200)}
    assert len(given) == 200
    # Another process draws the same ones first.
    asking = (
        "import random\nfrom tests import ports\n"
        f"drawn = iter({sorted(given)} + list(range(10_000, 32_000)))\n"
        "random.choice = lambda ours: next(drawn)\nprint(ports.free_port())"
    )
    other = subprocess.run([sys.executable, "-c", asking], capture_output=True, text=True, check=True, cwd=ROOT)
    assert int(other.stdout) not in given
