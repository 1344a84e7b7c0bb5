"""The rules of the house, one test each: linters, types, layers, locks, sizes, and settings that are written down."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.programs import missing

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ["requirements.txt", "requirements-dev.txt", "package-lock.json"]
MOST_LINES = 400
COMPOSE_SECRET = {"LIVETHREAD_SECRET": "for-the-check-alone"}


def run_tool(*command: str, **environment: str) -> None:
    """Run it in the project's folder; fail with all that it wrote."""
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.fail(f"{' '.join(command[:4])} ended with {done.returncode}:\n{done.stdout}", pytrace=False)


def node_tool(name: str) -> str:
    tool = ROOT / "node_modules" / ".bin" / name
    if not tool.exists():
        missing(f"{name} is not installed: install Node.js and npm, then `python3 run.py test` fetches it")
    return str(tool)


def compose() -> str:
    tool = shutil.which("docker-compose")
    if tool is None:
        missing("docker-compose is not installed: docker-compose.yml was not checked")
    return str(tool)


def source_files(*suffixes: str) -> list[Path]:
    folders = [ROOT / name for name in ("channels", "server", "static", "tests")]
    return [ROOT / "run.py"] + [
        path for folder in folders for path in sorted(folder.rglob("*")) if path.suffix in suffixes and path.is_file()
    ]


def test_ruff_finds_nothing() -> None:
    run_tool(sys.executable, "-m", "ruff", "check", ".")


def test_python_is_formatted() -> None:
    run_tool(sys.executable, "-m", "ruff", "format", "--check", ".")


def test_types_hold() -> None:
    run_tool(sys.executable, "-m", "mypy")


def test_layers_hold() -> None:
    lint = "from importlinter.cli import lint_imports_command as lint; lint()"
    run_tool(sys.executable, "-c", lint, "--no-cache", PYTHONPATH=str(ROOT))


def test_types_of_the_client_hold() -> None:
    run_tool(node_tool("tsc"), "-p", ".")


def test_biome_finds_nothing() -> None:
    run_tool(node_tool("biome"), "check", "static")


def test_no_file_outgrows_one_room() -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_bytes().splitlines()) for path in source_files(".py", ".js", ".css")
    }
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_holds_hashes_and_no_address(name: str) -> None:
    lock = (ROOT / name).read_text(encoding="utf-8")
    # npm writes the page where a package asks for money; that is no place to fetch from.
    addresses = [line for line in lock.splitlines() if "://" in line and '"url":' not in line]
    assert addresses == []
    assert not re.search(r"(?m)^\s*(-i|-f|--(extra-)?index-url|--find-links)\b", lock)
    assert "sha256:" in lock or '"integrity": "sha512-' in lock


def test_the_lock_of_the_tests_agrees_with_the_lock_of_the_server() -> None:
    serve, tests = (
        set(re.findall(r"(?m)^[a-z0-9-]+==\S+", (ROOT / name).read_text(encoding="utf-8"))) for name in LOCKS[:2]
    )
    assert serve - tests == set()


def test_every_dependency_is_in_the_lock() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    listed = re.search(r"(?s)\ndependencies = \[(.*?)\n\]", project)
    assert listed is not None
    locked = set(re.findall(r"(?m)^([a-z0-9-]+)==", (ROOT / "requirements.txt").read_text(encoding="utf-8")))
    assert set(re.findall(r'"([a-z0-9-]+)[>=]', listed[1])) - locked == set()


def test_the_compose_file_is_valid() -> None:
    run_tool(compose(), "config", "-q", **COMPOSE_SECRET)


def test_the_compose_file_asks_for_the_secret() -> None:
    done = subprocess.run(
        [compose(), "config", "-q"],
        cwd=ROOT,
        env={**os.environ, "LIVETHREAD_SECRET": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "LIVETHREAD_SECRET" in done.stderr


def test_every_setting_is_documented() -> None:
    settings = (ROOT / "server" / "settings.py").read_text(encoding="utf-8")
    named = {f"LIVETHREAD_{name}" for name in re.findall(r'\bsetting\(\s*"([A-Z_]+)"', settings)}
    assert len(named) > 8
    everywhere = "\n".join(
        path.read_text(encoding="utf-8") for path in source_files(".py") if "tests" not in path.parts
    )
    named |= set(re.findall(r"\bLIVETHREAD_[A-Z][A-Z_]*[A-Z]\b", everywhere))
    documents = "\n".join(
        path.read_text(encoding="utf-8") for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    )
    assert {name for name in named if not re.search(rf"\b{name}\b", documents)} == set()
