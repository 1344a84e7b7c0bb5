"""Memory as the whole process handles it, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

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


LEFT = """
from server.memory_trimming import Trimmer, _free_bytes, begin

begin()
trimmer = Trimmer()
trimmer.give_back()
pieces = [bytes(20_000) for _ in range(2_000)]
# One in a hundred stays: what is free lies between them.
kept = pieces[::100]
del pieces


def resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


before = resident()
free = _free_bytes()
assert free > 30_000_000
trimmer.give_back()
assert before - resident() > 25_000_000
assert trimmer._left_bytes > 20_000_000
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc keeps so much")
def test_what_a_flood_leaves_goes_back_to_the_system_though_little_of_it_is_still_used() -> None:
    subprocess.run([sys.executable, "-c", LEFT], check=True, cwd=ROOT)
