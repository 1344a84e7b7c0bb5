#!/usr/bin/env python3
"""Makes .venv from the hashed lock where it is missing, then starts the command line in it. Standard library alone.

Everything up to the check of the version must be readable by Python 3.6, which is told here that it is too old.
"""

import contextlib
import hashlib
import importlib.util
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Iterator, List, Tuple

FOLDER = Path(__file__).resolve().parent
VENV = FOLDER / ".venv"
SERVE_LOCK = FOLDER / "requirements.txt"
TEST_LOCK = FOLDER / "requirements-dev.txt"
NODE_MARKER = FOLDER / "node_modules" / "installed-package-lock"
OLDEST = (3, 11)
# The package of each browser, the names that it may have, and the setting that gives its path.
BROWSERS = (
    ("chromium", ("chromium", "chromium-browser", "google-chrome", "chrome"), "CHROMIUM"),
    ("firefox-esr", ("firefox-esr", "firefox"), "FIREFOX"),
)

# What would have pip put the libraries elsewhere than into .venv, or not at all.
ELSEWHERE = (
    "PIP_USER",
    "PIP_TARGET",
    "PIP_PREFIX",
    "PIP_ROOT",
    "PIP_DRY_RUN",
    "PIP_DOWNLOAD",
    "PIP_PYTHON",
    "PIP_REQUIRE_VIRTUALENV",
)

NETWORK_FAILURES = (
    "Temporary failure in name resolution",
    "Name or service not known",
    "nodename nor servname",
    "Network is unreachable",
    "Connection refused",
    "Failed to establish a new connection",
    "Max retries exceeded",
    "Read timed out",
    "ConnectTimeoutError",
)


if __name__ == "__main__" and sys.argv[1:] in ([], ["gateway"]):
    # Until the server has its own handler there is nothing to end in order; as the first process of a container it
    # would not even hear the signal.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))


class CannotGoOn(Exception):
    """The text says why, and what to do. Ends with exit status 2."""


def check_python(version: Tuple[int, ...] = sys.version_info[:3], system: str = os.name) -> None:
    if system == "nt":
        raise CannotGoOn("it runs on Linux and macOS. On Windows use WSL, or the Dockerfile.")
    if version[:2] < OLDEST:
        raise CannotGoOn(
            "Python {}.{} or newer is needed, and this is {}.{}. Install a newer one and start run.py with it, "
            "for example: python3.12 run.py".format(*OLDEST, *version[:2])
        )


def lock_marker(lock: Path) -> Path:
    return VENV / ("installed-" + lock.stem)


def lock_state(lock: Path) -> str:
    """Return what must be true of a venv that this lock was installed into: the lock, the Python and the place."""
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    return "\n".join((digest, sys.version, platform.machine(), str(VENV), ""))


def is_installed(lock: Path) -> bool:
    try:
        return lock_marker(lock).read_text() == lock_state(lock) and os.access(venv_python(), os.X_OK)
    except OSError:
        return False


def venv_python() -> str:
    return str(VENV / "bin" / "python")


def base_python() -> str:
    """Return the interpreter that venvs are made from, whether this one runs in a venv or not."""
    # Started by its name alone in an environment without PATH, Python does not know where it is.
    by_name = shutil.which("python{}.{}".format(*sys.version_info[:2]), path=os.defpath)
    base = getattr(sys, "_base_executable", None) or sys.executable or by_name
    if not base:
        raise CannotGoOn("Python does not know where it is. Start it by its whole path: /usr/bin/python3 run.py")
    return str(base)


def ensure_installed(locks: List[Path]) -> None:
    """Make .venv hold every lock. Several processes may ask at once: one builds, the others wait for it."""
    if all(is_installed(lock) for lock in locks):
        return
    with only_builder():
        try:
            # A marker of another state means libraries that this lock does not name.
            stale = [lock for lock in locks if lock_marker(lock).exists() and not is_installed(lock)]
            if stale or not is_installed(SERVE_LOCK):
                build()
            for lock in locks:
                if not is_installed(lock):
                    install(lock)
        except OSError as error:
            raise CannotGoOn(f"Could not make {VENV}: {error}") from error


