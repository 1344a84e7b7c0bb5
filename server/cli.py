"""The command line: from parsed arguments to what each command does. Prints; holds no state."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import shutil
import signal
import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TextIO

import msgspec

from server import capacity, cli_arguments, operator_commands, private_files, settings, sites
from server.errors import CannotStart, CommandFailed, DomainError
from server.importing import import_command
from server.importing.formats import jsonl
from server.storage.engine import backup
from server.storage.import_export import export


def main(argv: list[str]) -> int:
    """Do what `argv` says and return the exit status: 0, 1 (it failed), 2 (it could not begin)."""
    given = cli_arguments.parse(argv)
    commands: dict[str | None, Callable[[Namespace], int]] = {
        None: _serve,
        "gateway": _gateway,
        "test": _test,
        "import": _import,
        "export": _export,
        "replay": _replay,
        "demo": _demo,
        "account": _account,
        "site": _site,
        "thread": _thread,
        "backup": _backup,
        "restore": _restore,
        "doctor": _doctor,
        "plan": _plan,
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
    except (DomainError, CommandFailed) as error:
        print(f"livethread: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        # A server that is ended while it starts has lost nothing.
        return 0 if given.command in (None, "gateway") else 130


def run() -> NoReturn:
    """The installed command `livethread`."""
    sys.exit(main(sys.argv[1:]))


def _serve(_: Namespace) -> int:
    from server.app import create_app, with_secret
    from server.serve import serve

    return serve(lambda read: create_app(with_secret(read)), "livethread", has_database=True)


def _gateway(_: Namespace) -> int:
    from server.gateway import create_gateway
    from server.serve import serve

    return serve(create_gateway, "livethread gateway")


def _test(given: Namespace) -> int:
    return subprocess.call([sys.executable, "-m", "pytest", *given.pytest], cwd=cli_arguments.FOLDER)


def _import(given: Namespace) -> int:
    return asyncio.run(import_command.import_file(settings.from_environment(), given))


def _export(given: Namespace) -> int:
    lines = list(jsonl.write(export.comments(settings.from_environment().database, given.thread)))
    if not lines:
        raise CannotStart(f"The thread {given.thread} has no comments.")
    if str(given.file) == "-":
        sys.stdout.buffer.writelines(lines)
        return 0
    try:
        # Earlier texts, and what waits for approval, are in it.
        private_files.create(given.file)
        with given.file.open("wb") as file:
            file.writelines(lines)
    except OSError as error:
        raise CannotStart(f"{given.file} cannot be written: {error.strerror}.") from error
    comments = sum(not jsonl.is_head(line) for line in lines)
    print(f"{comments:,} comments of {given.thread} → {given.file}")
    return 0


def _replay(given: Namespace) -> int:
    from server.importing.replay_command import replay_file

    return asyncio.run(replay_file(settings.from_environment(), given))


def _demo(given: Namespace) -> int:
    from server.demo import run_demo

    return run_demo(given.speed)


def _backup(given: Namespace) -> int:
    read = settings.from_environment()

    async def ask(file: Path) -> dict[str, Any]:
        async with operator_commands.owner(read) as owner:
            return await owner.ask("backup", {"file": str(file.resolve())})

    if str(given.file) == "-":
        with backup.in_passing(read.database) as copy:
            found = asyncio.run(ask(copy))
            with copy.open("rb") as file:
                shutil.copyfileobj(file, sys.stdout.buffer)
        _tell_contents("Backed up", found, sys.stderr)
    else:
        _tell_contents(f"Backed up to {given.file}", asyncio.run(ask(given.file)))
    return 0


def _restore(given: Namespace) -> int:
    database = settings.from_environment().database
    with contextlib.ExitStack() as passing:
        file = given.file
        if str(file) == "-":
            file = passing.enter_context(backup.in_passing(database))
            private_files.create(file)
            with file.open("wb") as copy:
                shutil.copyfileobj(sys.stdin.buffer, copy)
        found, aside = backup.restore(database, file)
    _tell_contents(f"Restored {database} under the new epoch {found.epoch}", msgspec.to_builtins(found))
    if aside is not None:
        print(f"The previous database is kept as {aside}")
    return 0


def _tell_contents(what: str, found: dict[str, Any], where: TextIO | None = None) -> None:
    print(
        f"{what}: {found['threads']:,} threads, {found['comments']:,} comments, {found['accounts']:,} accounts, "
        f"version {found['version']:,}; integrity ok",
        file=where,
    )


def _doctor(given: Namespace) -> int:
    from server.doctor import examination

    return examination.examine(is_gateway=given.gateway, asks_public=given.public)


def _torture(given: Namespace) -> int:
    quick = ["--quick"] if given.quick else []
    return subprocess.call([sys.executable, "-m", "tests.torture", *quick, *given.scenario], cwd=cli_arguments.FOLDER)


def _bench(given: Namespace) -> int:
    as_json = ["--json"] if given.json else []
    plot = ["--plot", str(given.plot.resolve())] if given.plot else []
    smoke = ["--smoke"] if given.smoke else []
    words = ["--readers", str(given.readers), *as_json, *smoke, *plot, *given.names]
    return subprocess.call([sys.executable, "-m", "tests.bench", *words], cwd=cli_arguments.FOLDER)


def _account(given: Namespace) -> int:
    asked = {"name": given.name}
    if given.action in ("create", "role"):
        asked["role"] = given.role
    if given.action == "rename":
        asked["to"] = given.to
    if given.action in ("create", "password"):
        asked["password"] = given.password or _ask_password()

    async def ask() -> dict[str, str]:
        async with operator_commands.owner(settings.from_environment()) as owner:
            return await owner.ask(f"account {given.action}", asked)

    answer = asyncio.run(ask())
    if given.action == "rename":
        print(f"{given.name} is now called {answer['name']}")
        return 0
    role = f" is {answer['role']}" if "role" in answer else " has a new password"
    print(f"{answer['name']}{role}")
    return 0


def _site(given: Namespace) -> int:
    if given.action == "key":
        return _site_key(given)
    fields = ("id", "origins", "name", "logins", "keep_query", "moderates", "theme", "language")
    asked = {field: value for field in fields if (value := getattr(given, field, None)) is not None}
    if given.action == "add":
        asked.setdefault("id", sites.id_for(given.origins[0]))
    answer = _ask(f"site {given.action}", asked)
    for one in answer["sites"] if given.action == "list" else [answer["site"]] if answer["site"] else []:
        if one["id"] == sites.OWN:
            continue
        query = f", keeps {' '.join(one['keep_query'])} of the query" if one["keep_query"] else ""
        language = f", language {one['language']}" if one["language"] else ""
        moderates = ", moderates" if one["moderates"] else ""
        print(
            f"{one['id']}: {one['name']}, {' '.join(one['origins']) or 'no origin'}; "
            f"logins: {' '.join(one['logins']) or 'none'}; theme {one['theme']}{language}{query}{moderates}"
        )
    if given.action == "remove":
        print(f"{given.id} is removed; its threads are on this server's own pages")
    return 0


def _site_key(given: Namespace) -> int:
    asked = {"id": given.id}
    if given.key_action != "list":
        asked["key_id"] = given.key_id
    if given.key_action == "add":
        if given.algorithm != "HS256" and given.file is None:
            raise CannotStart(f"{given.algorithm} needs the site's public key: name it with --file.")
        try:
            asked["given"] = given.file.read_text(encoding="utf-8") if given.file else ""
        except (OSError, UnicodeDecodeError) as error:
            raise CannotStart(f"{given.file} cannot be read: {getattr(error, 'strerror', 'it is no text')}.") from error
        asked["algorithm"] = given.algorithm
    if given.key_action == "remove":
        asked["leaked"] = given.leaked
    answer = _ask(f"site key {given.key_action}", asked)
    if given.key_action == "list":
        for key in answer["keys"]:
            print(f"{key['id']}\t{key['algorithm']}")
    elif given.key_action == "remove":
        ended = "; the sessions that its keys began have ended" if given.leaked else ""
        print(f"{given.id} has no key {given.key_id} any more{ended}")
    else:
        print(f"{given.id} has the key {given.key_id} ({given.algorithm})")
        if answer["secret"]:
            print(f"Its secret, which is not shown again (base64url):\n{answer['secret']}")
    return 0


def _plan(given: Namespace) -> int:
    if given.seconds <= capacity.TICK:
        raise CannotStart(f"--seconds: a comment waits up to {capacity.TICK} s for its tick. Give more than that.")
    print(capacity.report(capacity.Demand(given.readers, given.comments, given.minutes, given.seconds)))
    return 0


def _thread(given: Namespace) -> int:
    if given.action == "move":
        moved = _ask("thread move", {"old": given.old, "new": given.new})
        print(f"{moved['key']} is now under {given.new}")
        return 0
    if given.action == "merge":
        merged = _ask("thread merge", {"old": given.old, "new": given.new})
        print(f"The comments of {merged['old']} are now under {merged['new']}, or will be in a moment")
        return 0
    for site, key, address, comments in _ask("thread list", {"site": given.site, "limit": given.limit})["threads"]:
        print(f"{site}\t{key}\t{comments}\t{address}")
    return 0


def _ask(command: str, arguments: dict[str, Any]) -> dict[str, Any]:
    async def ask() -> dict[str, Any]:
        async with operator_commands.owner(settings.from_environment()) as owner:
            return await owner.ask(command, arguments)

    return asyncio.run(ask())


def _ask_password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != password:
        raise CannotStart("The two passwords differ.")
    return password
