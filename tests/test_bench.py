"""The bench runs, counts frames by what they are, and says when it cannot be trusted."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys

from server import cli_arguments
from tests.bench import __main__ as bench
from tests.bench.crowd import Crowd, Watched
from tests.bench.figure import Figure
from tests.bench.rounds import Machine
from tests.processes import ROOT

BENCHES = ("fanout", "gateways", "idle", "large", "overload", "pages", "posts")
CHANGES: dict[str, object] = {"type": "changes", "comments": [{"id": 7}]}
READERS: dict[str, object] = {"type": "readers", "count": 12}


def frame(message: dict[str, object]) -> bytes:
    content = json.dumps(message).encode()
    return bytes([0x81, len(content)]) + content


def test_the_bench_runs_in_its_small_form() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", "--smoke", "--json", "--readers", "200", *BENCHES],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    names = [figure["what"] for figure in told["figures"]]
    for what in (
        "fan-out of 600 B to 200 readers",
        "200 readers behind 2 gateways",
        "idle connection of 200",
        "4,000 comments: a permalink",
        "3,000 comments/s to 200 readers",
        "200 comments, logged in",
        "posts",
    ):
        assert any(what in name for name in names), f"{what}: {names}"
    assert all(figure["ratio"] for figure in told["figures"] if figure["baseline"])
    assert "million steps" in told["speed"]
    assert isinstance(told["doubt"], str)


def test_the_help_names_every_bench() -> None:
    assert {"all", *bench.BENCHES} == set(cli_arguments.BENCHES)


def test_a_count_of_readers_in_between_is_not_taken_for_a_comment() -> None:
    before, comment, after = frame(READERS), frame(CHANGES), frame({**CHANGES, "comments": [{"id": 8}]})
    watched = Watched([(1.0, before + comment[:5]), (2.0, comment[5:] + before), (3.0, after)])
    assert watched.length_of(lambda message: message["type"] == "changes") == len(comment)
    assert watched.length_of(lambda message: message["type"] == "reset") == 0
    with contextlib.closing(Crowd()) as crowd:
        crowd.watched = {1: watched, 2: Watched([(1.0, comment)])}
        assert crowd.expect_frame(lambda message: message["type"] == "changes") == len(comment)


def test_a_ratio_is_the_median_of_what_was_measured_beside_each_other() -> None:
    figure = Figure.of_rounds("a delivery", "µs", [6.0, 12.0, 6.6], "a C loop", [5.0, 10.0, 6.0])
    assert figure.row() == {
        "what": "a delivery",
        "figure": "6.6 (6.00–12.00) µs",
        "baseline": "a C loop: 6.0 µs",
        "ratio": "1.20 (1.10–1.20)",
    }


def test_a_run_on_a_machine_that_was_not_quiet_says_so() -> None:
    assert Machine([10e6, 10.5e6], [1.0, 0.99]).doubt == ""
    assert "1.50 times as fast" in Machine([10e6, 15e6], [1.0, 1.0]).doubt
    assert "40% of the server's core" in Machine([10e6, 10e6], [1.0, 0.6]).doubt
    measured = Machine()
    measured.look()
    assert measured.speeds[0] > 0
    assert 0 < measured.shares[0] <= 1
