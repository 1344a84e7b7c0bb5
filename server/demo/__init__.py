"""The command `demo`: a fresh database with an article and half a conversation; the other half arrives live."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
from msgspec import structs

from server import control, settings
from server.errors import CannotStart
from server.porting import jsonl
from server.porting.imports import import_records
from server.porting.record import Record
from server.porting.replay import Replay
from server.settings import Settings

FOLDER = Path(__file__).parent
VISITOR = "visitor"
PASSWORD = "demo-password"
# One comment every few seconds, whatever the conversation's own evening was like.
SECONDS_BETWEEN = 4.0
SECONDS_AGO = 90


def run_demo(speed: float) -> int:
    """Serve until Ctrl-C; the database is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="livethread-demo-") as folder:
        os.environ["LIVETHREAD_DATABASE"] = str(Path(folder) / "demo.db")
        read = settings.read(os.environ)
        article = json.loads((FOLDER / "article.json").read_text(encoding="utf-8"))
        records = list(jsonl.read(FOLDER / "conversation.jsonl"))
        half = len(records) // 2
        asyncio.run(_prepare(read, article, records[:half]))
        with _server() as server:
            try:
                asyncio.run(_continue(read, article["key"], records, half, speed))
                print("That was the conversation. The server goes on: post something. Ctrl-C ends it.", flush=True)
                return server.wait()
            except KeyboardInterrupt:
                return 0


async def _prepare(read: Settings, article: dict[str, str], first_half: list[Record]) -> None:
    async with control.owner(read) as owner:
        since = int(time.time() * 1000) - SECONDS_AGO * 1000 - first_half[-1].created
        recent = [structs.replace(record, created=record.created + since) for record in first_half]
        await import_records(owner, article["key"], "demo", recent, lambda done: None)
        await owner.ask("account create", {"name": VISITOR, "role": "staff", "password": PASSWORD})
        described = {name: article[name] for name in ("title", "url", "summary", "author")}
        await owner.ask("describe", {"thread": article["key"], **described})


async def _continue(read: Settings, key: str, records: list[Record], half: int, speed: float) -> None:
    async with control.running_owner(read) as owner:
        origin = (await owner.ask("origin", {}))["origin"]
        print(f"\n  Read and answer:  {origin}/t/{key}\n  Log in as:        {VISITOR} / {PASSWORD}\n", flush=True)
        known = (await owner.ask("imported", {"thread": key, "origin": "demo"}))["ids"]
        evenly = [
            structs.replace(record, created=int(number * SECONDS_BETWEEN * 1000))
            for number, record in enumerate(records[half:])
        ]
        async with httpx2.AsyncClient(base_url=origin, timeout=30, trust_env=False) as client:
            replay = Replay(owner, client, key, speed)
            replay.know(known)
            await asyncio.sleep(min(3.0, SECONDS_BETWEEN / speed))
            await replay.post_all(evenly)


@contextmanager
def _server() -> Iterator[subprocess.Popen[str]]:
    """Run the server as a process of its own, ended with this one."""
    run = Path(__file__).resolve().parents[2] / "run.py"
    server = subprocess.Popen([sys.executable, str(run)], stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert server.stdout is not None
        if not server.stdout.readline():
            raise CannotStart("The demo's server did not start.")
        yield server
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()
