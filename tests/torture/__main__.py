"""Runs the scenarios and prints the promises with their figures. Exits 1 where one was broken."""

from __future__ import annotations

import asyncio
import importlib
import shutil
import sys
import tempfile
import time
import traceback
from pathlib import Path

from tests.torture.findings import Finding, Plan, Scenario, Skipped

# By the module that holds the function of the same name, in the order of docs/operations.md.
SCENARIOS = {
    "kills": "killed with -9 at named points",
    "power": "power cuts",
    "failover": "hosts lost with all that is on them",
    "answers": "a proxy that cuts a fifth of the answers",
    "mixed": "mixed faults",
    "redis": "every damage to Redis",
    "forged": "forged, replayed and mutated messages on Redis",
    "disk": "full disk, I/O errors, no descriptors",
    "restart": "a rolling restart of everything",
    "proxies": "every way in, while gateways restart and die",
    "hosts": "two hosts, and the link between them cut",
    "clock": "clocks that jump",
    "upgrade": "every earlier database",
    "tasks": "an error in each background task",
    "strangers": "connections that send, ask and do not read",
}


def main(given: list[str]) -> int:
    is_quick = "--quick" in given
    chosen = [name for name in given if name != "--quick"] or list(SCENARIOS)
    if unknown := [name for name in chosen if name not in SCENARIOS]:
        for name, title in SCENARIOS.items():
            print(f"  {name:8} {title}")
        return 0 if unknown == ["list"] else 2
    is_broken = False
    for number, name in enumerate(chosen, start=1):
        began = time.monotonic()
        print(f"\n[{number}/{len(chosen)}] {name}: {SCENARIOS[name]}", flush=True)
        try:
            findings = run(name, is_quick=is_quick)
        except Skipped as why:
            print(f"  skipped: {why}")
            continue
        for finding in findings:
            is_broken |= not finding.is_kept
            print(f"  {'kept  ' if finding.is_kept else 'BROKEN'}  {finding.figure:>24}  {finding.what}")
        print(f"  ({time.monotonic() - began:.0f} s)", flush=True)
    print("\nA promise was broken." if is_broken else "\nEvery promise was kept.")
    return int(is_broken)


def run(name: str, *, is_quick: bool) -> list[Finding]:
    """Run one scenario; what goes wrong in it is a broken promise. Raises Skipped."""
    scenario: Scenario = getattr(importlib.import_module(f"tests.torture.{name}"), name)
    folder = Path(tempfile.mkdtemp(prefix="torture-"))
    try:
        findings = asyncio.run(scenario(Plan(folder, is_quick)))
    except Skipped:
        raise
    except Exception:  # noqa: BLE001 — the other scenarios are still wanted
        traceback.print_exc()
        findings = [Finding("the scenario ran to its end", "an error, above", is_kept=False)]
    if all(finding.is_kept for finding in findings):
        shutil.rmtree(folder, ignore_errors=True)
    else:
        print(f"  the logs are kept in {folder}")
    return findings


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
