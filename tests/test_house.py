"""The rules of the house, one test each: linters, types, layers, locks, sizes, and settings that are written down."""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from server import settings
from server.settings import readme_table
from tests.programs import missing

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ["requirements.txt", "requirements-dev.txt", "package-lock.json"]
MOST_LINES = 400
STARTS_A_TASK = ("create_task", "ensure_future", "run_coroutine_threadsafe")
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


def test_the_table_of_the_settings_is_the_declared_one() -> None:
    readme = readme_table.README.read_text(encoding="utf-8")
    assert readme_table.table() in readme, "run `python3 -m server.settings.readme_table`"
    assert len(list(settings.declared())) > 30


def test_every_name_that_is_written_of_a_setting_exists() -> None:
    everywhere = [path for path in source_files(".py") if "tests" not in path.parts]
    everywhere += [ROOT / "README.md", ROOT / "docker-compose.yml", *(ROOT / "docs").glob("*.md")]
    named = {
        name
        for path in everywhere
        for name in re.findall(r"\bLIVETHREAD_[A-Z][A-Z_]*[A-Z]\b", path.read_text(encoding="utf-8"))
    }
    assert len(named) > 30
    assert settings.ignored(dict.fromkeys(named, "")) == []


def test_every_task_has_an_owner() -> None:
    """Tasks are created by channels/tasks.py alone, or in a TaskGroup that the same function waits for."""
    bare = [
        f"{path.relative_to(ROOT)}:{line}"
        for folder in ("channels", "server")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if path != ROOT / "channels" / "tasks.py"
        for line in bare_tasks(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert bare == []


def bare_tasks(tree: ast.AST) -> list[int]:
    """Return the lines that create a task which nobody owns."""
    groups = {
        item.optional_vars.id
        for node in ast.walk(tree)
        if isinstance(node, ast.AsyncWith)
        for item in node.items
        if isinstance(item.optional_vars, ast.Name) and ast.unparse(item.context_expr) == "asyncio.TaskGroup()"
    }
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute | ast.Name)
        and (node.attr if isinstance(node, ast.Attribute) else node.id) in STARTS_A_TASK
        and not (isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in groups)
    ]


def test_a_bare_task_is_found_and_a_group_that_is_waited_for_is_none() -> None:
    bare = "async def f(loop):\n    loop.create_task(g())\n    asyncio.ensure_future(g())\n    create_task(g())"
    owned = "async def f():\n    async with asyncio.TaskGroup() as tasks:\n        tasks.create_task(g())"
    assert bare_tasks(ast.parse(bare)) == [2, 3, 4]
    assert bare_tasks(ast.parse(owned)) == []


def test_what_a_page_is_waited_for_is_a_function() -> None:
    """The policy of a page lets an expression be evaluated once: a wait that needs a second look would fail."""
    for path in (ROOT / "tests").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        bare = re.findall(r'wait_for_function\(\s*f?"(?!\(|async |"")[^"]*', text)
        assert [one for one in bare if path != Path(__file__)] == [], path.name
