"""Readers of whom only the bytes count, in a process written in C: thousands cost it less than they cost the server."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.bench.compiled import compiled
from tests.bench.crowd import KEY, OFFER, UPGRADE


@dataclass(frozen=True, slots=True)
class Read:
    """What the multitude read since the last question: of all, of one reader, and for how long nothing came."""

    bytes: int
    least_bytes: int
    median_bytes: int
    gone: int
    quiet_ms: float


class Multitude:
    """`count` readers of a thread, none where nothing can compile C; they offer compression as browsers do."""

    def __init__(self, folder: Path, port: int, count: int, join: str) -> None:
        program = compiled("crowd", folder)
        self.count = count if program else 0
        self._process: subprocess.Popen[str] | None = None
        if program is None:
            return
        upgrade = UPGRADE.format(path="/live", key=KEY, more=OFFER)
        self._process = subprocess.Popen(
            [str(program), str(port), str(count), upgrade, join],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
        )  # fmt: skip
        assert self._answer() == "joined", f"the readers ended with {self._process.wait()}"

    def read(self) -> Read:
        if self._process is None:
            return Read(0, 0, 0, 0, 1e9)
        assert self._process.stdin is not None
        self._process.stdin.write("?")
        self._process.stdin.flush()
        total, least, median, gone, quiet = self._answer().split()
        return Read(int(total), int(least), int(median), int(gone), float(quiet))

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()

    def _answer(self) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()
