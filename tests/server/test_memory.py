"""Memory as the whole process handles it, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys

from tests.processes import ROOT

SETTLED = """
import gc
from server import memory_trimming

before = [[] for _ in range(1_000)]
memory_trimming.settle()
assert not any(one is before for one in gc.get_objects())
after = []
assert any(one is after for one in gc.get_objects())
"""


def test_what_is_there_at_the_start_is_not_looked_through_again() -> None:
    subprocess.run([sys.executable, "-c", SETTLED], check=True, cwd=ROOT)
