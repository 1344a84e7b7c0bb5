"""The order of the checks, and how they are told: line by line, with an exit status for scripts."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from dataclasses import replace

from server import operator_commands, private_files, settings
from server.doctor import configured, disk, machine, providers, public, redis_servers
from server.doctor.finding import Finding, fault, fine
from server.errors import CannotStart
from server.private_files import MIN_SECRET
from server.settings import Settings

MARKS = {"fine": "ok     ", "warning": "WARNING", "fault": "FAULT  "}


def examine(*, is_gateway: bool, asks_public: bool) -> int:
    """Print what was found; return 0 if nothing is wrong, 1 for warnings alone, 2 for a fault."""
    try:
        found = asyncio.run(_everything(is_gateway, asks_public))
    except CannotStart as error:
        found = [fault("settings", str(error))]
    _print(found)
    grades = {one.grade for one in found}
    return 2 if "fault" in grades else 1 if "warning" in grades else 0


async def _everything(is_gateway: bool, asks_public: bool) -> list[Finding]:
    given = settings.read(os.environ)
    found = configured.look(given, os.environ) + machine.look()
    if is_gateway:
        if not given.secret:
            found.append(fault("LIVETHREAD_SECRET", "is not set. A gateway needs the app's secret."))
    else:
        found += disk.look(given.database)
        given, known = _with_secret(given)
        found += known
        try:
            found.append(machine.port(given, is_running=await operator_commands.is_running(given)))
        except CannotStart as error:
            found.append(fault("control socket", str(error)))
    found += await redis_servers.look(given)
    if not is_gateway:
        found += await providers.look(given)
    if asks_public:
        found += await public.look(given)
    return found


def _with_secret(given: Settings) -> tuple[Settings, list[Finding]]:
    """Return the settings with the secret that the app uses, if there is one yet; none is made."""
    path = given.database.resolve()
    path = path.with_name(f"{path.name}.secret")
    if given.secret:
        return given, []
    if not path.exists():
        return given, [fine("secret", f"is made at the first start, in {path}")]
    try:
        found = path.read_text(encoding="ascii", errors="replace").strip()
    except OSError as error:
        return given, [fault("secret", f"{private_files.why(path, error)}.")]
    if len(found) < MIN_SECRET:
        return given, [fault("secret", f"{path} holds none of at least {MIN_SECRET} characters.")]
    return replace(given, secret=found), []


def _print(found: Iterable[Finding]) -> None:
    for one in found:
        print(f"{MARKS[one.grade]} {one.subject}: {one.sentence}")
    faults = sum(one.grade == "fault" for one in found)
    warnings = sum(one.grade == "warning" for one in found)
    print(f"{faults} fault{'s' * (faults != 1)}, {warnings} warning{'s' * (warnings != 1)}")
