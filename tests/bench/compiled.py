"""What is written in C, compiled on the spot where there is a compiler."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

FOLDER = Path(__file__).parent


def compiled(name: str, folder: Path) -> Path | None:
    """Return the program that `name`.c makes, put into `folder`; None where nothing here can compile it."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None
    program = folder / name
    subprocess.run([compiler, "-O2", "-o", str(program), str(FOLDER / f"{name}.c")], check=True)
    return program
