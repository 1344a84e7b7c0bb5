"""A database of every earlier form, opened by the real program: all that it held is served, and it takes more."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3

from tests.processes import ROOT, Server
from tests.torture.clients import Posters, api, read_all, tokens
from tests.torture.findings import Finding, Plan

EARLIER = ROOT / "tests" / "server" / "upgrades"


async def upgrade(plan: Plan) -> list[Finding]:
    findings = []
    # The quick form takes the first, the last and every fifth: tests/server/test_upgrade.py has the steps of each.
    dumps = sorted(EARLIER.glob("*.sql"))
    for dump in sorted({*dumps[:: plan.either(5, 1)], dumps[-1]}):
        folder = plan.folder / dump.stem
        folder.mkdir()
        with contextlib.closing(sqlite3.connect(folder / "test.db")) as old:
            old.executescript(dump.read_text(encoding="utf-8"))
            held = old.execute("SELECT count(*) FROM comments WHERE state = 'visible'").fetchone()[0]
        with Server(folder) as app:
            async with api(app.origin) as client:
                before = (await read_all(client, "old"))["count"]
                posters = Posters(app.origin, "old", await asyncio.to_thread(tokens, app, 1))
                await posters.post()
                after = (await read_all(client, "old"))["count"]
        is_kept = (before, after) == (held, held + 1)
        findings.append(
            Finding(f"from form {int(dump.stem)}: comments before and after one more", f"{before}, {after}", is_kept)
        )
    return findings
