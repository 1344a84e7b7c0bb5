"""Runs the benchmarks and prints one table; `--json` prints it for programs."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.bench import (
    arrivals,
    ballots,
    fan_out,
    gateways,
    hot,
    large,
    latency,
    long,
    overload,
    page,
    people,
    plot,
    rivals,
)  # fmt: skip
from tests.bench.figure import Figure
from tests.bench.rounds import EFFORT, MACHINE

BENCHES: dict[str, Callable[[Path, int], list[Figure]]] = {
    "fanout": fan_out.fanout,
    "hot": hot.hot,
    "overload": overload.overload,
    "opening": overload.opening,
    "slow": hot.slow,
    "stall": latency.stall,
    "idle": fan_out.idle,
    "connect": arrivals.connect,
    "resume": arrivals.resume,
    "shutdown": arrivals.shutdown,
    "redis": latency.redis,
    "gateways": gateways.gateways,
    "posts": people.posts,
    "pages": people.pages,
    "votes": ballots.votes,
    "long": long.long,
    "large": large.large,
    "page": page.page,
    "rivals": rivals.rivals,
}
# What needs more than the server: others' servers, a browser, a quarter of an hour.
APART = ("rivals", "page", "large")


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="run.py bench")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHES)} (default: all but {', '.join(APART)})"
    )
    parser.add_argument("--readers", type=int, default=10_000, metavar="N")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--smoke", action="store_true", help="a tenth of the work, to see that the bench itself runs")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw what a delivery costs, as SVG (of fanout, hot)")
    given = parser.parse_args(argv)
    chosen = [name for name in given.names if name != "all"] or [name for name in BENCHES if name not in APART]
    if unknown := [name for name in chosen if name not in BENCHES]:
        parser.error(f"there is no {unknown[0]}: choose of {', '.join(BENCHES)}")
    EFFORT.is_small = given.smoke
    figures = []
    for name in chosen:
        MACHINE.look()
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            figures += BENCHES[name](Path(folder), given.readers)
            if not given.json:
                print(f"{name} measured", file=sys.stderr, flush=True)
    MACHINE.look()
    machine = f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
    if given.plot:
        given.plot.write_text(plot.svg(figures, machine), encoding="utf-8")
    if given.json:
        rows = [figure.row() for figure in figures]
        print(
            json.dumps(
                {"machine": machine, "speed": MACHINE.words(), "doubt": MACHINE.doubt, "figures": rows}, indent=1
            )
        )
        return 0
    print(f"\n{machine}; {MACHINE.words()}\n")
    if MACHINE.doubt:
        print(f"This run cannot be trusted: {MACHINE.doubt}. Ratios of one round may still hold.\n")
    print("| what | figure | baseline in the same run | ratio |\n|---|---|---|---|")
    for figure in figures:
        row = figure.row()
        print(f"| {row['what']} | {row['figure']} | {row['baseline'] or ''} | {row['ratio'] or ''} |")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
