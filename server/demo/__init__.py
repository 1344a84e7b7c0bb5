"""The command `demo`: a fresh database with an article and half a conversation; the other half arrives live.

The thread has its own page, and is under the article on a site of another origin.
"""

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

from server import operator_commands, settings
from server.demo import article_site
from server.demo.article_site import Host
from server.errors import CannotStart
from server.importing.import_command import import_records, read_records
from server.importing.record import Record
from server.importing.replay_command import Replay
from server.settings import Settings

FOLDER = Path(__file__).parent
VISITOR = "visitor"
PASSWORD = "demo-password"
# One comment every few seconds, whatever the original timing.
SECONDS_BETWEEN = 4.0
SECONDS_AGO = 90


def run_demo(speed: float) -> int:
    """Serve until Ctrl-C; the database is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="livethread-demo-") as folder, article_site.running() as site:
        os.environ["LIVETHREAD_DATABASE"] = str(Path(folder) / "demo.db")
        read = settings.read(os.environ)
        article = json.loads((FOLDER / "article.json").read_text(encoding="utf-8"))
        records = read_records(FOLDER / "conversation.jsonl")
        half = len(records) // 2
        asyncio.run(_prepare(read, article, records[:half], site))
        with _server() as server:
            try:
                asyncio.run(_continue(read, article, records, half, speed, site))
                print(
                    "That was the conversation. The server keeps running: post something. Ctrl-C stops it.", flush=True
                )
                return server.wait()
            except KeyboardInterrupt:
                return 0


async def _prepare(read: Settings, article: dict[str, str], first_half: list[Record], site: Host) -> None:
    async with operator_commands.owner(read) as owner:
        added = {"id": "demo", "name": "The article's site", "origins": [site.origin], "logins": ["password", "guest"]}
        await owner.ask("site add", added)
        since = int(time.time() * 1000) - SECONDS_AGO * 1000 - first_half[-1].created
        recent = [structs.replace(record, created=record.created + since) for record in first_half]
        await import_records(owner, article["key"], "demo", recent, lambda done: None)
        await owner.ask("account create", {"name": VISITOR, "role": "staff", "password": PASSWORD})
        described = {name: article[name] for name in ("title", "summary", "author")} | {"url": f"{site.origin}/"}
        await owner.ask("describe", {"thread": article["key"], **described})


async def _continue(
    read: Settings, article: dict[str, str], records: list[Record], half: int, speed: float, site: Host
) -> None:
    key = article["key"]
    async with operator_commands.running_owner(read) as owner:
        origin = (await owner.ask("origin", {}))["origin"]
        site.show(origin, article["title"], article["summary"])
        print(
            f"\n  Read and answer:  {origin}/t/{key}\n  Under an article: {site.origin}/\n"
            f"  Log in as:        {VISITOR} / {PASSWORD}\n",
            flush=True,
        )
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
    # Where this program lies, whether in a checkout or installed.
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    command = [sys.executable, "-m", "server"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True)
    try:
        assert server.stdout is not None
        if not server.stdout.readline():
            raise CannotStart("The demo's server did not start.")
        yield server
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()
