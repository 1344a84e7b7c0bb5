"""How often something may be done, and how much is remembered of it."""

from __future__ import annotations

import pytest

from server.errors import TooMany
from server.rate_limits import MAX_BUCKETS, Limits
from server.settings.values import Rate

# One in eight seconds: exact in binary.
FOUR_IN_32 = Rate(4, 32)


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def spent(limits: Limits, who: object, rate: Rate = FOUR_IN_32, what: str = "post") -> int:
    """Spend until there is nothing left, and return how often that was."""
    for count in range(rate.count + 1):
        try:
            limits.spend(what, who, rate)
        except TooMany:
            return count
    raise AssertionError("there is no limit")


def test_a_bucket_holds_the_count_and_fills_evenly() -> None:
    clock = Clock()
    limits = Limits(is_on=True, clock=clock)
    assert spent(limits, "Ana") == 4
    clock.now += 7
    assert spent(limits, "Ana") == 0
    clock.now += 1
    assert spent(limits, "Ana") == 1
    clock.now += 24
    assert spent(limits, "Ana") == 3
    clock.now += 3600
    assert spent(limits, "Ana") == 4


def test_the_refusal_says_in_how_many_seconds_to_come_back() -> None:
    clock = Clock()
    limits = Limits(is_on=True, clock=clock)
    spent(limits, "Ana")
    clock.now += 3
    with pytest.raises(TooMany, match=r"Try again in 5 s\.") as refused:
        limits.spend("post", "Ana", FOUR_IN_32)
    assert refused.value.retry_after == 5
    clock.now += 5
    limits.spend("post", "Ana", FOUR_IN_32)


def test_each_person_and_each_thing_to_do_has_a_bucket_of_its_own() -> None:
    limits = Limits(is_on=True, clock=Clock())
    assert [spent(limits, who) for who in ("Ana", "Bo")] == [4, 4]
    assert spent(limits, "Ana", what="vote") == 4


def test_what_was_honest_is_given_back() -> None:
    limits = Limits(is_on=True, clock=Clock())
    spent(limits, "Ana")
    limits.refund("post", "Ana")
    limits.refund("post", "Bo")
    assert spent(limits, "Ana") == 1
    assert spent(limits, "Bo") == 4


def test_limits_that_are_off_refuse_nothing() -> None:
    limits = Limits(is_on=False, clock=Clock())
    for _ in range(100):
        limits.spend("post", "Ana", FOUR_IN_32)


def test_of_more_than_the_bound_the_bucket_that_was_used_longest_ago_is_forgotten() -> None:
    limits = Limits(is_on=True, clock=Clock())
    for who in ("longest ago", "at the beginning"):
        spent(limits, who)
    for number in range(MAX_BUCKETS - 2):
        limits.spend("post", number, FOUR_IN_32)
    # Also a use that is refused is one.
    assert spent(limits, "at the beginning") == 0
    limits.spend("post", "one more", FOUR_IN_32)
    assert spent(limits, "at the beginning") == 0
    assert spent(limits, "longest ago") == 4
