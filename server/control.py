"""The owner's side door: commands reach a running app by a 0600 Unix socket, else take the database themselves."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

import msgspec

from server import names
from server.actions import describe, sign_in
from server.errors import CannotStart, Conflict, DomainError, Invalid
from server.model import ROLES
from server.porting.load import Batch, link_batch, load_batch
from server.settings import Settings
from server.storage import accounts, backup, comments
from server.storage.database import Database

log = logging.getLogger("livethread.control")

MAX_LINE_BYTES = 64 * 1024 * 1024
MAX_UNIX_PATH = 100


class Desk:
    """What the operator may ask of whoever owns the database. Arguments and answers are JSON objects."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings

    async def ask(self, command: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Do one command. Raises DomainError."""
        commands: dict[str, Callable[..., Awaitable[dict[str, Any]]]] = {
            "origin": self._origin,
            "account create": self._create,
            "account role": self._role,
            "account password": self._password,
            "account rename": self._rename,
            "describe": self._describe,
            "import": self._import,
            "link": self._link,
            "imported": self._imported,
            "commenter": self._commenter,
            "backup": self._backup,
        }
        if command not in commands:
            raise Invalid(f"There is no command {command}.", field="command")
        return await commands[command](**arguments)

    async def _origin(self) -> dict[str, Any]:
        return {"origin": self._settings.origin}

    async def _create(self, name: str, role: str, password: str) -> dict[str, Any]:
        if role not in ROLES:
            raise Invalid(f"A role is one of {', '.join(ROLES)}.", field="role")
        sign_in.check_password(password)
        clean = names.clean(name)
        account = await sign_in.create_account(self._database, clean, await sign_in.hash_password(password), role)
        if account is None:
            raise Conflict(f"The name {clean}, or one that looks like it, is taken.", field="name")
        return {"name": account.name, "role": account.role}

    async def _role(self, name: str, role: str) -> dict[str, Any]:
        if role not in ROLES:
            raise Invalid(f"A role is one of {', '.join(ROLES)}.", field="role")
        account = await sign_in.set_role(self._database, name, role)
        return {"name": account.name, "role": account.role}

    async def _password(self, name: str, password: str) -> dict[str, Any]:
        account = await sign_in.set_password(self._database, name, password)
        return {"name": account.name}

    async def _rename(self, name: str, to: str) -> dict[str, Any]:
        return {"name": await sign_in.rename(self._database, name, to)}

    async def _describe(self, thread: str, **description: Any) -> dict[str, Any]:
        return {"info": msgspec.to_builtins(await describe.set_description(self._database, thread, **description))}

    async def _import(self, batch: dict[str, Any]) -> dict[str, Any]:
        return await load_batch(self._database, msgspec.convert(batch, Batch))

    async def _link(self, batch: dict[str, Any]) -> dict[str, Any]:
        await link_batch(self._database, msgspec.convert(batch, Batch))
        return {}

    async def _imported(self, thread: str, origin: str) -> dict[str, Any]:
        """Return the ids here of what was imported into the thread, by their ids there."""
        return {"ids": await self._database.read(lambda sql: comments.imported(sql, thread, origin))}

    async def _commenter(self, name: str) -> dict[str, Any]:
        """A session for `name`, as an account that nobody else can log in to: for replays."""
        clean = names.clean(name)
        account = await self._database.write(lambda write: accounts.imported(write, clean))
        if account is None:
            raise Conflict(f"The account {clean} is somebody's, or was closed.", field="name")
        return {"name": account.name, "token": await sign_in.begin_session(self._database, account)}

    async def _backup(self, file: str) -> dict[str, Any]:
        copied = asyncio.to_thread(backup.copy, self._database.path, Path(file))
        try:
            return dict(msgspec.to_builtins(await copied))
        except CannotStart as error:
            raise DomainError(str(error)) from error


class Owner(Protocol):
    async def ask(self, command: str, arguments: dict[str, Any]) -> dict[str, Any]: ...


class _Distant:
    """The desk of a running app, asked over its socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def ask(self, command: str, arguments: dict[str, Any]) -> dict[str, Any]:
        self._writer.write(msgspec.json.encode({"command": command, "arguments": arguments}) + b"\n")
        await self._writer.drain()
        line = await self._reader.readline()
        if not line:
            raise CannotStart("The running livethread ended before it answered.")
        answer = msgspec.json.decode(line)
        if "error" in answer:
            raise DomainError(answer["error"])
        return dict(answer["answer"])


@contextlib.asynccontextmanager
async def owner(settings: Settings) -> AsyncIterator[Owner]:
    """Reach whoever owns the database: a running app, or this process for the moment. Raises CannotStart."""
    if not await is_running(settings):
        async with Database.opened(settings.database) as database:
            yield Desk(database, settings)
    else:
        async with running_owner(settings) as distant:
            yield distant


@contextlib.asynccontextmanager
async def running_owner(settings: Settings) -> AsyncIterator[Owner]:
    """Reach the running app that owns the database. Raises CannotStart where there is none."""
    connection = await _connect(settings)
    if connection is None:
        raise CannotStart(
            f"No livethread is running on {settings.database}. "
            "Start one with `python3 run.py`, under the same settings."
        )
    reader, writer = connection
    try:
        yield _Distant(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def is_running(settings: Settings) -> bool:
    connection = await _connect(settings)
    if connection is not None:
        connection[1].close()
    return connection is not None


async def _connect(settings: Settings) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
    try:
        return await asyncio.open_unix_connection(socket_path(settings.database), limit=MAX_LINE_BYTES)
    except OSError:
        return None


@contextlib.asynccontextmanager
async def listening(settings: Settings, desk: Desk) -> AsyncIterator[None]:
    """Answer commands while the block runs."""
    path = socket_path(settings.database)
    Path(path).unlink(missing_ok=True)
    # Made under a narrow mask: there is no moment in which others could connect.
    before = os.umask(0o177)
    try:
        server = await asyncio.start_unix_server(_answering(desk), path, limit=MAX_LINE_BYTES)
    finally:
        os.umask(before)
    try:
        async with server:
            yield
    finally:
        Path(path).unlink(missing_ok=True)


def socket_path(database: Path) -> str:
    """Return the socket beside the database, or one in the temporary folder where that path is too long for one."""
    path = f"{database.resolve()}.control"
    if len(path.encode()) <= MAX_UNIX_PATH:
        return path
    digest = hashlib.sha256(path.encode()).hexdigest()[:16]
    return f"{tempfile.gettempdir()}/livethread-{os.getuid()}-{digest}.control"


def _answering(desk: Desk) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(msgspec.json.encode(await _one(desk, line)) + b"\n")
                await writer.drain()
        except (OSError, ValueError) as error:
            log.warning("a command was cut off: %s", error)
        finally:
            writer.close()

    return answer


async def _one(desk: Desk, line: bytes) -> dict[str, Any]:
    try:
        request = msgspec.json.decode(line)
        return {"answer": await desk.ask(request["command"], request["arguments"])}
    except DomainError as error:
        return {"error": error.message}
    except Exception:
        log.exception("a command failed")
        return {"error": "The command failed; the server's log says why."}
