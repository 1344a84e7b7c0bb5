"""Operator commands: they reach a running app over a 0600 Unix socket, or else open the database themselves."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

import msgspec

from channels.tasks import Health, Tasks
from server import account_names, control_socket, site_tokens
from server.actions import describe_thread, operator_accounts, passwords, sign_in, sites
from server.actions import single_sign_on as sign_on
from server.actions.sessions import begin_session
from server.background_jobs import Upkeep
from server.errors import CannotStart, CommandFailed, Conflict, DomainError, Invalid
from server.importing.loading import Batch, key_for, link_batch, load_batch
from server.model import ROLES
from server.settings import Settings
from server.sites import Site
from server.storage import sites as stored_sites
from server.storage.accounts import accounts
from server.storage.comments import imported
from server.storage.engine import backup
from server.storage.engine.database import Database

log = logging.getLogger("livethread.control")

ANSWER_SECONDS = 10
MAX_LINE_BYTES = 64 * 1024 * 1024


class Desk:
    """Operator commands to the owner of the database. Arguments and answers are JSON objects."""

    def __init__(
        self, database: Database, settings: Settings, on_sites: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        """`on_sites` hears that a site was added, changed or removed."""
        self._database = database
        self._settings = settings
        self._on_sites = on_sites

    async def ask(self, command: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Do one command. Raises DomainError, or CommandFailed."""
        commands: dict[str, Callable[..., Awaitable[dict[str, Any]]]] = {
            "origin": self._origin,
            "account create": self._create,
            "account role": self._role,
            "account password": self._password,
            "account rename": self._rename,
            "describe": self._describe,
            "key": self._key,
            "import": self._import,
            "link": self._link,
            "imported": self._imported,
            "commenter": self._commenter,
            "backup": self._backup,
            "site add": self._add_site,
            "site set": self._set_site,
            "site remove": self._remove_site,
            "site list": self._list_sites,
            "site key add": self._add_site_key,
            "site key list": self._list_site_keys,
            "site key remove": self._remove_site_key,
            "thread move": self._move_thread,
            "thread merge": self._merge_threads,
            "thread list": self._list_threads,
        }
        if command not in commands:
            raise Invalid("error.no_command", field="command", name=command)
        return await commands[command](**arguments)

    async def _origin(self) -> dict[str, Any]:
        return {"origin": self._settings.address}

    async def _create(self, name: str, role: str, password: str) -> dict[str, Any]:
        if role not in ROLES:
            raise Invalid("error.role", field="role", names=", ".join(ROLES))
        passwords.check(password)
        clean = account_names.clean(name)
        account = await sign_in.create_account(self._database, clean, await passwords.hashed(password), role)
        if account is None:
            raise Conflict("error.name_taken", field="name", name=clean)
        return {"name": account.name, "role": account.role}

    async def _role(self, name: str, role: str) -> dict[str, Any]:
        if role not in ROLES:
            raise Invalid("error.role", field="role", names=", ".join(ROLES))
        account = await operator_accounts.set_role(self._database, name, role)
        return {"name": account.name, "role": account.role}

    async def _password(self, name: str, password: str) -> dict[str, Any]:
        account = await operator_accounts.set_password(self._database, name, password)
        return {"name": account.name}

    async def _rename(self, name: str, to: str) -> dict[str, Any]:
        return {"name": await operator_accounts.rename(self._database, name, to)}

    async def _describe(self, thread: str, **description: Any) -> dict[str, Any]:
        info = await describe_thread.set_description(self._database, thread, **description)
        return {"info": msgspec.to_builtins(info)}

    async def _key(self, address: str) -> dict[str, Any]:
        """Return the key of the thread for this address of a page."""
        return {"key": await key_for(self._database, address)}

    async def _import(self, batch: dict[str, Any]) -> dict[str, Any]:
        return await load_batch(self._database, msgspec.convert(batch, Batch))

    async def _link(self, batch: dict[str, Any]) -> dict[str, Any]:
        await link_batch(self._database, msgspec.convert(batch, Batch))
        return {}

    async def _imported(self, thread: str, origin: str) -> dict[str, Any]:
        """Return the ids here of what was imported into the thread, by their ids there."""
        return {"ids": await self._database.read(lambda sql: imported.ids(sql, thread, origin))}

    async def _commenter(self, name: str) -> dict[str, Any]:
        """A session for `name`, as an account that nobody else can log in to: for replays."""
        clean = account_names.clean(name)
        account = await self._database.write(lambda write: accounts.imported(write, clean))
        return {"name": account.name, "token": await begin_session(self._database, account, "a replay")}

    async def _backup(self, file: str) -> dict[str, Any]:
        copied = asyncio.to_thread(backup.copy, self._database.path, Path(file))
        try:
            return dict(msgspec.to_builtins(await copied))
        except CannotStart as error:
            raise CommandFailed(str(error)) from error

    async def _add_site(self, **given: Any) -> dict[str, Any]:
        self._check_providers(given)
        async with self._reread():
            return _site(await sites.add_site(self._database, msgspec.convert(given, Site)))

    async def _set_site(self, id: str, **changes: Any) -> dict[str, Any]:  # noqa: A002 — a site's name for it
        self._check_providers(changes)
        async with self._reread():
            return _site(await sites.change_site(self._database, id, changes))

    def _check_providers(self, given: dict[str, Any]) -> None:
        for name in Site("", logins=tuple(given.get("logins") or ())).providers:
            if self._settings.provider(name) is None:
                raise Invalid("error.no_provider", field="logins", name=name)

    async def _remove_site(self, id: str) -> dict[str, Any]:  # noqa: A002 — a site's name for it
        async with self._reread():
            await sites.remove_site(self._database, id)
        return _site(None)

    @contextlib.asynccontextmanager
    async def _reread(self) -> AsyncIterator[None]:
        """Let what changes in the database count, also where the rest of the work fails."""
        try:
            yield
        finally:
            if self._on_sites:
                await self._on_sites()

    async def _list_sites(self) -> dict[str, Any]:
        return {"sites": msgspec.to_builtins(await self._database.read(stored_sites.all_of))}

    async def _add_site_key(self, id: str, key_id: str, algorithm: str, given: str) -> dict[str, Any]:  # noqa: A002
        """Return the secret that was made, where none was given."""
        is_fresh = algorithm == "HS256" and not given
        key = site_tokens.fresh_secret(key_id) if is_fresh else site_tokens.given_key(key_id, algorithm, given)
        async with self._reread():
            await sign_on.add_key(self._database, id, key)
        return {"secret": key.material if is_fresh else ""}

    async def _list_site_keys(self, id: str) -> dict[str, Any]:  # noqa: A002
        keys = await sign_on.keys(self._database, id)
        return {"keys": [{"id": key.id, "algorithm": key.algorithm} for key in keys]}

    async def _remove_site_key(self, id: str, key_id: str, leaked: bool) -> dict[str, Any]:  # noqa: A002
        await sign_on.remove_key(self._database, id, key_id, is_leaked=leaked)
        return {}

    async def _move_thread(self, old: str, new: str) -> dict[str, Any]:
        key, site = await sites.move_thread(self._database, old, new)
        return {"key": key, "site": site}

    async def _merge_threads(self, old: str, new: str) -> dict[str, Any]:
        async with self._reread():
            gone, key = await sites.merge_threads(self._database, old, new)
        return {"old": gone, "new": key}

    async def _list_threads(self, site: str, limit: int) -> dict[str, Any]:
        return {"threads": await self._database.read(lambda sql: stored_sites.listed(sql, site, limit))}


