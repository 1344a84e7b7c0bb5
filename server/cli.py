"""The command line: from parsed arguments to what each command does. Prints; holds no state."""

from __future__ import annotations

import asyncio
import getpass
import os
import signal
import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from server import arguments, control, settings
from server.errors import CannotStart, DomainError
from server.porting import imports, jsonl
from server.storage import backup, export


def main(argv: list[str]) -> int:
    """Do what `argv` says and return the exit status: 0, 1 (it failed), 2 (it could not begin)."""
    given = arguments.parse(argv)
    commands: dict[str | None, Callable[[Namespace], int]] = {
        None: _serve,
        "gateway": _gateway,
        "test": _test,
        "import": _import,
        "export": _export,
        "replay": _replay,
        "demo": _demo,
        "account": _account,
        "backup": _backup,
        "restore": _restore,
        "torture": _torture,
        "bench": _bench,
    }
    # SIGTERM ends a command as Ctrl-C does; the server sets its own handler.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return commands[given.command](given)
    except CannotStart as error:
        print(f"livethread: {error}", file=sys.stderr)
        return 2
    except DomainError as error:
        print(f"livethread: {error.message}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _serve(_: Namespace) -> int:
    from server.app import create_app, with_secret
    from server.serve import serve

    return serve(lambda read: create_app(with_secret(read)), "livethread")


def _gateway(_: Namespace) -> int:
    from server.gateway import create_gateway
    from server.serve import serve

    return serve(create_gateway, "livethread gateway")


def _test(given: Namespace) -> int:
    folder = Path(__file__).resolve().parents[1]
    return subprocess.call([sys.executable, "-m", "pytest", *given.pytest], cwd=folder)


def _import(given: Namespace) -> int:
    return asyncio.run(imports.import_file(settings.read(os.environ), given))


def _export(given: Namespace) -> int:
    lines = list(jsonl.write(export.comments(settings.read(os.environ).database, given.thread)))
    if not lines:
        raise CannotStart(f"The thread {given.thread} has no comments.")
    if str(given.file) == "-":
        sys.stdout.buffer.writelines(lines)
        return 0
    try:
        with given.file.open("xb") as file:
            file.writelines(lines)
    except OSError as error:
        raise CannotStart(f"{given.file} cannot be written: {error.strerror}.") from error
    print(f"{len(lines):,} comments of {given.thread} → {given.file}")
    return 0


def _replay(given: Namespace) -> int:
    from server.porting.replay import replay_file

    return asyncio.run(replay_file(settings.read(os.environ), given))


def _demo(given: Namespace) -> int:
    from server.demo import run_demo

    return run_demo(given.speed)


def _backup(given: Namespace) -> int:
    async def ask() -> dict[str, Any]:
        async with control.owner(settings.read(os.environ)) as owner:
            return await owner.ask("backup", {"file": str(given.file.resolve())})

    _tell_contents(f"Backed up to {given.file}", asyncio.run(ask()))
    return 0


def _restore(given: Namespace) -> int:
    database = settings.read(os.environ).database
    found, aside = backup.restore(database, given.file)
    _tell_contents(f"Restored {database} under the new epoch {found.epoch}", msgspec.to_builtins(found))
    if aside is not None:
        print(f"What was there before is kept as {aside}")
    return 0


def _tell_contents(what: str, found: dict[str, Any]) -> None:
    print(
        f"{what}: {found['threads']:,} threads, {found['comments']:,} comments, {found['accounts']:,} accounts, "
        f"version {found['version']:,}; integrity ok"
    )


def _torture(given: Namespace) -> int:
    folder = Path(__file__).resolve().parents[1]
    quick = ["--quick"] if given.quick else []
    return subprocess.call([sys.executable, "-m", "tests.torture", *quick, *given.scenario], cwd=folder)


def _bench(given: Namespace) -> int:
    folder = Path(__file__).resolve().parents[1]
    as_json = ["--json"] if given.json else []
    plot = ["--plot", str(given.plot.resolve())] if given.plot else []
    words = ["--readers", str(given.readers), *as_json, *plot, *given.names]
    return subprocess.call([sys.executable, "-m", "tests.bench", *words], cwd=folder)


def _account(given: Namespace) -> int:
    asked = {"name": given.name}
    if given.action in ("create", "role"):
        asked["role"] = given.role
    if given.action == "rename":
        asked["to"] = given.to
    if given.action in ("create", "password"):
        asked["password"] = given.password or _ask_password()

    async def ask() -> dict[str, str]:
        async with control.owner(settings.read(os.environ)) as owner:
            return await owner.ask(f"account {given.action}", asked)

    answer = asyncio.run(ask())
    if given.action == "rename":
        print(f"{given.name} is {answer['name']} from now on")
        return 0
    role = f" is {answer['role']}" if "role" in answer else " has a new password"
    print(f"{answer['name']}{role}")
    return 0


def _ask_password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != password:
        raise CannotStart("The two passwords differ.")
    return password
