"""livethread as a package: built as wheel and sdist, installed where no checkout is, and used there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from server import __version__
from tests.programs import missing

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the sdist. The wheel is built from the sdist, so that one proves the other."""
    folder = tmp_path_factory.mktemp("dist")
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command `livethread`, in an environment that holds nothing but the wheel and the locked libraries."""
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    libraries = subprocess.run(
        [*pip, "--require-hashes", "--no-deps", "-r", str(ROOT / "requirements.txt")],
        capture_output=True,
        text=True,
        check=False,
    )
    if libraries.returncode:
        missing(f"the libraries cannot be fetched: the wheel was not installed\n{libraries.stderr[-500:]}")
    # From the wheel alone: what it needs beyond the lock would be fetched here, and there is nowhere to fetch it from.
    (wheel,) = built.glob("*.whl")
    subprocess.run([*pip, "--no-index", str(wheel)], check=True)
    return folder / "bin" / "livethread"


def run(command: Path, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(command), *arguments],
        cwd=folder,
        env={"PATH": os.defpath, "LIVETHREAD_PORT": "0"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@contextmanager
def serving(command: Path, folder: Path) -> Iterator[str]:
    environment = {"PATH": os.defpath, "LIVETHREAD_PORT": "0"}
    server = subprocess.Popen([str(command)], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        address = re.search(r"http://127\.0\.0\.1:\d+", server.stdout.readline())
        assert address is not None
        yield address[0]
    finally:
        server.terminate()
        server.communicate(timeout=30)
    assert server.returncode == 0


def test_the_wheel_holds_what_is_served_and_no_tests(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert any(name.startswith("server/static/built/thread.js") for name in names)
    assert any(name.endswith("templates/thread.html") for name in names)
    assert any(name.endswith("001_first.sql") for name in names)
    assert {name.split("/")[0] for name in names} == {"channels", "server", f"livethread-{__version__}.dist-info"}


def test_the_sdist_holds_the_sources_of_the_client(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"static/thread.js", "static/built/thread.js", "run.py", "README.md", "LICENSE"} <= names
    assert not {name for name in names if name.startswith(("tests/", ".venv", "node_modules"))}


def test_the_installed_command_names_its_version_and_no_check(installed: Path, tmp_path: Path) -> None:
    assert run(installed, "--version", folder=tmp_path).stdout == f"livethread {__version__}\n"
    told = run(installed, "--help", folder=tmp_path).stdout
    assert told.startswith("usage: livethread")
    assert "torture" not in told
    assert run(installed, "test", folder=tmp_path).returncode == 2


def test_the_installed_command_imports_serves_and_backs_up(installed: Path, tmp_path: Path) -> None:
    record = '{"id": "1", "parent": null, "author": "Ana", "created": 1700000000, "body_md": "From a file"}\n'
    (tmp_path / "thread.jsonl").write_text(record, encoding="utf-8")
    imported = run(installed, "import", "jsonl", "thread.jsonl", "--thread", "installed", folder=tmp_path)
    assert imported.returncode == 0, imported.stderr
    with serving(installed, tmp_path) as origin, httpx2.Client(base_url=origin, trust_env=False) as client:
        assert client.get("/health").json() == {"status": "ok", "version": __version__}
        page = client.get("/t/installed").text
        assert "From a file" in page
        addresses = re.findall(r'(?:src|href)="(/static/[^"]+)"', page)
        assert len(addresses) >= 4
        assert [client.get(address).status_code for address in addresses] == [200] * len(addresses)
        backed_up = run(installed, "backup", "copy.db", folder=tmp_path)
        assert backed_up.returncode == 0, backed_up.stderr
    assert "1 comments" in backed_up.stdout
