"""The plan of a large thread: what it promises follows from its own constants, at every size."""

from __future__ import annotations

import subprocess
import sys

import pytest

from server import capacity
from server.capacity import Demand, ceilings, plan, readers_of_one
from tests.processes import ROOT

SIZES = (1, 999, 5_000, 5_001, 10_000, 123_456, 1_000_000, 10_000_000)
RATES = (0.5, 20, 200, 6_000, 60_000)


@pytest.mark.parametrize("seconds", [0.15, 0.2, 0.3, 0.5, 1.0, 3.0])
def test_no_reader_is_later_than_was_asked(seconds: float) -> None:
    readers = readers_of_one(seconds)

    def late(readers: int) -> float:
        sweep = readers * capacity.DELIVERY
        return max(capacity.TICK, capacity.SWEEPS_A_TICK * sweep) + sweep

    assert late(readers) <= seconds + 1e-9
    assert late(readers + 50) > seconds


@pytest.mark.parametrize("comments", RATES)
@pytest.mark.parametrize("readers", SIZES)
def test_every_reader_has_a_place_and_no_gateway_is_full(readers: int, comments: float) -> None:
    found = plan(Demand(readers, comments))
    assert found.readers_of_each * max(1, found.gateways) >= readers
    assert found.readers_of_each <= readers_of_one(0.5)
    assert found.gateway <= 1 / capacity.SWEEPS_A_TICK + 1e-9
    # A frame holds at least one comment.
    assert found.frames <= comments / 60 + 1e-9
    if found.gateways > 1:
        fewer = readers / (found.gateways - 1)
        assert fewer > readers_of_one(0.5)


def test_a_small_thread_needs_no_gateway_and_a_large_one_needs_them_in_proportion() -> None:
    assert plan(Demand(5_000, 200)).gateways == 0
    assert plan(Demand(5_001, 200)).gateways == 1
    assert plan(Demand(10_000_000, 200)).gateways == pytest.approx(10 * plan(Demand(1_000_000, 200)).gateways, rel=0.05)


@pytest.mark.parametrize("comments", RATES)
def test_what_gives_out_is_full_at_the_size_that_is_named(comments: float) -> None:
    demand = Demand(1_000_000, comments)
    for one in ceilings(plan(demand)):
        if one.readers is None or not one.readers:
            continue
        there, beyond = (
            next(other for other in ceilings(plan(Demand(readers, comments))) if other.what == one.what)
            for readers in (one.readers, one.readers + readers_of_one(0.5))
        )
        assert there.share <= 1 + 1e-9, one
        assert beyond.share >= 1, one


def test_the_command_says_it_and_refuses_what_cannot_be() -> None:
    def say(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "server", "plan", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
        )

    said = say("--readers", "1000000", "--comments", "200").stdout
    assert "40 gateways" in said
    assert "What gives out first" in said
    assert "the app alone" in say("--readers", "100", "--comments", "1").stdout
    for option, value, why in (
        ("--readers", "0", "0 is not a number from 1"), ("--readers", "many", "many is not a number from 1"),
        ("--readers", "9" * 5000, "is not a number from 1"), ("--comments", "-1", "-1 is not a number above 0"),
        ("--comments", "few", "few is not a number above 0"), ("--seconds", "0.1", ""),
    ):  # fmt: skip
        done = say(option, value)
        assert done.returncode == 2
        assert option in done.stderr
        assert why in done.stderr