def _site(site: Site | None) -> dict[str, Any]:
    return {"site": msgspec.to_builtins(site)}


class Owner(Protocol):
    async def ask(self, command: str, arguments: dict[str, Any]) -> dict[str, Any]: ...


class _Distant:
    """The desk of a running app, asked over its socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def ask(self, command: str, arguments: dict[str, Any]) -> dict[str, Any]:
        self._writer.write(msgspec.json.encode({"command": command, "arguments": arguments}) + b"\n")
        try:
            await self._writer.drain()
            line = await self._reader.readline()
        except OSError:
            line = b""
        if not line.endswith(b"\n"):
            raise CannotStart("The running server stopped before it answered.")
        answer = msgspec.json.decode(line)
        if "error" in answer:
            raise CommandFailed(answer["error"])
        return dict(answer["answer"])


@contextlib.asynccontextmanager
async def owner(settings: Settings) -> AsyncIterator[Owner]:
    """Reach the owner of the database: a running app, or else this process. Raises CannotStart."""
    if not await is_running(settings):
        health = Health()
        async with Database.opened(settings.database, health) as database:
            yield Desk(database, settings)
            await Upkeep(database, health).finish()
    else:
        async with running_owner(settings) as distant:
            yield distant


@contextlib.asynccontextmanager
async def running_owner(settings: Settings) -> AsyncIterator[Owner]:
    """Reach the running app that owns the database. Raises CannotStart if there is none."""
    connection = await _connect(settings)
    if connection is None:
        raise CannotStart(
            f"No livethread is running on {settings.database}. Start one with `python3 run.py`, with the same settings."
        )
    reader, writer = connection
    distant = _Distant(reader, writer)
    try:
        try:
            # What is asked next may take long; whether anybody is there shows at once.
            async with asyncio.timeout(ANSWER_SECONDS):
                await distant.ask("origin", {})
        except TimeoutError:
            raise CannotStart(
                f"The livethread that runs on {settings.database} has not answered for {ANSWER_SECONDS} s: it "
                "hangs, or was stopped. Nothing was changed."
            ) from None
        yield distant
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
    connection = control_socket.connect(settings.database)
    if connection is None:
        return None
    return await asyncio.open_unix_connection(sock=connection, limit=MAX_LINE_BYTES)


@contextlib.asynccontextmanager
async def listening(settings: Settings, desk: Desk, tasks: Tasks) -> AsyncIterator[None]:
    """Answer commands while the block runs."""
    listener = control_socket.listen(settings.database)
    server = await asyncio.start_unix_server(_answering(desk, tasks), sock=listener, limit=MAX_LINE_BYTES)
    try:
        async with server:
            yield
    finally:
        control_socket.place(settings.database).unlink(missing_ok=True)


def _answering(desk: Desk, tasks: Tasks) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(msgspec.json.encode(await _one(desk, line)) + b"\n")
                await writer.drain()
        except (OSError, ValueError) as error:
            log.warning("a command was interrupted: %s", error)
        finally:
            writer.close()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not control_socket.is_ours(writer.get_extra_info("socket").fileno()):
            log.warning("another user of this machine connected to the control socket and was refused")
            writer.close()
            return
        tasks.start("control socket", answer(reader, writer))

    return begin


async def _one(desk: Desk, line: bytes) -> dict[str, Any]:
    try:
        request = msgspec.json.decode(line)
        return {"answer": await desk.ask(request["command"], request["arguments"])}
    except (DomainError, CommandFailed) as error:
        return {"error": str(error)}
    except Exception:
        log.exception("a command failed")
        return {"error": "The command failed; the server's log says why."}
