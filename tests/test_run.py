"""What run.py and the command line say before there is a server, and where there cannot be one."""

import hashlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

import run

ROOT = Path(__file__).resolve().parent.parent
COMMANDS = ["gateway", "test", "import", "import jsonl", "import remark42", "replay", "demo", "account"]
ACCOUNT_ACTIONS = ["account create", "account role", "account password"]


def start(*arguments: str, folder: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run the command line with the interpreter of the tests, in `folder`, with these settings alone."""
    return subprocess.run(
        [sys.executable, str(ROOT / "run.py"), *arguments],
        cwd=folder,
        env={"PATH": os.environ.get("PATH", os.defpath), "LIVETHREAD_NO_VENV": "1", **settings},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A copy of what run.py needs to begin, without .venv."""
    folder = tmp_path / "clone"
    (folder / "server").mkdir(parents=True)
    for name in ("run.py", "requirements.txt", "requirements-dev.txt", "server/__init__.py", "server/cli_arguments.py"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def run_clone(clone: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # pip is sent to a port where nothing listens: nothing is fetched, whatever the machine is configured for.
    nowhere = {"PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": "http://127.0.0.1:9/"}
    return subprocess.run(
        [run.base_python(), str(clone / "run.py"), *arguments],
        env={"PATH": os.defpath, **nowhere},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("command", ["", *COMMANDS, *ACCOUNT_ACTIONS])
def test_help_needs_nothing_installed(clone: Path, command: str) -> None:
    done = subprocess.run(
        [run.base_python(), "-I", "-S", str(clone / "run.py"), *command.split(), "--help"],
        env={},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert f"usage: run.py {command}".strip() in done.stdout
    assert not (clone / ".venv").exists()


def test_what_follows_test_goes_to_pytest_in_its_order() -> None:
    from server.cli_arguments import parse

    assert parse(["test", "tests/a.py", "-k", "some name", "-x"]).pytest == ["tests/a.py", "-k", "some name", "-x"]


@pytest.mark.parametrize(
    ("words", "is_quick", "is_measured"),
    [([], False, False), (["quick"], True, False), (["coverage"], False, True), (["quick", "coverage"], True, True)],
)
def test_the_first_words_after_test_say_which_tests_and_whether_they_are_measured(
    words: list[str], is_quick: bool, is_measured: bool
) -> None:
    from server.cli_arguments import parse

    for given in ([], ["-k", "quick"], ["tests/a.py", "coverage"]):
        read = parse(["test", *words, *given])
        assert (read.is_quick, read.is_measured, read.pytest) == (is_quick, is_measured, given)


def test_the_quick_tests_open_no_browser() -> None:
    collect = [sys.executable, "-m", "pytest", "-n0", "--quick", "--collect-only", "-q", "-p", "no:cacheprovider"]
    collect += ["tests/journeys", "--deselect", "tests/journeys/test_authority.py"]
    done = subprocess.run(collect, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "tests/journeys/test_conversation.py::" in done.stdout
    assert not re.search(r"journeys/test_(firefox|two_browsers|reading)\.py", done.stdout)


def test_what_the_quick_tests_leave_out_is_there() -> None:
    from tests.conftest import QUICK_JOURNEYS, SLOW_PATHS

    named = [*SLOW_PATHS, *(f"journeys/{name}" for name in QUICK_JOURNEYS)]
    assert [path for path in named if not (ROOT / "tests" / path).exists()] == []


@pytest.mark.parametrize("speed", ["0", "-1", "nan", "inf", "fast"])
def test_a_speed_that_is_none_is_refused(tmp_path: Path, speed: str) -> None:
    done = start("demo", f"--speed={speed}", folder=tmp_path)
    assert done.returncode == 2
    assert "--speed" in done.stderr


def test_a_python_that_is_too_old_is_told_so() -> None:
    with pytest.raises(run.CannotGoOn, match=r"Python 3\.11 or newer is needed, and this is 3\.9"):
        run.check_python((3, 9, 18))


def test_windows_is_told_where_it_runs() -> None:
    with pytest.raises(run.CannotGoOn, match="WSL"):
        run.check_python((3, 12, 0), system="nt")


def test_run_is_written_in_the_words_of_old_pythons() -> None:
    compile_for_old = "import ast, sys; ast.parse(open(sys.argv[1]).read(), feature_version=(3, 6))"
    subprocess.run([sys.executable, "-c", compile_for_old, str(ROOT / "run.py")], check=True, timeout=20)


def test_without_a_network_it_says_so_and_leaves_no_venv_that_looks_whole(clone: Path) -> None:
    done = run_clone(clone)
    assert done.returncode == 2, done.stderr
    assert "no network" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((clone / ".venv").glob("installed-*"))


@pytest.mark.parametrize("is_in_a_file", [False, True])
def test_what_pip_is_told_elsewhere_does_not_lead_it_past_the_venv(
    clone: Path, tmp_path: Path, is_in_a_file: bool
) -> None:
    wheel = tmp_path / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as made:
        made.writestr("tiny.py", "")
        made.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        made.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        made.writestr("tiny-1.0.dist-info/RECORD", "")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (clone / "requirements.txt").write_text(f"tiny==1.0 --hash=sha256:{digest}\n")
    (tmp_path / "pip.conf").write_text("[install]\nuser = true\n")
    elsewhere = str(tmp_path / "elsewhere")
    odd = {"PIP_USER": "1", "PIP_TARGET": elsewhere, "PIP_PREFIX": elsewhere, "PIP_ROOT": elsewhere}
    subprocess.run(
        [run.base_python(), str(clone / "run.py")],
        env={
            "PATH": os.defpath,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(tmp_path),
            "PIP_CONFIG_FILE": str(tmp_path / "pip.conf") if is_in_a_file else os.devnull,
            **({} if is_in_a_file else odd),
        },
        capture_output=True,
        timeout=100,
        check=False,
    )
    assert list((clone / ".venv").glob("lib/python*/site-packages/tiny.py"))
    assert list((clone / ".venv").glob("installed-*"))
    assert not Path(elsewhere).exists()


@pytest.mark.parametrize("line", range(4))
def test_a_venv_of_another_lock_python_machine_or_place_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: int
) -> None:
    monkeypatch.setattr(run, "VENV", tmp_path)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(run.base_python())
    lines = run.lock_state(run.SERVE_LOCK).split("\n")
    run.lock_marker(run.SERVE_LOCK).write_text("\n".join(lines))
    assert run.is_installed(run.SERVE_LOCK)
    lines[line] += " of another"
    run.lock_marker(run.SERVE_LOCK).write_text("\n".join(lines))
    assert not run.is_installed(run.SERVE_LOCK)


def test_a_venv_whose_python_went_away_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "VENV", tmp_path)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(tmp_path / "python3.11")
    run.lock_marker(run.SERVE_LOCK).write_text(run.lock_state(run.SERVE_LOCK))
    assert not run.is_installed(run.SERVE_LOCK)


def test_a_second_run_waits_for_the_one_that_builds(clone: Path) -> None:
    import fcntl

    with (clone / ".venv.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        waiting = subprocess.Popen(
            [run.base_python(), str(clone / "run.py")], stderr=subprocess.PIPE, env={"PATH": os.defpath}, text=True
        )
        assert waiting.stderr is not None
        try:
            assert "waiting" in waiting.stderr.readline()
            assert not (clone / ".venv").exists()
        finally:
            waiting.kill()
            waiting.communicate()


def test_a_folder_that_cannot_be_written_is_named(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Root may write into any folder but the kernel's own.
    folder = Path("/sys") if os.geteuid() == 0 else clone
    if folder == clone:
        folder.chmod(0o555)
    monkeypatch.setattr(run, "VENV", folder / ".venv")
    with pytest.raises(run.CannotGoOn, match=re.escape(f"Cannot write in {folder}: ")):
        run.ensure_installed([run.SERVE_LOCK])


def test_a_python_without_ensurepip_and_pip_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "run_quietly", lambda _: (1, "No module named pip"))
    with pytest.raises(run.CannotGoOn, match=r"apt install python3\.\d+-venv"):
        run.check_system_pip()


def test_a_busy_port_is_named_with_its_setting(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = start(folder=tmp_path, LIVETHREAD_PORT=str(port))
    assert done.returncode == 2, done.stderr
    assert "LIVETHREAD_PORT" in done.stderr
    assert str(port) in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LIVETHREAD_PORT", "eighty"),
        ("LIVETHREAD_PORT", "65536"),
        ("LIVETHREAD_ORIGIN", "example.org"),
        ("LIVETHREAD_APP_URL", "ftp://example.org"),
        ("LIVETHREAD_LIVE_URL", "https://example.org/live"),
        ("LIVETHREAD_SITES", "https://example.org/page"),
        ("LIVETHREAD_REDIS_URL", "localhost"),
        ("LIVETHREAD_REDIS_PREFIX", "a b"),
        ("LIVETHREAD_SECRET", "short"),
        ("LIVETHREAD_LIMITS", "perhaps"),
        ("LIVETHREAD_DATABASE", "."),
        ("LIVETHREAD_DATABASE", "missing/folder/livethread.db"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, name: str, value: str) -> None:
    done = start(folder=tmp_path, **{"LIVETHREAD_PORT": "0", name: value})
    assert done.returncode == 2, done.stderr
    assert f"{name}: " in done.stderr
    assert "Traceback" not in done.stderr


def test_a_gateway_refuses_to_start_without_the_secret(tmp_path: Path) -> None:
    done = start("gateway", folder=tmp_path, LIVETHREAD_PORT="0")
    assert done.returncode == 2, done.stderr
    assert "LIVETHREAD_SECRET" in done.stderr


# Calls what the start calls, and is told to end at that very moment.
ENDED_AT = """
import importlib, os, signal, sys
# A shell makes what it starts in the background ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)
module, name, number = sys.argv[1:]
module = importlib.import_module(module)
real = getattr(module, name)
def ended(*given, **named):
    setattr(module, name, real)
    os.kill(os.getpid(), int(number))
    return real(*given, **named)
setattr(module, name, ended)
from server.cli import main
sys.exit(main([]))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("moment", ["uvicorn.Config", "uvicorn.server.asyncio_run", "aiosqlite.Connection"])
def test_a_server_that_is_ended_while_it_starts_ends_in_order(tmp_path: Path, moment: str, number: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ENDED_AT, *moment.rsplit(".", 1), str(int(number))],
        cwd=ROOT,
        env={"PATH": os.defpath, "LIVETHREAD_PORT": "0", "LIVETHREAD_DATABASE": str(tmp_path / "test.db")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "RuntimeWarning" not in done.stderr


def test_it_prints_its_address_and_ends_with_0_on_sigterm(tmp_path: Path) -> None:
    environment = {"PATH": os.defpath, "LIVETHREAD_NO_VENV": "1", "LIVETHREAD_PORT": "0"}
    server = subprocess.Popen(
        [sys.executable, str(ROOT / "run.py")],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    try:
        assert re.search(r"http://127\.0\.0\.1:\d+", server.stdout.readline())
        began = time.monotonic()
        server.terminate()
        _, errors = server.communicate(timeout=30)
    finally:
        server.kill()
        server.communicate()
    assert server.returncode == 0, errors
    assert time.monotonic() - began < 15
