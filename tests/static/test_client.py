"""The client's parts that need no browser, tested by Node's own runner."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.programs import path_of


@pytest.mark.parametrize("file", sorted(Path(__file__).parent.glob("*.test.js")), ids=lambda path: path.name)
def test_node_finds_nothing_wrong(file: Path) -> None:
    node = path_of(("node",), "no node: the client's modules were not tested")
    done = subprocess.run([node, "--test", str(file)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