@contextlib.contextmanager
def only_builder() -> Iterator[None]:
    import fcntl  # noqa: PLC0415 — Windows has none, and is told so before

    path = VENV.with_name(".venv.lock")
    try:
        file = path.open("w")
    except OSError as error:
        raise CannotGoOn(
            f"Cannot write in {VENV.parent}: {error.strerror}. livethread keeps its libraries there, in .venv. Copy it "
            "to a folder that this user may write, or install requirements.txt yourself and set LIVETHREAD_NO_VENV=1."
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another run.py is preparing this folder; waiting for it …\n")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def build() -> None:
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(str(VENV))
    has_ensurepip = importlib.util.find_spec("ensurepip") is not None
    if not has_ensurepip:
        check_system_pip()
    command = [base_python(), "-m", "venv", str(VENV)] + ([] if has_ensurepip else ["--without-pip"])
    status, output = run_quietly(command)
    if status:
        raise CannotGoOn("Python could not make .venv:\n" + last_lines(output))


def check_system_pip() -> None:
    """Raise where the system's pip cannot install into a venv that has none: `pip --python` came with pip 22.3."""
    status, output = run_quietly([base_python(), "-m", "pip", "--version"])
    words = output.split()
    if status == 0 and len(words) > 1 and [int(n) for n in words[1].split(".")[:2] if n.isdigit()] >= [22, 3]:
        return
    raise CannotGoOn(
        "This Python has no ensurepip, so it cannot make a venv. On Debian and Ubuntu install the package that brings "
        "it, then start again: sudo apt install python{}.{}-venv".format(*sys.version_info[:2])
    )


def install(lock: Path) -> None:
    started = time.monotonic()
    say("Installing {} into .venv (once) …".format("the libraries" if lock == SERVE_LOCK else "what the tests need"))
    has_pip = any(VENV.glob("lib/python*/site-packages/pip"))
    pip = [venv_python(), "-m", "pip"] if has_pip else [base_python(), "-m", "pip", "--python", venv_python()]
    options = ["--quiet", "--no-input", "--disable-pip-version-check", "--retries", "2", "--timeout", "15"]
    options += ["--no-user", "--require-hashes", "--no-deps"]
    status, output = run_quietly([*pip, "install", *options, "-r", str(lock)])
    if status:
        say(" failed.\n")
        if any(failure in output for failure in NETWORK_FAILURES):
            raise CannotGoOn(
                "The libraries could not be fetched: there is no network, or the package index does not answer. "
                "Start again with a network, or name an index that answers in PIP_INDEX_URL.\n" + last_lines(output)
            )
        raise CannotGoOn("pip could not install " + lock.name + ":\n" + last_lines(output))
    # Written last: whatever was interrupted before has no marker, and is built anew.
    lock_marker(lock).write_text(lock_state(lock))
    say(f" done in {time.monotonic() - started:.0f} s.\n")


def install_node_modules() -> None:
    """Fetch tsc and biome where npm is there; the tests that need them say so where they are missing."""
    if are_node_modules_installed():
        return
    npm = shutil.which("npm")
    if npm is None:
        say("npm is missing: static/ is not checked by tsc and biome. Install Node.js and npm to have that.\n")
        return
    with only_builder():
        if are_node_modules_installed():
            return
        say("Installing tsc and biome into node_modules (once) …")
        # `npm ci` refuses a lock that does not name biome's binaries for every other platform. This takes the same
        # versions and hashes, and leaves the lock as it is.
        options = ["--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        # Without a network its own patience lasts for many minutes.
        options += ["--fetch-retries=1", "--fetch-retry-mintimeout=2000", "--fetch-retry-maxtimeout=5000"]
        status, output = run_quietly([npm, "install", *options], folder=FOLDER)
        if status:
            say(" failed: static/ is not checked by them.\n" + last_lines(output) + "\n")
            return
        NODE_MARKER.write_text(node_state())
        say(" done.\n")


def are_node_modules_installed() -> bool:
    return NODE_MARKER.exists() and NODE_MARKER.read_text() == node_state()


def node_state() -> str:
    return hashlib.sha256((FOLDER / "package-lock.json").read_bytes()).hexdigest()


def bring_browsers() -> None:
    """Bring Chromium and Firefox where they are missing and can be had; else say in one line what to do."""
    wanted = [
        package
        for package, names, setting in BROWSERS
        if not os.environ.get(setting) and not any(shutil.which(name) for name in names)
    ]
    if not wanted:
        return
    apt = shutil.which("apt-get")
    if apt and os.geteuid() == 0:
        say("Installing {} with apt-get (once) …".format(" and ".join(wanted)))
        quiet = ["env", "DEBIAN_FRONTEND=noninteractive", apt, "-qq", "-y"]
        run_quietly([*quiet, "update"])
        status, output = run_quietly([*quiet, "install", "--no-install-recommends", *wanted])
        say(" done.\n" if status == 0 else " failed:\n" + last_lines(output) + "\n")
        if status == 0:
            return
    elif "chromium" in wanted and is_chromium_fetched():
        return
    install = ("sudo apt-get install {}" if apt else "install {} yourself").format(" ".join(wanted))
    say("Without {} the tests that need a browser are skipped: {}\n".format(" and ".join(wanted), install))


def is_chromium_fetched() -> bool:
    """Let Playwright fetch its own Chromium, and name it to the tests; False where it cannot be had."""
    say("Fetching Chromium with Playwright (once) …")
    python = venv_python() if os.access(venv_python(), os.X_OK) else base_python()
    status, output = run_quietly([python, "-m", "playwright", "install", "chromium"])
    if status:
        say(" failed:\n" + last_lines(output, 2) + "\n")
        return False
    ask = "from playwright.sync_api import sync_playwright as s\nwith s() as p: print(p.chromium.executable_path)"
    status, output = run_quietly([python, "-c", ask])
    os.environ["CHROMIUM"] = last_lines(output, 1).strip()
    say(" done.\n")
    return status == 0


def run_quietly(command: List[str], folder: Path = Path("/")) -> Tuple[int, str]:
    """Run to the end, away from the caller's folder: a venv.py there would be taken for Python's."""
    done = subprocess.run(
        command,
        check=False,
        env={name: value for name, value in os.environ.items() if name not in ELSEWHERE},
        cwd=str(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    return done.returncode, done.stdout.decode("utf-8", "replace")


def last_lines(output: str, count: int = 8) -> str:
    lines = output.strip().splitlines()
    said = [line for line in lines if not line.startswith("WARNING:")] or lines
    return "\n".join("  " + line for line in said[-count:])


def say(words: str) -> None:
    sys.stderr.write(words)
    sys.stderr.flush()


def become(command: List[str]) -> None:
    """Replace this process, so that signals and the exit status are the command's own."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(command[0], command)


def measure(python: str, tests: List[str]) -> int:
    """Run the tests and all that they start under coverage, then report it; 0 where they pass and the floor holds."""
    coverage = [python, "-m", "coverage"]
    subprocess.call([*coverage, "erase"])
    failed = subprocess.call([*coverage, "run", *tests])
    subprocess.call([*coverage, "combine", "--quiet"])
    missed = subprocess.call([*coverage, "report"])
    return failed or missed


def main(argv: List[str]) -> int:
    check_python()
    # `python3 -I` leaves the folder of the script out.
    if str(FOLDER) not in sys.path:
        sys.path.insert(0, str(FOLDER))
    from server.cli_arguments import parse  # noqa: PLC0415 — an old Python cannot read it

    arguments = parse(argv)
    own_interpreter = os.environ.get("LIVETHREAD_NO_VENV") == "1"
    if arguments.command == "test":
        # npm and node are found by it, also where the environment is empty.
        os.environ.setdefault("PATH", os.defpath)
        if not own_interpreter:
            ensure_installed([SERVE_LOCK, TEST_LOCK])
        install_node_modules()
        if not arguments.is_quick:
            bring_browsers()
        os.chdir(str(FOLDER))
        python = sys.executable or base_python() if own_interpreter else venv_python()
        tests = ["-m", "pytest"] + ["--quick"] * arguments.is_quick + arguments.pytest
        if arguments.is_measured:
            return measure(python, tests)
        become([python, *tests])
    if not own_interpreter:
        # What does the damage and measures is no part of the product: it needs what the tests need.
        ensure_installed([SERVE_LOCK, TEST_LOCK] if arguments.command in ("torture", "bench") else [SERVE_LOCK])
        if Path(sys.prefix).resolve() != VENV.resolve():
            become([venv_python(), str(FOLDER / "run.py"), *argv])
    from server.cli import main as command_line  # noqa: PLC0415 — only here its libraries are there

    return command_line(argv)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except CannotGoOn as reason:
        say(f"livethread: {reason}\n")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
